"""Trials of one architecture that are trained together, an epoch at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack
from functools import partial
from typing import Any

import tensorflow as tf

from kt_extras.arrays import IntArray
from kt_extras.stacking import ModelStack, NotStackable
from kt_extras.training.epoch_loop import EpochLoop, Logs, TrainingData
from kt_extras.training.fit_data import ArrayData
from kt_extras.training.time_spent import section
from kt_extras.tuners.stacked_trial import StackedTrial

_OUT_OF_MEMORY = (MemoryError, tf.errors.ResourceExhaustedError)

End = Callable[[StackedTrial, "Exception | None"], None]


class StackedGroup:
    """Trains the trials in the rows of a stack.

    A trial that fails leaves the others as they are.  If the stack cannot go on, its trials do, one
    after the other; so does a trial whose callbacks have changed what its training traces alone, or
    have ended it before the first batch.

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
        self._alone: set[int] = set()  # rows whose models are trained themselves
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
            if begun.is_traced_anew:
                raise NotStackable("a callback has changed what its training traces")
            self._stack.replace(row, begun.model)
        except NotStackable:
            self._rows[row] = begun
            self._alone.add(row)
            self._stack.models[row] = None
        except Exception as error:
            self._end(begun, error)
        else:
            self._rows[row] = begun

    def train_epoch(self) -> None:
        """Train and validate each trial for an epoch, and end those that are over."""
        orders = self._each(lambda _, loop: loop.begin_epoch())
        for row, begun in self._rows.items():
            if begun.changes_model and row not in self._alone:
                self._take_changes(row, begun)
        logs = self._run(self._data.training, orders, training=True)
        self._each(lambda row, loop: loop.trained(logs[row]))
        validated = self._validate()
        for row, begun in self._rows.items():
            if begun.changes_model:
                self._stack_to_model(row)
        self._each(lambda row, loop: loop.validated(validated[row]), validated.keys())
        self._each(lambda _, loop: loop.end_epoch())
        over = self._each(lambda _, loop: loop.is_over)
        with ExitStack() as ends:  # if the user has interrupted one, others may have ended
            for row in reversed([row for row, is_over in over.items() if is_over]):
                ends.callback(self._leave, row, None)

    def _validate(self) -> dict[int, Logs]:
        """Return the logs of the rows that are validated after this epoch."""
        due = self._each(lambda _, loop: loop.validates)
        rows = [row for row, is_due in due.items() if is_due]
        if self._data.validation is None or not rows:
            return {}
        orders = self._each(self._begin_validation, rows)
        logs = self._run(self._data.validation, orders, training=False)
        return {row: logs[row] for row in orders if row in logs}

    def _begin_validation(self, row: int, loop: EpochLoop) -> Any:
        """Return the order of the samples; the model is validated as callbacks leave it."""
        begun = self._rows[row]
        if begun.changes_at_test:
            self._stack_to_model(row)
        order = loop.begin_validation()
        if begun.changes_at_test and row not in self._alone:
            self._take_changes(row, begun)
        return order

    def _run(self, data: ArrayData, orders: dict[int, IntArray], *, training: bool) -> Any:
        """Return the logs of rows by number: of an epoch of training, or of a validation."""
        logs: dict[int, Any] = {}
        if orders.keys() - self._alone:
            try:
                with section("training"):
                    logs = dict(enumerate(self._run_stack(data, orders, training=training)))
            except NotStackable as error:
                self._dissolve(error.reason)
            except _OUT_OF_MEMORY:
                self.out_of_memory = True
                self._dissolve("the memory is used up")
            except Exception as error:  # of one of them, which fails alone then
                self._dissolve(f"a step raised {type(error).__name__}")

        def run(row: int, loop: EpochLoop) -> Logs:
            return loop.run_steps(data, orders[row], training=training)

        return {**logs, **self._each(run, orders.keys() & self._alone)}

    def _run_stack(self, data: ArrayData, orders: dict[int, IntArray], *, training: bool) -> Any:
        if not training:
            return self._stack.evaluate(data)
        rows = range(len(self._stack.models))
        return self._stack.train_epoch([orders.get(row) for row in rows])

    def _dissolve(self, reason: str) -> None:
        """Let all trials go on one after the other."""
        for row, begun in self._rows.items():
            self._stack_to_model(row)
            if row not in self._alone and begun.model is not None:
                begun.model.reset_metrics()  # those of the stack are of the epoch before
        self.refusal = reason
        self._alone.update(self._rows)

    def _take_changes(self, row: int, begun: StackedTrial) -> None:
        """Take what callbacks have changed; a model that is another one now goes on alone."""
        try:
            if not (begun.is_traced_anew or begun.has_stopped):
                self._stack.replace(row, begun.model)
                return
        except (NotStackable, ValueError):  # it has other variables
            pass
        self._alone.add(row)
        self._stack.models[row] = None

    def _bring_model(self, row: int) -> None:
        """Put the state of a row into its model, unless callbacks have it and may change it."""
        if not self._rows[row].changes_model:
            self._stack_to_model(row)

    def _stack_to_model(self, row: int) -> None:
        if row not in self._alone:
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
        self._alone.discard(row)
        self._stack.models[row] = None
        self._end(begun, error)
