"""Trains models of one architecture as one program."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras.arrays import IntArray
from kt_extras.stacking.comparison import differing
from kt_extras.stacking.held_numbers import differ_in_numbers_alone, numbers
from kt_extras.stacking.keras_internals import build_for_training
from kt_extras.stacking.model_step import ModelStep, state_variables
from kt_extras.stacking.program import Program, refusing, results_of
from kt_extras.stacking.refusal import NotStackable
from kt_extras.stacking.requirements import is_of_known_parts, require_stackable
from kt_extras.stacking.stacked_state import StackedState
from kt_extras.training.fit_data import ArrayData

Logs = dict[str, Any]


class ModelStack:
    """Models of one architecture whose variables are stacked and which take each step together.

    Each model gets the results that `fit` with the same order of the data gives it: the step of one
    model is mapped over all, with its own optimizer, random numbers and metrics.  The variables of
    the models themselves are not changed until `write_back`.

    Args:
        models: Compiled models that differ in numbers alone; each is a row.
        data: What they are trained on.
        like: A model like them that nobody changes, whose code is traced.  Defaults to the first of
            them.

    Attributes:
        models: The model of each row, None for a row that is free.

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

    def __init__(
        self, models: Sequence[keras.Model], data: ArrayData, like: keras.Model | None = None
    ) -> None:
        if not models:
            raise ValueError("`models` must hold at least one model, got none.")
        self._data, first = data, models[0] if like is None else like
        for row, model in enumerate([first, *models]):
            self._require_same(model, first, max(row - 1, 0))
        self.models: list[keras.Model | None] = list(models)
        self._variables = [state_variables(model) for model in models]
        _require_own_variables(self._variables)
        self._names = [list(model.get_metrics_result()) for model in models]
        self._traced_names = list(first.get_metrics_result())
        self._step = ModelStep(first)  # it may leave the stack
        self._state = StackedState([_values(variables) for variables in self._variables])
        self._numbers = StackedState([_numbers(model) for model in models])
        self._positions = {row: row for row in range(len(models))}
        self._reset = _reset_metrics(models[0], self._variables[0])
        self._programs: dict[Any, Program] = {}
        self._results = results_of(self._step)
        self._wasted = 0.0  # seconds that rows without a model have taken
        known = is_of_known_parts(first)
        self._compare_all = not known
        self._uncompared = {0, len(models) - 1} if known else set(range(len(models)))
        self._traced: set[int] = set()  # rows whose model alone has made its first step

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
        self._drop_free_rows()
        order = self._common_order(orders)
        program = self._checked_program(order)
        begun = time.perf_counter()
        self._run(program, self._data, order)
        self._traced = set(self._positions)
        live, count = len(self._positions), self._count
        self._wasted += (time.perf_counter() - begun) * (count - live) / count
        return self._logs()

    def check(self, orders: Sequence[IntArray | None] | None = None) -> None:
        """Raise if the models cannot be trained together, before an epoch is trained.

        Args:
            orders: As for `train_epoch`.

        Raises:
            NotStackable: As in `train_epoch`.
        """
        self._drop_free_rows()
        self._checked_program(self._common_order(orders))

    def evaluate(self, data: ArrayData) -> list[Logs | None]:
        """Evaluate all models.

        Args:
            data: What they are evaluated on.

        Returns:
            The logs of each row, as of `evaluate`; None for a row without a model.

        Raises:
            NotStackable: As in `train_epoch`.
        """
        self._drop_free_rows()
        compared = any(key[0] == "evaluate" for key in self._programs)
        program = self._program(data, None, training=False)
        if not compared:
            rows = sorted(self._positions)
            rows = rows if self._compare_all else [rows[0], rows[-1]]
            self._compare(program, data, None, rows, training=False)
        self._run(program, data, None)
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
        self._state.write(self._positions[row], self._variables[row])
        return model

    def remove(self, row: int) -> keras.Model:
        """Take a model out of the stack, with its state; its row is free then."""
        model = self.write_back(row)
        self.models[row] = None
        return model

    def replace(self, row: int, model: keras.Model) -> None:
        """Put a model into a row, with its state; what was in the row is dropped.

        Numbers that are changed after its first epoch make no difference, for `fit` has traced them
        as constants.

        Args:
            row: The row.
            model: Another model, or that of the row if it was changed.

        Raises:
            NotStackable: It differs from the others in more than numbers.
        """
        self._drop_free_rows()
        if model is not self.models[row]:
            self._require_same(model, self._step.model, row)
        variables = state_variables(model)
        _require_own_variables([variables, *(self._variables[at] for at in self._others(row))])
        before = self.models[row]
        self.models[row], self._variables[row] = model, variables
        if model is not before:
            self._names[row] = list(model.get_metrics_result())
        if row not in self._positions:
            self._positions[row] = self._free_position()
        self._state.read(self._positions[row], _values(variables))
        if model is not before or row not in self._traced:
            self._numbers.read(self._positions[row], _numbers(model))
            self._traced.discard(row)
        if self._compare_all and model is not before:
            self._uncompared.add(row)

    # Which models are in which places.

    @property
    def _count(self) -> int:
        """The number of places, of which some may be free."""
        return len(self._state.tensors[0])

    def _drop_free_rows(self) -> None:
        """Note which rows have no model; leave out their places once that is worth a trace.

        Free places are trained like the others.  A program for half of them is traced when they
        have taken as long as the trace will: so never more than twice the time of the better way.
        """
        live = {row: at for row, at in self._positions.items() if self.models[row] is not None}
        self._positions = live
        half = max(1, self._count // 2)
        traced = sum(program.trace_seconds for program in self._of_count(self._count))
        known = bool(self._of_count(half))
        if live and len(live) <= half < self._count and (known or self._wasted > traced):
            self._resize(half)

    def _free_position(self) -> int:
        """Return a free place; if there is none, all that there were are used again."""
        if len(self._positions) >= self._count:
            self._resize(len(self.models))
        return min(set(range(self._count)) - set(self._positions.values()))

    def _resize(self, count: int) -> None:
        rows = sorted(self._positions)
        places = [self._positions[row] for row in rows]
        places += [places[0]] * (count - len(places))
        self._state.gather(places)
        self._numbers.gather(places)
        self._positions = {row: at for at, row in enumerate(rows)}
        self._wasted = 0.0

    def _others(self, row: int) -> list[int]:
        return [other for other in self._positions if other != row]

    def _of_count(self, count: int) -> list[Program]:
        return [program for key, program in self._programs.items() if key[1] == count]

    def _common_order(self, orders: Sequence[IntArray | None] | None) -> Any:
        """Return orders as one tensor: None for that of the data, else of one order, or of all."""
        if orders is None:
            return None
        given = {at: np.asarray(orders[row]) for row, at in self._positions.items()}
        first = next(iter(given.values()))
        if np.array_equal(first, np.arange(self._data.rows)) and _same(given.values()):
            return None
        if len(given) > 1 and _same(given.values()):
            return tf.constant(first)
        # Also for the last model that is left: a program for one order would have to be traced.
        return tf.constant(np.stack([given.get(at, first) for at in range(self._count)]))

    # Running the steps.

    def _run(self, program: Program, data: ArrayData, order: Any) -> None:
        state = self._state.replaced(self._reset)
        self._state.tensors = program.run(state, self._numbers.tensors, data, order)

    def _logs(self) -> list[Logs | None]:
        found = {name: np.asarray(v) for name, v in self._results(self._state.tensors).items()}
        logs: list[Logs | None] = [None] * len(self.models)
        for row, at in self._positions.items():
            names = zip(self._names[row], self._traced_names, strict=True)
            logs[row] = {name: _plain(found[traced][at]) for name, traced in names}
        return logs

    def _checked_program(self, order: Any) -> Program:
        """Return the program of a training whose first step was compared for new rows."""
        program = self._program(self._data, order, training=True)
        if self._uncompared:
            self._compare(program, self._data, order, sorted(self._uncompared), training=True)
            self._uncompared = set()
        return program

    def _program(self, data: ArrayData, order: Any, *, training: bool) -> Program:
        own_order = order is not None and order.shape.rank == 2
        key = "train" if training else "evaluate", self._count, _shapes(data), own_order
        if key not in self._programs:
            step = self._step.train if training else self._step.evaluate
            program = Program(step, self._count, data, own_order=own_order)
            program.trace(self._state.tensors, self._numbers.tensors)
            self._programs[key] = program
        return self._programs[key]

    def _compare(
        self, program: Program, data: ArrayData, order: Any, rows: Sequence[int], *, training: bool
    ) -> None:
        """Compare the first step of some rows with the step of their models alone."""
        before = self._state.replaced(self._reset)
        batch = program.batch(data.data, order, tf.constant(0))
        with refusing():
            after = program.one(before, self._numbers.tensors, batch)
        for row in rows:
            model, at = self.models[row], self._positions.get(row)
            if model is None or at is None:
                continue
            own = _nested_row(batch, at) if program.own_order else batch
            old, new = ([np.asarray(tensor[at]) for tensor in state] for state in (before, after))
            wrong = differing(model, old, new, own, training=training)
            if wrong:
                reason = f"its step in the stack differs from that alone, in {wrong[0]}"
                raise NotStackable(reason, [row])

    def _require_same(self, model: keras.Model, first: keras.Model, row: int) -> None:
        try:
            if isinstance(model.optimizer, keras.Optimizer):
                build_for_training(model, self._first_batch())
            require_stackable(model)
        except NotStackable as refusal:
            raise NotStackable(refusal.reason, [row]) from refusal
        if model is not first and not differ_in_numbers_alone(first, model):
            raise NotStackable("it differs from the others in more than numbers", [row])

    def _first_batch(self) -> Any:
        size = self._data.batch_size
        return tf.nest.map_structure(lambda tensor: tensor[:size], self._data.data)


def _require_own_variables(rows: Sequence[Sequence[Any]]) -> None:
    """Raise if models share a variable: it would be trained once for each."""
    found = [id(variable) for variables in rows for variable in variables]
    if len(set(found)) < len(found):
        raise NotStackable("it shares variables with another model")


def _values(variables: Sequence[Any]) -> list[Any]:
    return [variable.value for variable in variables]


def _numbers(model: keras.Model) -> list[Any]:
    return [tf.constant(number, "float64") for number in numbers(model).values()]


def _reset_metrics(model: keras.Model, variables: Sequence[Any]) -> dict[int, Any]:
    """Return what the variables of metrics are when they are reset, by index."""
    of_metrics = {id(variable) for variable in model.metrics_variables}
    before = [(variable, variable.numpy()) for variable in model.metrics_variables]
    model.reset_metrics()
    found = {
        index: tf.constant(variable.numpy())
        for index, variable in enumerate(variables)
        if id(variable) in of_metrics
    }
    for variable, value in before:
        variable.assign(value)
    return found


def _same(orders: Collection[IntArray]) -> bool:
    first, *rest = orders
    return all(np.array_equal(order, first) for order in rest)


def _nested_row(batch: Any, row: int) -> Any:
    return tf.nest.map_structure(lambda tensor: tensor[row], batch)


def _shapes(data: ArrayData) -> Any:
    """Return what a program depends on in its data."""
    parts = [(tuple(tensor.shape[1:]), tensor.dtype) for tensor in tf.nest.flatten(data.data)]
    structure = tf.nest.map_structure(lambda _: 0, data.data)
    return repr(structure), tuple(parts), data.batch_size, data.has_partial_batch


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value
