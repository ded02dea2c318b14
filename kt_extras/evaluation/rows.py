"""The rows of a data set as 64-bit hashes, whatever holds them.

Numbers are compared as `float32`, in which models see them; integers beyond its 24 bits as they
are.  So a row is the same in an array of floats, of integers and in a data frame.  NaN equals NaN,
and -0.0 equals 0.0.  Narrow rows are hashed by columns, with multiplications and shifts over all
rows at once; wide ones, such as images, by BLAKE2b.  Hashes of two different rows are equal with a
probability of about 1 in 2**64.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kt_extras.arguments import check_integer

Hashes = npt.NDArray[np.uint64]

_WIDE = 256  # columns from which BLAKE2b is faster
_CHUNK = 1 << 18  # values that are converted at once, so that they stay in the cache
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))  # splitmix64
_SHIFT = np.uint64(32)
_EXACT = 1 << 24  # integers up to it are exact in float32
_NAN = 0x7FC00000


def row_hashes(data: Any, limit: int | None = None) -> Hashes:
    """Return a hash of each row.

    Args:
        data: An array, a tensor, a data frame, or a dictionary or list of them with one row a
            sample; or a `tf.data.Dataset` of batches or a `keras.utils.PyDataset`, of which the
            inputs are hashed: the first of ``(x, y)``.
        limit: How many rows are read, from 1; of an array the first ones.  Defaults to None: all.

    Returns:
        Shape ``(n,)``.

    Raises:
        TypeError: These are no rows, such as a generator, which could be read once only.
        ValueError: The parts have different numbers of rows.

    >>> a, b = row_hashes([[1, 2], [2, 1]]), row_hashes(np.array([[2.0, 1.0]]))
    >>> bool(a[1] == b[0]), bool(a[0] == b[0])
    (True, False)
    """
    if limit is not None:
        check_integer("limit", limit, minimum=1)
    if yields_batches(data):
        return _hashes_of_batches(_batches(data), limit)
    parts = parts_of(data)
    return _hashes([part[:limit] for part in parts])


def sampled_hashes(data: Any, number: int) -> tuple[Hashes, int] | None:
    """Return hashes of rows that lie evenly in a data set in memory, and how many rows it has.

    Args:
        data: As for `row_hashes`.
        number: How many rows are hashed, from 1.

    Returns:
        None if it is not in memory, or holds no rows.

    >>> hashes, rows = sampled_hashes(np.arange(1000.0), 10)
    >>> len(hashes), rows
    (10, 1000)
    """
    if yields_batches(data):
        return None
    try:
        parts = parts_of(data)
    except (TypeError, ValueError):
        return None
    rows = len(parts[0])
    places = np.unique(np.linspace(0, rows - 1, min(number, rows)).astype(int))
    return _hashes([part[places] for part in parts]), rows


def parts_of(data: Any) -> list[npt.NDArray[Any]]:
    """Return the arrays that a data set in memory consists of, each with one row a sample.

    Raises:
        TypeError: It is no such data set.
        ValueError: They have no rows, or different numbers of them.
    """
    parts = list(_parts(data))
    numbers = sorted({len(part) for part in parts})
    if len(numbers) != 1 or numbers[0] == 0:
        raise ValueError(f"Data must have rows, as many in each part, got {numbers} rows.")
    return parts


def yields_batches(data: Any) -> bool:
    """Tell whether it is a `tf.data.Dataset`, or a `PyDataset` or `Sequence` of Keras."""
    return hasattr(data, "as_numpy_iterator") or (
        hasattr(data, "__getitem__") and hasattr(data, "on_epoch_end")
    )


# What holds rows.


def _batches(data: Any) -> Iterator[Any]:
    if hasattr(data, "as_numpy_iterator"):
        yield from data
        return
    number = data.num_batches if hasattr(data, "num_batches") else len(data)
    for place in range(number):
        yield data[place]


def _hashes_of_batches(batches: Iterator[Any], limit: int | None) -> Hashes:
    found, rows = [np.empty(0, np.uint64)], 0
    for batch in batches:
        inputs = batch[0] if isinstance(batch, tuple) else batch
        found.append(_hashes(parts_of(inputs)))
        rows += len(found[-1])
        if limit is not None and rows >= limit:
            break
    return np.concatenate(found)[:limit]


def _parts(data: Any) -> Iterator[npt.NDArray[Any]]:
    if isinstance(data, Mapping):
        for name in sorted(data):
            yield from _parts(data[name])
    elif hasattr(data, "iloc") and hasattr(data, "columns"):  # a data frame
        for place in range(data.shape[1]):
            yield data.iloc[:, place].to_numpy()
    elif isinstance(data, (list, tuple)) and all(hasattr(part, "shape") for part in data):
        for part in data:
            yield from _parts(part)
    else:
        array = data.to_numpy() if hasattr(data, "to_numpy") else np.asarray(data)
        if array.ndim == 0:
            raise TypeError(
                "Data must be an array, a data frame, a dictionary or a list of arrays, a "
                f"`tf.data.Dataset` or a `keras.utils.PyDataset`, got {data!r}."
            )
        yield array


# Hashes.


def _hashes(parts: Sequence[npt.NDArray[Any]]) -> Hashes:
    rows = len(parts[0])
    hashes = np.zeros(rows, np.uint64)
    flat = [part.reshape(rows, -1) if part.size else np.zeros((rows, 0)) for part in parts]
    for part in flat:
        step = max(1, _CHUNK // max(1, part.shape[1]))
        for start in range(0, rows, step):
            _mix(hashes[start : start + step], part[start : start + step])
    hashes ^= hashes >> _SHIFT
    hashes *= _ODD[1]
    return hashes ^ (hashes >> _SHIFT)


def _mix(hashes: Hashes, values: npt.NDArray[Any]) -> None:
    """Mix values of shape ``(rows, columns)`` into the hashes of their rows, in place."""
    if values.shape[1] > _WIDE:
        codes = np.ascontiguousarray(_codes(values))
        digests = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in codes)
        columns: Any = [np.frombuffer(digests, np.uint64)]
    else:
        columns = np.ascontiguousarray(_codes(values).T)
    for column in columns:
        hashes ^= column
        hashes *= _ODD[0]
        hashes ^= hashes >> _SHIFT


def _codes(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return unsigned integers that are equal where values are."""
    kind = values.dtype.kind
    if kind in "mM":
        return values.astype(f"{kind}8[ns]").view(np.uint64)
    if kind in "OUST":
        return _codes_of_objects(values)
    if kind not in "biuf":
        raise TypeError(f"Data must be numbers, texts, booleans or dates, got {values.dtype}.")
    with np.errstate(over="ignore", invalid="ignore"):
        codes = (values.astype(np.float32) + np.float32(0.0)).view(np.uint32)
        codes[np.isnan(codes.view(np.float32))] = _NAN
    if kind in "iu" and values.dtype.itemsize > 2:
        return _with_large_integers(codes, values)
    return codes


