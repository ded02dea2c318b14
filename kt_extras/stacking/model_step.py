"""The training step of a compiled model as a function of tensors.

What `train_step` and `test_step` do is done in one `keras.StatelessScope`, in which Keras'
variables stand for given tensors and assignments are collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat
from kt_extras.stacking.held_numbers import held, numbers
from kt_extras.stacking.keras_internals import averages, stateless, training_loss
from kt_extras.stacking.refusal import NotStackable

# Keras 2 has none, and stacks no models; its import of this module must not fail.
_StatelessScope: Any = getattr(keras, "StatelessScope", object)


class ModelStep:
    """The steps of one model.

    Args:
        model: A compiled model that is built, with its optimizer and metrics.

    Attributes:
        variables: All its variables: of layers, optimizer, random generators and metrics.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.variables = state_variables(model)
        self._numbers = numbers(model)

    def train(self, state: list[Any], values: list[Any], data: Any) -> list[Any]:
        """Return the variables after one batch of training.

        Args:
            state: The values of the variables.
            values: Its numbers, scalars of the type `float64`.
            data: A batch, as `train_step` gets it.
        """
        with self._with_numbers(values):
            optimizer = stateless(self.model.optimizer)
            with self._scope(state) as scope:
                self._train_on(data, optimizer)
        return [scope.get_current_value(variable) for variable in self.variables]

    def evaluate(self, state: list[Any], values: list[Any], data: Any) -> list[Any]:
        """Return the variables after one batch of evaluation."""
        with self._with_numbers(values), self._scope(state) as scope:
            self.model.test_step(data)
        return [scope.get_current_value(variable) for variable in self.variables]

    def results(self, state: list[Any]) -> dict[str, Any]:
        """Return the values of the metrics."""
        with keras.StatelessScope(list(zip(self.variables, state, strict=True))):
            return dict(self.model.get_metrics_result())

    @contextmanager
    def _with_numbers(self, values: list[Any]) -> Iterator[None]:
        with held(self.model, self._numbers, values), _unrolled(self.model):
            yield

    def _scope(self, state: list[Any]) -> Any:
        return _Scope(list(zip(self.variables, state, strict=True)))

    def _train_on(self, data: Any, optimizer: Any) -> None:
        model = self.model
        frequency, optimizer.ema_overwrite_frequency = optimizer.ema_overwrite_frequency, None
        variables = model.trainable_variables
        values = [variable.value for variable in variables]
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss, predictions = training_loss(model, data)
            loss = optimizer.scale_loss(loss)
        optimizer.apply(tape.gradient(loss, values), variables)
        if optimizer.use_ema and frequency:
            _overwrite_with_averages(optimizer, variables, frequency)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        logs = model.compute_metrics(x, y, predictions, sample_weight=sample_weight)
        if set(logs) != set(model.get_metrics_result()):
            raise NotStackable("`compute_metrics` returns values that are not of metrics")


def state_variables(model: keras.Model) -> list[Any]:
    """Return each variable of a built model once: of layers, optimizer, generators and metrics."""
    found = [
        *compat.state_variables(model),
        *compat.optimizer_variables(model),
        *model.metrics_variables,
    ]
    return list({id(variable): variable for variable in found}.values())


class _Scope(_StatelessScope):
    """Collects assignments, and refuses those that are made under a condition."""

    def __init__(self, mapping: Any) -> None:
        super().__init__(mapping, collect_losses=True)
        self._graph = tf.compat.v1.get_default_graph()

    def add_update(self, update: Any) -> None:
        if tf.compat.v1.get_default_graph() is not self._graph:
            raise NotStackable("a variable is assigned to in a branch or a loop of the graph")
        super().add_update(update)


def _overwrite_with_averages(optimizer: Any, variables: list[Any], frequency: int) -> None:
    """Do what Keras does in a branch of the graph, which would be taken for all models."""
    due = tf.equal(optimizer.iterations % frequency, 0)
    for variable, average in zip(variables, averages(optimizer), strict=True):
        constraint = variable.constraint or tf.convert_to_tensor
        variable.assign(tf.where(due, constraint(average), variable))


@contextmanager
def _unrolled(model: keras.Model) -> Iterator[None]:
    """Unroll recurrent layers: the gradient of a loop with stacked variables is not supported."""
    layers = compat.all_layers(model, include_model=False)
    recurrent = [layer for layer in layers if isinstance(layer, keras.layers.RNN)]
    before = [layer.unroll for layer in recurrent]
    try:
        for layer in recurrent:
            layer.unroll = True
        yield
    finally:
        for layer, unroll in zip(recurrent, before, strict=True):
            layer.unroll = unroll
