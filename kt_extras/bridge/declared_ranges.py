"""What the declaration of a hyperparameter may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras_tuner

from kt_extras.arguments import is_finite
from kt_extras.search.dimensions import SAMPLINGS

_KINDS = (bool, int, float, str)  # of values, as JSON and KerasTuner's protocol hold them
_MAX_INTEGER = 2**63


class DeclarationError(keras_tuner.errors.FatalValueError):
    """A hyperparameter is declared with a value that no trial could use."""


def check_declared(kind: str, given: Mapping[str, Any]) -> None:
    """Raise unless a hyperparameter can be declared so, and recorded.

    Args:
        kind: The method of `keras_tuner.HyperParameters`, such as `"Float"`.
        given: Its arguments by name, or the configuration of what it has declared.

    Raises:
        DeclarationError: It cannot; the message names the hyperparameter.

    >>> check_declared("Fixed", {"name": "rate", "value": math.inf})
    Traceback (most recent call last):
    kt_extras.bridge.declared_ranges.DeclarationError: `value` of the hyperparameter 'rate' must be
    a text, a bool or a finite number, got inf.
    """
    name = given["name"]
    if not isinstance(name, str):
        raise DeclarationError(f"`name` of a hyperparameter must be a text, got {name!r}.")
    if kind == "Choice":
        _check_choice(given)
    elif kind == "Fixed":
        if not _is_value(given["value"]):
            raise _wrong(given, "value", "a text, a bool or a finite number")
    elif kind == "Boolean":
        if given.get("default") not in (True, False):
            raise _wrong(given, "default", "True or False")
    else:
        _check_range(kind, given)


def _check_choice(given: Mapping[str, Any]) -> None:
    values, default, rule = given["values"], given.get("default"), "a list of texts, bools or "
    rule += "finite numbers (integers of 64 bits), all of one type, with at least one"
    if not isinstance(values, list) or not values:
        raise _wrong(given, "values", rule)
    if not all(map(_is_value, values)) or len({type(value) for value in values}) > 1:
        raise _wrong(given, "values", rule)
    if given.get("ordered") and isinstance(values[0], str):
        raise _wrong(given, "ordered", "False or None for texts")
    if default is not None and default not in values:
        raise _wrong(given, "default", f"one of {values} or None")


def _check_range(kind: str, given: Mapping[str, Any]) -> None:
    """Check the arguments of an `Int` or a `Float`."""
    whole = kind == "Int"
    rule = "an integer of 64 bits" if whole else "a finite number"
    low, high, step = (_number(given.get(name)) for name in ("min_value", "max_value", "step"))
    for name, number in (("min_value", low), ("max_value", high)):
        if number is None or (whole and (number % 1 or not abs(number) < _MAX_INTEGER)):
            raise _wrong(given, name, rule)
    if low is None or high is None or low > high:
        raise _wrong(given, "min_value", f"at most `max_value`, {given['max_value']!r}")
    sampling = given.get("sampling") or "linear"
    if not isinstance(sampling, str) or sampling.lower() not in SAMPLINGS:
        raise _wrong(given, "sampling", f"one of {SAMPLINGS}")
    linear = sampling.lower() == "linear"
    if not linear and low <= 0:
        raise _wrong(given, "min_value", f"above 0 for the sampling {sampling!r}")
    smallest = 0 if linear else 1
    if given.get("step") is not None and not (
        step is not None and step > smallest and not (whole and step % 1)
    ):
        raise _wrong(given, "step", f"{rule} above {smallest}, or None")
    if given.get("default") is not None and not is_finite(given["default"]):
        raise _wrong(given, "default", f"{rule} or None")


def _is_value(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) < _MAX_INTEGER
    return type(value) in _KINDS and (not isinstance(value, float) or math.isfinite(value))


def _number(value: Any) -> float | None:
    """Return what KerasTuner makes of the end of a range, None if that is no finite number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _wrong(given: Mapping[str, Any], argument: str, rule: str) -> DeclarationError:
    return DeclarationError(
        f"`{argument}` of the hyperparameter {given['name']!r} must be {rule}, got "
        f"{given[argument]!r}."
    )
