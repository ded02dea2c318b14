"""Resampling of the training data by imbalanced-learn, for arrays of any shape."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from kt_extras.arguments import check_integer, is_number
from kt_extras.arrays import Array, IntArray
from kt_extras.imbalance.checks import checked_array
from kt_extras.imbalance.labels import single_labels

_OVER = ("random_over", "smote", "borderline_smote", "adasyn", "smote_tomek", "smote_enn")
_UNDER = ("random_under", "near_miss", "cluster_centroids")

#: What `resample` takes for `method`.
METHODS = ("none", *_OVER, *_UNDER, "tomek_links")
#: Those that `ratio` applies to.
WITH_RATIO = (*_OVER, *_UNDER)
#: Those that `k_neighbors` applies to.
WITH_NEIGHBORS = (
    "smote",
    "borderline_smote",
    "adasyn",
    "smote_tomek",
    "smote_enn",
    "near_miss",
)
#: Those that look at the numbers in `x`, and so can't do with NaN.
READS_INPUTS = (*WITH_NEIGHBORS, "cluster_centroids", "tomek_links")

_SELECTS = ("random_over", "random_under", "near_miss", "tomek_links")  # rows that are there
_M_NEIGHBORS = 10  # among which borderline-SMOTE looks for other classes (Han et al. 2005)
_ENN_NEIGHBORS = 3
_NOT_INSTALLED = (
    "Resampling needs imbalanced-learn, which is not installed; run "
    "`pip install kt_extras[imbalance]`."
)


def resample(
    x: Any, y: Any, method: str, *, ratio: float = 1.0, k_neighbors: int = 5, seed: int = 0
) -> tuple[Array, Array]:
    """Return training data with other class fractions, its rows in random order.

    It is for training data alone: what is judged on resampled data, or on rows that were made from
    training rows, is judged too well.  The methods that make new rows, the SMOTE family
    and cluster centroids, average numbers, so codes of categories have to be one-hot.  All
    but the two random ones search neighbours, and centroids a cluster for each row that is to stay:
    with very many rows that takes long.

    Args:
        x: Shape ``(n, ...)``; images are flattened and restored.  New rows of integers are rounded.
        y: Integer or one-hot labels of shape ``(n,)``, ``(n, 1)`` or ``(n, c)``.
        method: One of `METHODS`.
        ratio: In (0, 1]: what the smallest class shall be of the largest.  "over" and SMOTE raise
            every class to this fraction of the largest; "under", NearMiss and centroids
            lower every class until the smallest is this fraction of it.  No class is moved the
            other way. Defaults to `1.0`.
        k_neighbors: Neighbours among which SMOTE and the like look, at least 1; fewer, if the
            smallest class has not as many. Defaults to `5`.
        seed: Of the generator. Defaults to `0`.

    Returns:
        The rows of `x` and of `y`, with the shapes and types that they had; the same objects if
        `method` is "none".

    Raises:
        ValueError: NaN where neighbours are needed, a class too small to have any, one class only,
            multi-label data, or an argument out of its range.
        ModuleNotFoundError: imbalanced-learn is not installed.

    >>> x, y = np.arange(8.0).reshape(4, 2), np.array([0, 0, 0, 1])
    >>> more_x, more_y = resample(x, y, "random_over")
    >>> more_x.shape, np.bincount(more_y).tolist()
    ((6, 2), [3, 3])
    """
    check_arguments(method, ratio, k_neighbors)
    check_integer("seed", seed, minimum=0)
    if method == "none":
        return x, y
    inputs, given = checked_array(x, y), np.asarray(y)
    classes = single_labels(given)
    _check_rows(inputs, classes, method)
    target = _target(np.bincount(classes), method, ratio)
    if not target and method != "tomek_links":
        return x, y
    k = _possible_neighbors(classes, target, method, k_neighbors)
    sampler = _sampler(method, target, k, len(classes), seed)
    rng = np.random.default_rng(seed)
    if method in _SELECTS:
        # The row numbers are enough for the two that select at random.
        flat = _flat(inputs) if method in READS_INPUTS else np.arange(len(classes))[:, None]
        sampler.fit_resample(flat, classes)
        rows = rng.permutation(sampler.sample_indices_)
        return inputs[rows], given[rows]
    found, labels = _fit_resample(sampler, _flat(inputs), classes, method)
    order = rng.permutation(len(labels))
    _check_classes_left(classes, labels, method)
    return _restored(found[order], inputs), _as_given(labels[order], given)


def check_arguments(method: str, ratio: float, k_neighbors: float) -> None:
    """Raise unless the arguments are in the ranges that `resample` allows.

    Raises:
        ValueError: An unknown method, or an argument out of its range.

    >>> check_arguments("smote", ratio=0.5, k_neighbors=5)
    """
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}, got {method!r}.")
    if not (is_number(ratio) and 0 < ratio <= 1):
        raise ValueError(
            f"`ratio` must be above 0 and at most 1, got {ratio!r}; 1 makes the classes equal."
        )
    check_integer("k_neighbors", k_neighbors, minimum=1)


def check_finite(x: Any) -> None:
    """Raise unless the inputs are finite numbers.

    Args:
        x: Inputs, of shape ``(n, ...)``.

    Raises:
        ValueError: `x` is not an array of numbers, or rows have NaN or infinite values.

    >>> check_finite(np.zeros([2, 3]))
    """
    inputs = np.asarray(x)
    if inputs.dtype.kind not in "biuf":
        raise ValueError(f"`x` must be one array of numbers, got values of type {inputs.dtype}.")
    if inputs.dtype.kind == "f":
        rows = ~np.isfinite(inputs.reshape(len(inputs), -1)).all(axis=1)
        if rows.any():
            raise ValueError(
                f"`x` must be finite to look for neighbours, but {int(rows.sum())} of "
                f"{len(rows)} rows have NaN or infinite values; fill them in first, or "
                "resample by 'random_over' or 'random_under' only."
            )


def _check_rows(inputs: Array, classes: IntArray, method: str) -> None:
    """Raise unless the data can be resampled by the method."""
    if inputs.ndim == 0 or len(inputs) != len(classes):
        raise ValueError(
            f"`x` and `y` must have the same number of rows, got shapes {inputs.shape} and "
            f"{classes.shape}."
        )
    if len(np.unique(classes)) < 2:
        raise ValueError("`y` must have rows of at least two classes, got one class only.")
    if method in READS_INPUTS:
        check_finite(inputs)


def _target(counts: IntArray, method: str, ratio: float) -> dict[int, int]:
    """Return the number of rows after resampling of each class that changes."""
    present = {number: int(count) for number, count in enumerate(counts) if count}
    if method in _OVER:
        smallest = round(ratio * max(present.values()))
        return {number: smallest for number, count in present.items() if count < smallest}
    if method in _UNDER:
        largest = round(min(present.values()) / ratio)
        return {number: largest for number, count in present.items() if count > largest}
    return {}


def _possible_neighbors(
    classes: IntArray, target: dict[int, int], method: str, k_neighbors: int
) -> int:
    """Return as many neighbours as the smallest class that needs them has."""
    if method not in WITH_NEIGHBORS:
        return k_neighbors
    counts = np.bincount(classes)
    if method == "near_miss":  # whose neighbours are those of other classes in the smallest
        return min(k_neighbors, int(counts[counts > 0].min()))
    smallest = min(target, key=lambda number: counts[number])
    if counts[smallest] < 2:
        raise ValueError(
            f"`y` must have two rows of a class that {method!r} adds to, but class {smallest} has "
            "one; merge it with another class, or resample by 'random_over'."
        )
    return min(k_neighbors, int(counts[smallest]) - 1)


def _sampler(method: str, target: dict[int, int], k: int, rows: int, seed: int) -> Any:
    """Return imbalanced-learn's object for the method."""
    over, under, combine = map(_imblearn, ("over_sampling", "under_sampling", "combine"))
    seeded = {"sampling_strategy": target, "random_state": seed}

    def smote() -> Any:
        return over.SMOTE(k_neighbors=k, **seeded)

    def edited() -> Any:
        neighbors = min(_ENN_NEIGHBORS, rows - 1)
        return under.EditedNearestNeighbours(sampling_strategy="all", n_neighbors=neighbors)

    makers: dict[str, Callable[[], Any]] = {
        "random_over": lambda: over.RandomOverSampler(**seeded),
        "smote": smote,
        "borderline_smote": lambda: over.BorderlineSMOTE(
            k_neighbors=k, m_neighbors=min(_M_NEIGHBORS, rows - 1), **seeded
        ),
        "adasyn": lambda: over.ADASYN(n_neighbors=k, **seeded),
        "smote_tomek": lambda: combine.SMOTETomek(smote=smote(), **seeded),
        "smote_enn": lambda: combine.SMOTEENN(smote=smote(), enn=edited(), **seeded),
        "random_under": lambda: under.RandomUnderSampler(**seeded),
        "near_miss": lambda: under.NearMiss(sampling_strategy=target, n_neighbors=k),
        "cluster_centroids": lambda: under.ClusterCentroids(**seeded),
        "tomek_links": lambda: under.TomekLinks(),
    }
    return makers[method]()


