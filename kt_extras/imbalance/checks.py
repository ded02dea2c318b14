"""Arguments that several parts of the kit have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kt_extras.arguments import is_number


def check_list(name: str, values: Sequence[str]) -> None:
    """Raise if an argument is one string in the place of several.

    >>> check_list("methods", "smote")
    Traceback (most recent call last):
    ValueError: `methods` must be a list, got 'smote'; pass ['smote'].
    """
    if isinstance(values, str):
        raise ValueError(f"`{name}` must be a list, got {values!r}; pass [{values!r}].")


def check_methods(methods: Sequence[str], known: Sequence[str]) -> None:
    """Raise unless an argument lists some of the methods that there are.

    >>> check_methods([], ["none", "mixup"])
    Traceback (most recent call last):
    ValueError: `methods` must have one of none, mixup, got none of them: [].
    """
    check_list("methods", methods)
    if not methods:
        raise ValueError(
            f"`methods` must have one of {', '.join(known)}, got none of them: {methods!r}."
        )
    for method in methods:
        if method not in known:
            raise ValueError(f"`methods` must be some of {', '.join(known)}, got {method!r}.")


def checked_range(name: str, given: float | tuple[float, float]) -> tuple[float, float]:
    """Return the two ends of a range, equal ones for a single number.

    >>> checked_range("ratio", (0.2, 1.0)), checked_range("ratio", 0.5)
    ((0.2, 1.0), (0.5, 0.5))
    """
    ends = tuple(given) if isinstance(given, (tuple, list)) else (given, given)
    numbers = all(map(is_number, ends))
    if not (numbers and len(ends) == 2 and ends[0] <= ends[1]):
        raise ValueError(f"`{name}` must be a number or a pair (low, high), got {given!r}.")
    return ends


def checked_array(x: Any, y: Any) -> np.ndarray[Any, Any]:
    """Return inputs as an array.

    Args:
        x: Shape ``(n, ...)``.
        y: Labels, with n rows.

    Raises:
        ValueError: Inputs of several arrays.

    >>> checked_array([[1.0, 2.0]], [0]).shape
    (1, 2)
    """
    several = isinstance(x, (list, tuple)) and (len(x),) != np.shape(y)[:1]
    if several or isinstance(x, Mapping):
        raise ValueError(
            f"`x` must be one array with a row for each label, got a {type(x).__name__} of "
            f"{len(x)}; join its arrays and take them apart in the model, or use "
            "`BalancedBatches`, which takes several."
        )
    return np.asarray(x)
