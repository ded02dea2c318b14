"""Trains models of one architecture as one program."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras.arrays import Array, IntArray
from kt_extras.stacking.comparison import differing
from kt_extras.stacking.held_numbers import differ_in_numbers_alone, numbers
from kt_extras.stacking.keras_internals import build_for_training
from kt_extras.stacking.model_step import ModelStep, state_variables
from kt_extras.stacking.program import Program, results_of
from kt_extras.stacking.refusal import NotStackable
from kt_extras.stacking.requirements import is_of_known_parts, require_stackable
from kt_extras.training.fit_data import ArrayData

Logs = dict[str, Any]

_PIECE = 0.5  # seconds after which an interruption is noticed


class ModelStack:
    """Models of one architecture whose variables are stacked and which take each step together.

    Each model gets the results that `fit` with the same order of the data gives it: the step of one
    model is mapped over all, with its own optimizer, random numbers and metrics.  The variables of
    the models themselves are not changed until `write_back`.

    Args:
        models: Compiled models that differ in numbers alone; each is a row.
        data: What they are trained on.

    Attributes:
        models: The model of each row, None for one that was removed.

    Raises:
        NotStackable: They cannot be trained together.

    >>> from kt_extras.training.fit_data import array_data
    >>> def build(rate):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(rate), "mse")
    ...     return model
    >>> models = [build(0.0), build(0.25)]
    >>> data = array_data(models[0], np.ones((8, 2)), np.zeros((8, 1)), batch_size=4)
    >>> stack = ModelStack(models, data)
    >>> first, second = stack.train_epoch(), stack.train_epoch()
    >>> [after["loss"] < before["loss"] for before, after in zip(first, second)]
    [False, True]
    """

    def __init__(self, models: Sequence[keras.Model], data: ArrayData) -> None:
        if not models:
            raise ValueError("`models` must hold at least one model, got none.")
        self._data = data
        for row, model in enumerate(models):
            self._require_same(model, models[0], row)
        _require_own_variables(models)
        self.models: list[keras.Model | None] = list(models)
        self._traced = models[0]  # its code is traced; it may leave the stack
        self._step = ModelStep(models[0])
        rows = [_values(model) for model in models]
        self._state = [tf.constant(np.stack(column)) for column in zip(*rows, strict=True)]
        columns = zip(*(numbers(model).values() for model in models), strict=True)
        self._numbers = [tf.constant(column, "float64") for column in columns]
        places = {id(variable): index for index, variable in enumerate(self._step.variables)}
        self._weights = [places[id(weight)] for weight in models[0].weights]
        self._reset = self._metrics_at_first(models[0])
        self._results = results_of(self._step)
        self._programs: dict[Any, Program] = {}
        known = is_of_known_parts(models[0])
        self._compare_all = not known
        self._uncompared = {0, len(models) - 1} if known else set(range(len(models)))
        self._seconds_a_step = 0.0

    def train_epoch(self, orders: Sequence[IntArray | None] | None = None) -> list[Logs | None]:
        """Train all models for one epoch.

        Args:
            orders: The samples in the order in which each row takes them, arrays of one length;
                those of rows without a model may be None. Defaults to the order that they have.

        Returns:
            The logs of each row, as in the history of `fit`; None for a row without a model.

        Raises:
            NotStackable: A step in the stack differs from that of a model alone, or cannot be
                mapped.  The models are as they were.
        """
        order = None if orders is None else _common_order(orders, self._data.rows)
        program = self._checked_program(order)
        state = self._with_reset_metrics()
        self._state = self._run(program, state, self._data, order)
        return self._logs()

    def check(self, orders: Sequence[IntArray | None] | None = None) -> None:
        """Raise if the models cannot be trained together, before an epoch is trained.

        Args:
            orders: As for `train_epoch`.

        Raises:
            NotStackable: As in `train_epoch`.
        """
        self._checked_program(None if orders is None else _common_order(orders, self._data.rows))

    def evaluate(self, data: ArrayData) -> list[Logs | None]:
        """Evaluate all models.

        Args:
            data: What they are evaluated on.

        Returns:
            The logs of each row, as of `evaluate`; None for a row without a model.

        Raises:
            NotStackable: As in `train_epoch`.
        """
        key = "evaluate", _key(data, None)
        known = key in self._programs
        program = self._program(data, None, training=False)
        if not known:
            rows = [row for row, model in enumerate(self.models) if model is not None]
            rows = rows if self._compare_all else [rows[0], rows[-1]]
            self._compare(program, data, None, sorted(set(rows)), training=False)
        self._state = self._run(program, self._with_reset_metrics(), data, None)
        return self._logs()

    def write_back(self, row: int) -> keras.Model:
        """Put the state of a row into its model: also the optimizer's, and the random generators'.

        Plain `fit` then goes on exactly where the stack is.

        Args:
            row: The row.

        Returns:
            The model.
        """
        model = self.models[row]
        if model is None:
            raise ValueError(f"`row` must be one that has a model, got {row}.")
        for variable, value in zip(state_variables(model), self._row(row), strict=True):
            variable.assign(value)
        return model

    def weights(self, row: int) -> list[Array]:
        """Return the weights of a row, as `get_weights` of its model does after `write_back`.

        Args:
            row: The row.
        """
        values = self._row(row)
        return [np.array(values[index]) for index in self._weights]

    def remove(self, row: int) -> keras.Model:
        """Take a model out of the stack, with its state; its row is free then."""
        model = self.write_back(row)
        self.models[row] = None
        return model

    def replace(self, row: int, model: keras.Model) -> None:
        """Put a model into a row, with its state; what was in the row is dropped.

        Args:
            row: The row.
            model: Another model, or that of the row if it was changed.

        Raises:
            NotStackable: It differs from the others in more than numbers.
        """
        self._require_same(model, self._traced, row)
        others = [other for at, other in enumerate(self.models) if other is not None and at != row]
        _require_own_variables([*others, model])
        self._state = _with_row(self._state, row, _values(model))
        self._numbers = _with_row(self._numbers, row, list(numbers(model).values()))
        self.models[row] = model
        if self._compare_all:
            self._uncompared.add(row)

    def _checked_program(self, order: Any) -> Program:
        """Return the program of a training whose first step was compared for new rows."""
        program = self._program(self._data, order, training=True)
        if self._uncompared:
            self._compare(program, self._data, order, sorted(self._uncompared), training=True)
            self._uncompared = set()
        return program

    def _require_same(self, model: keras.Model, first: keras.Model, row: int) -> None:
        try:
            if model.optimizer is not None and not isinstance(model.optimizer, str):
                build_for_training(model, self._first_batch())
            require_stackable(model)
        except NotStackable as refusal:
            raise NotStackable(refusal.reason, [row]) from refusal
        if model is not first and not differ_in_numbers_alone(first, model):
            raise NotStackable("it differs from the others in more than numbers", [row])

    def _first_batch(self) -> Any:
        size = self._data.batch_size
        return tf.nest.map_structure(lambda tensor: tensor[:size], self._data.data)

    def _program(self, data: ArrayData, order: Any, *, training: bool) -> Program:
        key = "train" if training else "evaluate", _key(data, order)
        if key not in self._programs:
            step = self._step.train if training else self._step.evaluate
            own_order = order is not None and order.shape.rank == 2
            program = Program(step, len(self.models), data, own_order=own_order)
            captured = program.trace(self._state, self._numbers).captured_inputs
            if any(tensor.dtype == tf.resource for tensor in captured):
                raise NotStackable("its step has state that is not among the model's variables")
            self._programs[key] = program
        return self._programs[key]

    def _compare(
        self, program: Program, data: ArrayData, order: Any, rows: list[int], *, training: bool
    ) -> None:
        """Compare the first step of some rows with the step of their models alone."""
        before = self._with_reset_metrics()
        batch = program.batch(data.data, order, tf.constant(0))
        after = program.one(before, self._numbers, batch)
        for row in rows:
            model = self.models[row]
            if model is None:
                continue
            own = batch if not program.own_order else _nested_row(batch, row)
            old, new = ([np.asarray(v[row]) for v in state] for state in (before, after))
            wrong = differing(model, old, new, own, training=training)
            if wrong:
                reason = f"its step in the stack differs from that alone, in {wrong[0]}"
                raise NotStackable(reason, [row])

    def _run(self, program: Program, state: list[Any], data: ArrayData, order: Any) -> list[Any]:
        """Run all batches, in pieces between which an interruption is noticed."""
        at, size = 0, 1 if not self._seconds_a_step else self._steps_a_piece()
        while at < data.batches:
            stop, begun = min(at + size, data.batches), time.perf_counter()
            state = program.run(state, self._numbers, data.data, order, at, stop)
            self._seconds_a_step = (time.perf_counter() - begun) / (stop - at)
            at, size = stop, self._steps_a_piece()
        return state

    def _steps_a_piece(self) -> int:
        return max(1, int(_PIECE / max(self._seconds_a_step, 1e-9)))

    def _metrics_at_first(self, model: keras.Model) -> dict[int, Any]:
        """Return what the variables of metrics are reset to, by their index."""
        variables = self._step.variables
        own = {id(variable) for variable in model.metrics_variables}
        before = [variable.numpy() for variable in model.metrics_variables]
        model.reset_metrics()
        found = {
            index: tf.repeat(tf.constant(variable.numpy())[None], len(self.models), 0)
            for index, variable in enumerate(variables)
            if id(variable) in own
        }
        for variable, value in zip(model.metrics_variables, before, strict=True):
            variable.assign(value)
        return found

    def _with_reset_metrics(self) -> list[Any]:
        return [self._reset.get(index, value) for index, value in enumerate(self._state)]

    def _logs(self) -> list[Logs | None]:
        results = {name: np.asarray(v) for name, v in self._results(self._state).items()}
        return [
            None if model is None else {name: _plain(v[row]) for name, v in results.items()}
            for row, model in enumerate(self.models)
        ]

    def _row(self, row: int) -> list[Array]:
        return [np.asarray(value)[row] for value in self._state]


def _require_own_variables(models: Sequence[keras.Model]) -> None:
    """Raise if models share a variable: it would be trained once for each."""
    found = [id(variable) for model in models for variable in state_variables(model)]
    if len(set(found)) < len(found):
        raise NotStackable("it shares variables with another model")


def _values(model: keras.Model) -> list[Array]:
    return [np.asarray(variable.numpy()) for variable in state_variables(model)]


def _common_order(orders: Sequence[IntArray | None], samples: int) -> Any:
    """Return orders as one tensor: None for that of the data, else of one order, or of all."""
    given = [order for order in orders if order is not None]
    if not given or all(np.array_equal(order, np.arange(samples)) for order in given):
        return None
    if all(np.array_equal(order, given[0]) for order in given):
        return tf.constant(given[0])
    return tf.constant(np.stack([given[0] if order is None else order for order in orders]))


def _with_row(stacked: list[Any], row: int, values: Sequence[Any]) -> list[Any]:
    return [
        tf.tensor_scatter_nd_update(tensor, [[row]], tf.cast(value, tensor.dtype)[None])
        for tensor, value in zip(stacked, values, strict=True)
    ]


def _nested_row(batch: Any, row: int) -> Any:
    return tf.nest.map_structure(lambda tensor: tensor[row], batch)


def _key(data: ArrayData, order: Any) -> Any:
    """Return what a program depends on: shapes and types, not values."""
    shapes = tuple((tuple(t.shape), t.dtype) for t in tf.nest.flatten(data.data))
    return shapes, data.batch_size, None if order is None else order.shape.rank


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value
