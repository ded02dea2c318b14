"""Compares a step in the stack with the same step of one model alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from kt_extras.arrays import Array
from kt_extras.checkpoints.random_state import random_state_kept
from kt_extras.stacking.keras_internals import loss_trackers
from kt_extras.stacking.model_step import state_variables

Values = Sequence[Array]

# Relative to the largest value of a variable: some times the precision of a number, the change that
# makes rounding visible, and how many times what it changes is allowed.
_PRECISION, _CHANGE, _TIMES = 3e-7, 1e-6, 30.0
_RELATIVE = 1e-4  # to the largest change of a variable


def differing(
    model: keras.Model, before: Values, after: Values, data: Any, *, training: bool
) -> list[str]:
    """Return the names of the variables in which a step alone leads to other values.

    Rounding differs, and an optimizer such as Adam makes a step of the full size even where a
    gradient is nothing but rounding.  So where the step differs by more than some times the
    precision, it is made again from values that are changed in their last digits: what that changes
    is rounding.

    Args:
        model: The model; its variables are restored at the end.
        before: The values of its variables before the step.
        after: Their values after the step in the stack.
        data: The batch.
        training: Whether it is a step of training or of evaluation.
    """
    variables = state_variables(model)
    with _kept(variables):
        alone = _step(model, variables, before, data, training)
        scale = [_size(old) for old in before]
        wrong = _beyond(before, after, alone, [_PRECISION * size for size in scale])
        if wrong:
            shaken = [_shaken(old) for old in before]
            other = _step(model, variables, shaken, data, training)
            rounding = [
                _TIMES * _size((b - a) - (d - c)) + _PRECISION * size
                for a, b, c, d, size in zip(before, alone, shaken, other, scale, strict=True)
            ]
            wrong = _beyond(before, after, alone, rounding)
    unsure = {id(variable) for variable in loss_trackers(model)}
    return [variables[index].path for index in wrong if id(variables[index]) not in unsure]


def _step(
    model: keras.Model, variables: list[Any], values: Values, data: Any, training: bool
) -> list[Array]:
    _assign(variables, values)
    with random_state_kept():
        (model.train_step if training else model.test_step)(data)
    return [_wide(variable) for variable in variables]


def _beyond(before: Values, after: Values, alone: Values, allowed: list[float]) -> list[int]:
    """Return which variables changed differently, by more than is allowed."""
    found = []
    for index, (old, one, other) in enumerate(zip(before, after, alone, strict=True)):
        if not np.issubdtype(old.dtype, np.floating):
            if not np.array_equal(one, other):
                found.append(index)
            continue
        same = np.isclose(one, other, rtol=0, atol=allowed[index], equal_nan=True)
        largest = _size(other - old)
        if not np.all(same | (np.abs(one - other) <= _RELATIVE * largest)):
            found.append(index)
    return found


def _shaken(values: Array) -> Array:
    """Change numbers in about their last digit."""
    if not np.issubdtype(values.dtype, np.floating):
        return values
    signs = np.random.default_rng(0).choice([-1.0, 1.0], values.shape)
    return np.asarray(values * (1 + _CHANGE * signs), values.dtype)


def _size(values: Array) -> float:
    """Return the largest absolute value that is finite."""
    finite = values[np.isfinite(values)] if values.ndim else values
    return float(np.max(np.abs(finite), initial=0.0))


def _wide(variable: Any) -> Array:
    values = np.asarray(variable.numpy())
    return values.astype("float64") if np.issubdtype(values.dtype, np.floating) else values


def _assign(variables: list[Any], values: Values) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@contextmanager
def _kept(variables: list[Any]) -> Iterator[None]:
    values = [variable.numpy() for variable in variables]
    try:
        yield
    finally:
        _assign(variables, values)