def _with_large_integers(
    codes: npt.NDArray[np.uint32], values: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Return codes in which integers that `float32` cannot tell apart are different."""
    large = values > _EXACT
    if values.dtype.kind == "i":
        large |= values < -_EXACT
    if not large.any():
        return codes
    exact = codes.astype(np.uint64)
    exact[large] = values[large].astype(np.uint64) * _ODD[1]
    return exact


def _codes_of_objects(values: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    known: dict[Any, int] = {}
    codes = np.empty(values.size, np.uint64)
    for place, value in enumerate(values.flat):
        key = (type(value), value) if isinstance(value, (str, bytes, int, float)) else repr(value)
        if key not in known:
            known[key] = _code_of_object(value)
        codes[place] = known[key]
    return codes.reshape(values.shape)


def _code_of_object(value: Any) -> int:
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return _NAN
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        return int(_codes(np.array([value]))[0])
    text = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def texts(hashes: Hashes) -> list[str]:
    """Return hashes as texts of 16 digits, in order and each once.

    >>> texts(np.array([255, 1, 1], np.uint64))
    ['0000000000000001', '00000000000000ff']
    """
    return [f"{int(one):016x}" for one in np.unique(hashes)]


def found_in(sample: Sequence[str], hashes: Hashes) -> int:
    """Return how many of some hashes, as texts, are among others.

    >>> found_in(["0000000000000001", "00000000000000ff"], np.array([255], np.uint64))
    1
    """
    wanted = np.fromiter((int(one, 16) for one in sample), np.uint64, len(sample))
    return int(np.isin(wanted, hashes).sum())
