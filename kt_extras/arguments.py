"""What all parts ask of numbers that they are given."""

from __future__ import annotations

from numbers import Integral, Real


def is_number(value: object) -> bool:
    """Tell whether a value is a real number; a truth value is none.

    >>> is_number(1), is_number(0.5), is_number(True), is_number("1")
    (True, True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def check_integer(name: str, value: object, *, least: int, cure: str = "") -> None:
    """Refuse what is no integer, or too small.

    Args:
        name: Of the argument.
        value: What was given.
        least: The smallest that is allowed.
        cure: What to say besides.

    Raises:
        ValueError: It is refused.

    >>> check_integer("batch_size", 32.5, least=1)
    Traceback (most recent call last):
    ValueError: `batch_size` must be an integer from 1, got 32.5.
    """
    integer = isinstance(value, Integral) and not isinstance(value, bool)
    if not (integer and value >= least):  # type: ignore[operator]
        raise ValueError(
            f"`{name}` must be an integer from {least}, got {value!r}{cure and f'; {cure}'}."
        )
