"""Checks of arguments that hold a number for each class: weights, costs and counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kt_extras.arguments import is_integer
from kt_extras.arrays import FloatArray


def numbers(name: str, given: ArrayLike) -> FloatArray:
    """Return an argument as an array of floats.

    Raises:
        ValueError: It does not hold numbers.

    >>> numbers("weights", "balanced")
    Traceback (most recent call last):
    ValueError: `weights` must be numbers, got 'balanced'.
    """
    try:
        if given is None or isinstance(given, str):  # which NumPy takes for NaN, or reads
            raise TypeError
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must be numbers, got {given!r}.") from None


def check_num_classes(value: object) -> None:
    """Raise unless a number of classes is an integer from 2.

    Raises:
        ValueError: It is not.
    """
    if not (is_integer(value) and value >= 2):  # type: ignore[operator]
        raise ValueError(
            f"`num_classes` must be at least 2, got {value!r}; an integer, and a binary problem "
            "has 2."
        )


def checked_weights(weights: ArrayLike) -> FloatArray:
    """Return class weights as an array of shape ``(c,)`` or ``(c, 2)``.

    Raises:
        ValueError: Another shape, or weights that are negative, not finite, or all 0.

    >>> checked_weights([1, 3]).tolist()
    [1.0, 3.0]
    """
    w = numbers("weights", weights)
    if w.size == 0 or not (w.ndim == 1 or (w.ndim == 2 and w.shape[1] == 2)):
        raise ValueError(
            "`weights` must have shape (c,), or (c, 2) for multi-label data, "
            f"got {w.shape}; `class_weights` makes them."
        )
    if not (np.isfinite(w).all() and (w >= 0).all() and w.any()):
        raise ValueError(f"`weights` must be finite, at least 0 and not all 0, got {w.tolist()}.")
    return w


def checked_costs(costs: ArrayLike, *, num_classes: int | None = None) -> FloatArray:
    """Return a cost matrix as an array of shape ``(c, c)``.

    Args:
        costs: Rows are true classes, columns decisions.
        num_classes: Number of classes c. Defaults to the number of rows of `costs`.

    Raises:
        ValueError: Another shape; costs that are negative or not finite; a class for which a
            mistake costs less than being right; or no mistake that costs anything.

    >>> checked_costs([[0, 1], [5, 0]], num_classes=2).tolist()
    [[0.0, 1.0], [5.0, 0.0]]
    """
    matrix = numbers("costs", costs)
    c = len(matrix) if num_classes is None and matrix.ndim else num_classes
    if c is None or c < 2 or matrix.shape != (c, c):
        size = f"({num_classes}, {num_classes})" if num_classes else "(c, c) with c at least 2"
        raise ValueError(
            f"`costs` must have shape {size}, a row for each true class and a column for each "
            f"decision, got {matrix.shape}."
        )
    if not (np.isfinite(matrix).all() and (matrix >= 0).all()):
        raise ValueError(
            f"`costs` must be finite and at least 0, got {matrix.tolist()}; a gain is a cost "
            "that the other decisions have more of."
        )
    right = np.diag(matrix)[:, None]
    if (matrix < right).any() or (matrix == right).all():
        raise ValueError(
            "`costs` must have the smallest cost of each row on the diagonal, and a mistake that "
            f"costs more, got {matrix.tolist()}; rows are true classes, columns decisions."
        )
    return matrix


def checked_counts(
    counts: ArrayLike, *, name: str = "counts", min_classes: int = 1, allow_zero: bool = True
) -> FloatArray:
    """Return the number of examples of each class as an array of shape ``(c,)``.

    Args:
        counts: One number for each class.
        name: Name of the argument, for the messages. Defaults to `"counts"`.
        min_classes: Smallest number of classes that is allowed. Defaults to 1.
        allow_zero: Whether some classes may have no example. Defaults to `True`.

    Raises:
        ValueError: Another shape, too few classes, or counts that are negative, not finite, all
            0, or 0 without `allow_zero`.

    >>> checked_counts([3, 1]).tolist()
    [3.0, 1.0]
    """
    n = numbers(name, counts)
    if n.ndim != 1 or len(n) < min_classes:
        raise ValueError(
            f"`{name}` must have shape (c,) with c at least {min_classes}, one number for each "
            f"class, got shape {n.shape}."
        )
    if not allow_zero and not (np.isfinite(n).all() and (n > 0).all()):
        raise ValueError(
            f"`{name}` must be finite and above 0, got {n.tolist()}; count a class without "
            "examples as if it had one, or leave it out of the model."
        )
    if not (np.isfinite(n).all() and (n >= 0).all() and n.sum() > 0):
        raise ValueError(
            f"`{name}` must be finite, at least 0 and not all 0, got {n.tolist()}; "
            "`class_counts(y).positives` makes them from labels."
        )
    return n
