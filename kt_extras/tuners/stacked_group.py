"""Trials of one architecture that are trained together, an epoch at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import tensorflow as tf

from kt_extras import compat
from kt_extras.arrays import IntArray
from kt_extras.stacking import ModelStack, NotStackable
from kt_extras.training.epoch_loop import EpochLoop, Logs, TrainingData
from kt_extras.training.epoch_program import run_epoch
from kt_extras.training.fit_data import ArrayData
from kt_extras.training.time_spent import section
from kt_extras.tuners.stacked_trial import StackedTrial

_OUT_OF_MEMORY = (MemoryError, tf.errors.ResourceExhaustedError)

End = Callable[[StackedTrial, "Exception | None"], None]


class StackedGroup:
    """Trains the trials in the rows of a stack.

    A trial that fails leaves the others as they are.  If the stack cannot go on, its trials do, one
    after the other.

    Args:
        stack: The stack; its rows are free.
        data: What the models are trained and validated on.
        end: Called with each trial that has ended, and with the error that has ended it or None.

    Attributes:
        refusal: Why the trials are trained one after the other, None if they are not.
        out_of_memory: Whether that is because the stack is too large.
    """

    def __init__(self, stack: ModelStack, data: TrainingData, end: End) -> None:
        self._stack, self._data, self._end = stack, data, end
        self._rows: dict[int, StackedTrial] = {}
        self.refusal: str | None = None
        self.out_of_memory = False

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def has_room(self) -> bool:
        """Whether a trial may join."""
        return self.refusal is None and len(self._rows) < len(self._stack.models)

    def join(self, begun: StackedTrial) -> None:
        """Let a trial take a free row."""
        row = next(row for row in range(len(self._stack.models)) if row not in self._rows)
        try:
            begun.begin(self._data, partial(self._bring_model, row))
            self._stack.replace(row, begun.model)
        except Exception as error:
            self._end(begun, error)
        else:
            self._rows[row] = begun

    def train_epoch(self) -> None:
        """Train and validate each trial for an epoch, and end those that are over."""
        orders = self._each(lambda _, loop: loop.begin_epoch())
        for row, begun in self._rows.items():
            if begun.changes_model and self.refusal is None:
                self._stack.replace(row, begun.model)
        logs = self._run(self._data.training, orders, training=True)
        self._each(lambda row, loop: loop.trained(logs[row]))
        self._validate()
        for row, begun in self._rows.items():
            if begun.changes_model:
                self._stack_to_model(row)
        self._each(lambda _, loop: loop.end_epoch())
        over = self._each(lambda _, loop: loop.is_over)
        for row in [row for row, is_over in over.items() if is_over]:
            self._leave(row, None)

    def _validate(self) -> None:
        due = self._each(lambda _, loop: loop.validates)
        rows = [row for row, is_due in due.items() if is_due]
        if self._data.validation is None or not rows:
            return
        orders = self._each(lambda _, loop: loop.begin_validation(), rows)
        logs = self._run(self._data.validation, orders, training=False)
        self._each(lambda row, loop: loop.validated(logs[row]), rows)

    def _run(self, data: ArrayData, orders: dict[int, IntArray], *, training: bool) -> Any:
        """Return the logs of rows by number: of an epoch of training, or of a validation."""
        if self.refusal is None and orders:
            try:
                with section("training"):
                    if training:
                        given = [orders.get(row) for row in range(len(self._stack.models))]
                        return self._stack.train_epoch(given)
                    return self._stack.evaluate(data)
            except NotStackable as error:
                refusal = error.reason
            except _OUT_OF_MEMORY:
                refusal, self.out_of_memory = "the memory is used up", True
            for row in self._rows:
                self._stack_to_model(row)
            self.refusal = refusal
        return {
            row: self._run_alone(self._rows[row].model, data, order, training=training)
            for row, order in orders.items()
        }

    def _run_alone(self, model: Any, data: ArrayData, order: IntArray, *, training: bool) -> Logs:
        model.reset_metrics()
        return compat.epoch_logs(model, run_epoch(model, data, order, training=training))

    def _bring_model(self, row: int) -> None:
        """Put the state of a row into its model, unless callbacks have it and may change it."""
        if not self._rows[row].changes_model:
            self._stack_to_model(row)

    def _stack_to_model(self, row: int) -> None:
        if self.refusal is None:  # otherwise the model is trained itself
            self._stack.write_back(row)

    def _each(
        self, call: Callable[[int, EpochLoop], Any], rows: Collection[int] | None = None
    ) -> dict[int, Any]:
        """Call a function for trials; return the results of those that go on."""
        results = {}
        for row, begun in list(self._rows.items()):
            if rows is None or row in rows:
                try:
                    results[row] = begun.call(partial(call, row))
                except Exception as error:
                    self._leave(row, error)
        return results

    def _leave(self, row: int, error: Exception | None) -> None:
        self._bring_model(row)
        begun = self._rows.pop(row)
        self._stack.models[row] = None
        self._end(begun, error)
