"""Checks of the arguments of schedules."""

from __future__ import annotations

import math
from typing import Any

from kt_extras.arguments import is_integer, is_number


def check_rate(name: str, value: Any, *, zero: bool = False) -> float:
    """Return a learning rate, or a factor of one, as a plain float.

    Args:
        name: Name of the argument, for the message.
        value: Value of the argument, a finite number above 0.
        zero: Whether 0 is allowed too. Defaults to `False`.

    Raises:
        ValueError: `value` is not such a number.

    >>> check_rate("learning_rate", 1)
    1.0
    """
    number = float(value) if is_number(value) else math.nan
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        bound = "0 or above" if zero else "above 0"
        raise ValueError(f"`{name}` must be a finite number {bound}, got {value!r}.")
    return number


def check_fraction(name: str, value: Any, *, minimum: float = 0.0, maximum: float = 1.0) -> float:
    """Return a fraction as a plain float.

    Args:
        name: Name of the argument, for the message.
        value: Value of the argument.
        minimum: Smallest value that is allowed. Defaults to 0.
        maximum: Largest value that is allowed. Defaults to 1.

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

    Args:
        name: Name of the argument, for the message.
        value: Value of the argument.
        minimum: Smallest value that is allowed. Defaults to 1.

    Raises:
        ValueError: `value` is not an integer, or it is below `minimum`.

    >>> check_steps("warmup_steps", 100, minimum=0)
    100
    """
    if not (is_integer(value) and value >= minimum):
        raise ValueError(
            f"`{name}` must be a whole number of steps from {minimum}, got {value!r}; a step is "
            "one batch, so a training has `epochs * steps_per_epoch` of them."
        )
    return int(value)


def check_choice(name: str, value: Any, options: tuple[str, ...]) -> str:
    """Return the value if it is one of the options.

    Args:
        name: Name of the argument, for the message.
        value: Value of the argument.
        options: Values that are allowed.

    Raises:
        ValueError: `value` is not among `options`.

    >>> check_choice("shape", "linear", ("linear", "cosine"))
    'linear'
    """
    if value not in options:
        raise ValueError(f"`{name}` must be one of {', '.join(options)}, got {value!r}.")
    return str(value)
