"""A compiled model that was trained in a trial, and that another trial may go on with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kt_extras import compat
from kt_extras.model_reuse.model_numbers import (
    HeldNumbers,
    exchangeable,
    numbers,
    numbers_hidden,
)
from kt_extras.model_reuse.number_sources import NumberSources
from kt_extras.model_reuse.optimizer_settings import Number, optimizer_numbers, same_number
from kt_extras.model_reuse.optimizer_update import (
    differing_numbers,
    set_numbers,
    use_constants,
    use_variables,
)
from kt_extras.model_reuse.traced_steps import TracedSteps

# Optimizers of Keras whose variables begin with the same values whatever their numbers are.
_CONSTANT_SLOTS = {"Adadelta", "Adam", "AdamW", "Adamax", "Lamb", "Lion", "Nadam", "RMSprop", "SGD"}
_METRICS = ("metrics", "weighted_metrics")
_RATE = "learning_rate"
_OF_OPTIMIZER = "optimizer/"  # begins the paths of its numbers among those of the model


class LiveModel:
    """Keeps a model with its compiled functions for models that differ in numbers alone.

    Args:
        model: A compiled model that is about to be trained for the first time.
        values: The hyperparameters that it was built with.

    Attributes:
        model: The model.
        sources: The hyperparameters that the numbers come from.
        size: The bytes of its variables, 0 before it was trained.

    >>> def build(rate, drop):
    ...     layers = [keras.layers.Dense(4), keras.layers.Dropout(drop), keras.layers.Dense(1)]
    ...     model = keras.Sequential([keras.Input((2,)), *layers])
    ...     model.compile(keras.optimizers.SGD(rate), "mse")
    ...     return model
    >>> live = LiveModel(build(0.5, 0.25), {})
    >>> live.differing(build(0.25, 0.5))
    {'optimizer/learning_rate': 0.25, '2/rate': 0.5}
    >>> live.differing(build(0.25, 0.0)) is None
    True
    """

    def __init__(self, model: keras.Model, values: Mapping[str, Any]) -> None:
        self.model, self.size = model, 0
        self.sources = NumberSources()
        self.sources.record(values, all_numbers(model))
        self._steps = TracedSteps(model)
        self._marks = _marks(model)
        self._refusal: str | None = None
        self._checked = False
        self._slots: list[Any] | None = None  # what the optimizer's variables begin with

    def release(self) -> None:
        """Give the model its own steps back."""
        self._steps.remove()

    def trained(self) -> None:
        """Note that a training has ended."""
        compat.forget_training(self.model)
        variables = compat.step_variables(self.model)
        self.size = sum(int(np.prod(v.shape)) * np.dtype(_dtype(v)).itemsize for v in variables)

    def refusal(self) -> str | None:
        """Return why no other trial may go on with the model, None if it may."""
        if self._marks != _marks(self.model):
            return "its training has changed more than its variables"
        if not self._checked:
            self._refusal, self._checked = self._steps.refusal(), True
        return self._refusal

    def trace_if_changed(self) -> None:
        """Let the next batch be traced as that of a new model, if what a trace notices was changed.

        To be called before the first batch of a trial: a new model is traced with that.
        """
        if self._marks != _marks(self.model):
            self._steps.held = None
            use_constants(self.model)
            compat.retrace_all(self.model)

    def differing(self, fresh: keras.Model) -> dict[str, Number] | None:
        """Return the numbers of another model that differ, None if something else does.

        Args:
            fresh: A compiled model; its variables are created if it has not seen data.
        """
        mine, its = numbers(self.model), numbers(fresh)
        if not exchangeable(mine, its):
            return None
        with numbers_hidden(self.model), numbers_hidden(fresh):
            of_optimizer = differing_numbers(self.model, fresh)
        if of_optimizer is None:
            return None
        changed = {path: value for path, value in its.items() if value != mine[path]}
        return {**{f"{_OF_OPTIMIZER}{path}": v for path, v in of_optimizer.items()}, **changed}

    def set(self, changed: Mapping[str, Number]) -> None:
        """Set numbers by path, in variables from their first change on.

        Those that stay the same stay constants: a variable would change the rounding.
        """
        now = all_numbers(self.model)
        changed = {p: v for p, v in changed.items() if p not in now or not same_number(now[p], v)}
        prefix = len(_OF_OPTIMIZER)
        of_optimizer = {p[prefix:]: v for p, v in changed.items() if p.startswith(_OF_OPTIMIZER)}
        others = {p: v for p, v in changed.items() if not p.startswith(_OF_OPTIMIZER)}
        if set(of_optimizer) - {_RATE}:
            use_variables(self.model)
        set_numbers(self.model, of_optimizer)
        if others:
            held = self._steps.held = self._steps.held or HeldNumbers(self.model)
            if held.set(others):
                compat.retrace_all(self.model)
        self._marks = _marks(self.model)

    def take_state(self, fresh: keras.Model) -> bool:
        """Copy the variables of a new model; return False if they do not fit.

        A learning rate is one of the numbers, so `set` may have to follow.
        """
        self.model.reset_metrics()
        fits = all(
            _copy(of(self.model), of(fresh)) for of in (compat.state_variables, _metric_variables)
        )
        return fits and self._reset_optimizer(fresh)

    def _reset_optimizer(self, fresh: keras.Model) -> bool:
        mine = compat.optimizer_variables(self.model)
        if self._slots is None or not _begins_with_constants(fresh.optimizer):
            its = compat.optimizer_variables(fresh)
            self._slots = [compat.value_of(variable) for variable in its]
            return _copy(mine, its)
        rate = compat.stored_learning_rate(self.model.optimizer)
        for variable, value in zip(mine, self._slots, strict=True):
            if variable is not rate:
                compat.assign_value(variable, value)
        return True


def all_numbers(model: keras.Model) -> dict[str, Number]:
    """Return all numbers of a model that may be exchanged, by path."""
    of_optimizer = optimizer_numbers(model) if model.optimizer is not None else {}
    return {
        **{f"{_OF_OPTIMIZER}{path}": value for path, value in of_optimizer.items()},
        **numbers(model),
    }


class _Marks(NamedTuple):
    """What a training leaves as it is, unless it changes the model itself."""

    compilation: int
    optimizer: int
    trainable: list[bool]
    numbers: dict[str, np.float32]


def _marks(model: keras.Model) -> _Marks:
    found = all_numbers(model)
    kept = {p: np.float32(v) for p, v in found.items() if not p.endswith((_RATE, "/scale"))}
    layers = compat.all_layers(model, include_model=True)
    flags = [bool(layer.trainable) for layer in layers if not _is_input(layer)]
    return _Marks(id(compat.compilation(model)), id(model.optimizer), flags, kept)


def _metric_variables(model: keras.Model) -> list[Any]:
    """Return the variables of metrics of custom classes, which may not be reset at all."""
    found = tf.nest.flatten([compat.compile_arguments(model).get(name) for name in _METRICS])
    metrics = [one for one in found if isinstance(one, keras.metrics.Metric)]
    custom = [one for one in metrics if not type(one).__module__.startswith("keras.")]
    return [variable for metric in custom for variable in metric.variables]


def _is_input(layer: Any) -> bool:
    return isinstance(layer, keras.layers.InputLayer)  # a `Sequential` gets one with its data


def _copy(variables: list[Any], others: list[Any]) -> bool:
    """Assign the values of other variables; return False, and assign none, if they do not fit."""
    if _kinds(variables) != _kinds(others):
        return False
    for variable, other in zip(variables, others, strict=True):
        compat.assign_value(variable, compat.value_of(other))
    return True


def _begins_with_constants(optimizer: Any) -> bool:
    """Tell whether a new optimizer has the same variables whatever its numbers and the weights.

    Then it need not be built, which takes half the time that a model takes.
    """
    constant = type(optimizer).__name__ in _CONSTANT_SLOTS
    rate = compat.stored_learning_rate(optimizer)
    of_keras = all(
        type(one).__module__.startswith(("keras.", "tensorflow.")) for one in (optimizer, rate)
    )
    return constant and of_keras and not optimizer.get_config().get("use_ema")


def _kinds(variables: list[Any]) -> list[tuple[Any, ...]]:
    return [(tuple(variable.shape), _dtype(variable)) for variable in variables]


def _dtype(variable: Any) -> str:
    return str(getattr(variable.dtype, "name", variable.dtype))
