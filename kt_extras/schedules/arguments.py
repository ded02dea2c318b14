"""Checks of the arguments of schedules."""

from __future__ import annotations

import math
import operator
from typing import Any


def check_rate(name: str, value: Any, *, zero: bool = False) -> float:
    """Return a learning rate, or a factor of one, as a plain float.

    Args:
        name: Of the argument.
        value: Any finite number above 0.
        zero: Whether 0 is allowed too. Defaults to `False`.

    Raises:
        ValueError: `value` is not such a number.

    >>> check_rate("learning_rate", 1)
    1.0
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        bound = "0 or above" if zero else "above 0"
        raise ValueError(f"`{name}` must be a finite number {bound}, got {value!r}.")
    return number


def check_fraction(name: str, value: Any, *, minimum: float = 0.0, maximum: float = 1.0) -> float:
    """Return a fraction as a plain float.

    Raises:
        ValueError: `value` does not lie in [`minimum`, `maximum`].

    >>> check_fraction("pct_start", 0.3)
    0.3
    """
    number = check_rate(name, value, zero=True)
    if not minimum <= number <= maximum:
        raise ValueError(f"`{name}` must lie between {minimum:g} and {maximum:g}, got {value!r}.")
    return number


def check_steps(name: str, value: Any, *, minimum: int = 1) -> int:
    """Return a number of steps as a plain int.

    Raises:
        ValueError: `value` is not a whole number from `minimum`.

    >>> check_steps("warmup_steps", 100, minimum=0)
    100
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = minimum - 1
    if number < minimum or isinstance(value, bool):
        raise ValueError(
            f"`{name}` must be a whole number of steps from {minimum}, got {value!r}; a step is "
            "one batch, so `epochs * steps_per_epoch` are the steps of a training."
        )
    return number


def check_choice(name: str, value: Any, options: tuple[str, ...]) -> str:
    """Return one of some words.

    Raises:
        ValueError: `value` is not among `options`.

    >>> check_choice("shape", "linear", ("linear", "cosine"))
    'linear'
    """
    if value not in options:
        raise ValueError(f"`{name}` must be one of {', '.join(options)}, got {value!r}.")
    return str(value)
