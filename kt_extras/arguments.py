"""Checks of numbers that are given as arguments."""

from __future__ import annotations

from numbers import Integral, Real


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


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural, for a message.

    Args:
        number: Number to print.
        noun: Noun in the singular.

    >>> counted(1, "trial"), counted(2, "trial")
    ('1 trial', '2 trials')
    """
    return f"{number} {noun}{'s' * (number != 1)}"
