"""Checks of arguments that any package may need."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np


def is_number(value: object) -> bool:
    """Return whether a value is a real number; `True` and `False` do not count as numbers.

    >>> is_number(1), is_number(0.5), is_number(True), is_number("1")
    (True, True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def is_integer(value: object) -> bool:
    """Return whether a value is an integer; `1.0`, `True` and `False` do not count as integers.

    >>> is_integer(1), is_integer(1.0), is_integer(True)
    (True, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_finite(value: object) -> bool:
    """Return whether a value is a real number that is neither infinite nor NaN.

    >>> is_finite(0.5), is_finite(math.inf), is_finite("1")
    (True, False, False)
    """
    return is_number(value) and math.isfinite(value)  # type: ignore[arg-type]


def check_integer(name: str, value: object, *, minimum: int, hint: str = "") -> None:
    """Raise unless the value is an integer and large enough.

    Args:
        name: Name of the argument, for the message.
        value: Value of the argument.
        minimum: Smallest value that is allowed.
        hint: What to do about it, appended to the message. Defaults to an empty hint.

    Raises:
        ValueError: The value is not an integer, or it is below `minimum`.

    >>> check_integer("batch_size", 32.5, minimum=1)
    Traceback (most recent call last):
    ValueError: `batch_size` must be an integer from 1, got 32.5.
    """
    if not (is_integer(value) and value >= minimum):  # type: ignore[operator]
        raise ValueError(
            f"`{name}` must be an integer from {minimum}, got {value!r}{hint and f'; {hint}'}."
        )


def check_flag(name: str, value: object) -> None:
    """Raise unless the value is `True` or `False`, so that no text counts as true.

    >>> check_flag("overwrite", "no")
    Traceback (most recent call last):
    ValueError: `overwrite` must be True or False, got 'no'.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"`{name}` must be True or False, got {value!r}.")


def check_protocol(name: str, given: object, protocol: type, method: str) -> None:
    """Raise unless the value is an object with the method; a class in its place is not.

    Raises:
        TypeError: It is not.
    """
    if isinstance(given, type) or not isinstance(given, protocol):
        raise TypeError(f"`{name}` must be an object with a method `{method}`, got {given!r}.")


def names_in(argument: str, given: Collection[str] | None) -> tuple[str, ...] | None:
    """Return a list of names as a tuple, None if there is none.

    >>> names_in("mutable", "rate")
    Traceback (most recent call last):
    TypeError: `mutable` must be a list of names or None, got 'rate'; pass ['rate'].
    """
    if given is None:
        return None
    if isinstance(given, str):
        raise TypeError(
            f"`{argument}` must be a list of names or None, got {given!r}; pass [{given!r}]."
        )
    if not isinstance(given, Collection) or not all(isinstance(name, str) for name in given):
        raise TypeError(f"`{argument}` must be a list of names or None, got {given!r}.")
    return tuple(given)


def check_project_name(given: object) -> None:
    """Raise unless the value is None or names a directory below another one.

    Raises:
        TypeError: It is not a text.
        ValueError: It leads out of `directory`, or to `directory` itself.

    >>> check_project_name("digits/first")
    >>> check_project_name("../digits")
    Traceback (most recent call last):
    ValueError: `project_name` must be a name of a folder in `directory`, got '../digits'; say
    where that is with `directory`.
    """
    if given is not None and not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"`project_name` must be a text or None, got {given!r}.")
    path = Path(str(given or "untitled_project"))
    if path.is_absolute() or not path.parts or ".." in path.parts or "\0" in str(given):
        raise ValueError(
            f"`project_name` must be a name of a folder in `directory`, got {given!r}; say where "
            "that is with `directory`."
        )


def check_directory(given: object) -> None:
    """Raise unless the value is None or the path of a directory.

    Raises:
        TypeError: It is not.
    """
    if given is not None and not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"`directory` must be a path or None, got {given!r}.")


_PLAIN = frozenset({type(None), str, bool, int, float})


def plain(value: Any) -> Any:
    """Return a value with Python's own numbers in place of NumPy's, in lists and dictionaries too.

    >>> plain({"units": np.int64(3), "rates": np.array([0.5])})
    {'units': 3, 'rates': [0.5]}
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {plain(k): v if type(v) in _PLAIN else plain(v) for k, v in value.items()}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural, for a message.

    Args:
        number: Number to print.
        noun: Noun in the singular.

    >>> counted(1, "trial"), counted(2, "trial")
    ('1 trial', '2 trials')
    """
    return f"{number} {noun}{'s' * (number != 1)}"
