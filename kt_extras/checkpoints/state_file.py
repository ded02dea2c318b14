"""A file of nested Python values and arrays, written atomically.

It is an uncompressed `.npz` with an entry for each array and one with everything else as JSON.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kt_extras.atomic_files import atomic_write

_TREE = "tree"
_PLAIN = (bool, int, float, str, type(None))


class UnreadableStateError(ValueError):
    """A file is not a state of a training, or it is truncated or damaged.

    >>> raise UnreadableStateError("state.npz: it is truncated")
    Traceback (most recent call last):
    kt_extras.checkpoints.state_file.UnreadableStateError: state.npz: it is truncated
    """


def write_state(path: Path, state: Any) -> None:
    """Write a state atomically: a reader finds the old one or the new one, never a part.

    Args:
        path: The file; its directory is created if it does not exist.
        state: Dicts, lists and tuples of numbers, strings, None and NumPy arrays of any numeric
            type.

    Raises:
        TypeError: The state holds a value of another type.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "state.npz")
    >>> write_state(path, {"epoch": 3, "weights": [np.ones(2)], "best": None})
    >>> read_state(path)
    {'epoch': 3, 'weights': [array([1., 1.])], 'best': None}
    """
    arrays: list[np.ndarray] = []
    tree = json.dumps(_packed(state, arrays)).encode()
    entries: dict[str, Any] = {str(number): array for number, array in enumerate(arrays)}
    entries[_TREE] = np.frombuffer(tree, np.uint8)
    with atomic_write(path) as file:
        np.savez(file, **entries)


def read_state(path: Path, *, skip_arrays: bool = False) -> Any:
    """Read a state that `write_state` has written.

    Args:
        path: The file.
        skip_arrays: Whether to return None in the place of each array, without reading it. Defaults
            to `False`.

    Raises:
        FileNotFoundError: There is no such file.
        UnreadableStateError: The file is truncated, damaged or not a state.

    >>> read_state(Path(__file__))
    Traceback (most recent call last):
    kt_extras.checkpoints.state_file.UnreadableStateError: `path` ... is truncated, damaged or not a
    state of a training...
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as entries:
            names = [_TREE] if skip_arrays else entries.files
            arrays = {name: entries[name] for name in names}
        return _unpacked(json.loads(arrays[_TREE].tobytes()), None if skip_arrays else arrays)
    except FileNotFoundError:
        raise
    # NumPy and zipfile raise many kinds of errors for damaged bytes.
    except (
        AttributeError,
        EOFError,
        KeyError,
        OSError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
    ) as error:
        raise UnreadableStateError(
            f"`path` {path} is truncated, damaged or not a state of a training ({error}).  Remove "
            "it and train from the beginning, or restore a copy."
        ) from error


def _packed(value: Any, arrays: list[np.ndarray]) -> Any:
    """Return a value as JSON; append its arrays to `arrays`."""
    if isinstance(value, (np.ndarray, np.generic)):
        return _packed_array(value, arrays)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        pairs = [[_packed(key, arrays), _packed(item, arrays)] for key, item in value.items()]
        return {"dict": pairs}
    if isinstance(value, (list, tuple)):
        items = [_packed(item, arrays) for item in value]
        return items if isinstance(value, list) else {"tuple": items}
    raise TypeError(
        "A state must be made of dicts, lists, tuples, numbers, strings, None and NumPy arrays, "
        f"got a {type(value).__name__}: {value!r}.  Turn it into one of these in `get_state`."
    )


def _packed_array(value: Any, arrays: list[np.ndarray]) -> dict[str, Any]:
    array = np.asarray(value)
    if array.dtype.hasobject or array.dtype.fields:
        raise TypeError(
            f"A state must hold numeric arrays only, got one of dtype {array.dtype}.  Turn it "
            "into lists and strings in `get_state`."
        )
    entry: dict[str, Any] = {"array": len(arrays), "scalar": isinstance(value, np.generic)}
    if array.dtype.kind == "V":  # bfloat16 and the like, which `.npy` files do not support
        entry |= {"dtype": array.dtype.name, "shape": list(array.shape)}
        array = np.frombuffer(array.tobytes(), np.uint8)
    arrays.append(array)
    return entry


def _unpacked(packed: Any, arrays: dict[str, np.ndarray] | None) -> Any:
    """Return the value of a JSON; its arrays become None if `arrays` is None."""
    if isinstance(packed, list):
        return [_unpacked(item, arrays) for item in packed]
    if not isinstance(packed, dict):
        return packed
    if "tuple" in packed:
        return tuple(_unpacked(item, arrays) for item in packed["tuple"])
    if "dict" in packed:
        return {_unpacked(key, arrays): _unpacked(item, arrays) for key, item in packed["dict"]}
    if arrays is None:
        return None
    array = arrays[str(packed["array"])]
    if "dtype" in packed:
        dtype = tf.as_dtype(packed["dtype"]).as_numpy_dtype
        array = np.frombuffer(array.tobytes(), dtype).reshape(packed["shape"])
    return array[()] if packed["scalar"] else array