def can_resample() -> bool:
    """Tell whether imbalanced-learn is installed."""
    return find_spec("imblearn") is not None


def check_installed(methods: Sequence[str]) -> None:
    """Raise if a method needs imbalanced-learn and it is not installed.

    Args:
        methods: Of `METHODS`.

    Raises:
        ModuleNotFoundError: It is not installed.

    >>> check_installed(["none"])
    """
    if set(methods) - {"none"} and not can_resample():
        raise ModuleNotFoundError(_NOT_INSTALLED, name="imblearn")


def _imblearn(module: str) -> Any:
    """Import a module of imbalanced-learn, or say how to install it."""
    try:
        return import_module(f"imblearn.{module}")
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "imblearn":
            raise
        raise ModuleNotFoundError(_NOT_INSTALLED, name=error.name) from error


def _fit_resample(
    sampler: Any, flat: Array, classes: IntArray, method: str
) -> tuple[Array, IntArray]:
    """Resample, and leave the data as they are if ADASYN has no place to add to."""
    try:
        found, labels = sampler.fit_resample(flat, classes)
    except (RuntimeError, ValueError) as error:
        if method != "adasyn" or not ("not suited" in str(error) or "No samples" in str(error)):
            raise
        warnings.warn(
            "ADASYN adds rows where classes meet, and found no such place; the data are left as "
            "they are.",
            stacklevel=3,
        )
        return flat, classes
    return np.asarray(found), np.asarray(labels)


def _check_classes_left(before: IntArray, after: IntArray, method: str) -> None:
    lost = np.setdiff1d(before, after)
    if lost.size:
        raise ValueError(
            f"`method` {method!r} has taken every row of class {lost[0]} for noise; resample "
            "by another."
        )


def _flat(inputs: Array) -> Array:
    """Return one row of floating-point numbers for each row."""
    flat = inputs.reshape(len(inputs), -1)
    return flat.astype(np.result_type(flat.dtype, np.float32), copy=False)


def _restored(flat: Array, inputs: Array) -> Array:
    """Return rows in the shape and type of the inputs."""
    rows = flat.reshape(len(flat), *inputs.shape[1:])
    return (rows if inputs.dtype.kind == "f" else np.rint(rows)).astype(inputs.dtype, copy=False)


def _as_given(classes: IntArray, given: Array) -> Array:
    """Return classes in the shape and type of the labels."""
    if given.ndim == 2 and given.shape[1] > 1:
        return np.eye(given.shape[1], dtype=given.dtype)[classes]
    return classes.reshape(-1, *given.shape[1:]).astype(given.dtype)
