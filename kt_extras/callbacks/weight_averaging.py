"""Stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from kt_extras import compat
from kt_extras.arguments import check_integer, is_integer
from kt_extras.callbacks.batch_statistics import (
    BatchStatistics,
    check_end,
    normalisations,
    statistics,
)
from kt_extras.callbacks.copied_callback import CopiedCallback
from kt_extras.schedules.arguments import check_steps


class StochasticWeightAveraging(CopiedCallback):
    """Averages the weights that the model has at the end of epochs (algorithm 1).

    The average takes the place of the weights when the training ends.  The learning rate should
    stay high, or be cyclical, while it is taken; see `kte.schedules.Chain`.

    With `validate=True` the averaged weights are in the model whenever an epoch ends, from `start`
    on: validation, the callbacks behind this one and a search all see the averaged model, and
    the training goes on with its own weights in the next epoch.  So a search needs this.

    Args:
        start: The first epoch to be averaged, counted from 0; or, if it is a float below 1, a
            fraction of the epochs to pass before. Defaults to `0.75`.
        every: Of how many epochs one is averaged; with a cyclical rate, the length of a cycle.
            Defaults to `1`.
        data: Inputs with which the statistics of batch normalisation are computed again, as
            `kte.callbacks.update_batch_statistics` takes them; needed if the model has such layers.
            Defaults to `None`.
        batch_size: Rows in a batch of `data`, if it is arrays. Defaults to `32`.
        steps: How many batches of `data` are used at most; needed for data without an end.
            Defaults to `None`.
        validate: Whether the epochs end with the averaged weights; costs a pass over `data` each.
            Defaults to `False`.

    Attributes:
        count: How many epochs are in the average.

    Raises:
        ValueError: An argument out of its range; when the training begins, `data` is missing.

    >>> import keras
    >>> model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> averaging = StochasticWeightAveraging(start=2)
    >>> x = np.ones((4, 1))
    >>> _ = model.fit(x, x, epochs=5, verbose=0, callbacks=[averaging])
    >>> averaging.count
    3
    """

    def __init__(
        self,
        start: float = 0.75,
        every: int = 1,
        *,
        data: Any = None,
        batch_size: int = 32,
        steps: int | None = None,
        validate: bool = False,
    ) -> None:
        super().__init__()
        self.start = _check_start(start)
        check_integer("every", every, minimum=1)
        check_integer("batch_size", batch_size, minimum=1)
        self.every = every
        self.data = data
        self.batch_size = batch_size
        self.steps = None if steps is None else check_steps("steps", steps)
        if data is not None:
            check_end(data, self.steps)
        self.validate = validate
        self.count = 0
        self._mean: list[Any] = []
        self._trained: list[Any] | None = None  # kept while the average is in the model
        self._epoch: int | None = None  # the one that runs
        self._averaged = False  # whether that is in the average already
        self._statistics: BatchStatistics | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin a new average."""
        self._reset()
        if self.data is None and (layers := normalisations(self.model)):
            raise ValueError(
                "`data` must be given, for the model has batch normalisation "
                f"({layers[0].name!r}), whose statistics the average needs; the training's inputs "
                "do: `StochasticWeightAveraging(data=x)`."
            )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Go on with the weights of the training."""
        self._epoch, self._averaged = epoch, False
        if self._trained is not None:
            self._assign(self._trained)
            self._trained = None

    def on_test_begin(self, logs: Any = None) -> None:
        """Show the average to the validation of an epoch."""
        if self.validate and self._epoch is not None:
            self._average()
            self._show()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Take the weights into the average."""
        if self._epoch is None:  # a loop of the user's own need not call `on_epoch_begin`
            self._epoch, self._averaged = epoch, False
            self._check_loop()
        self._average()
        if self.validate:
            self._show()
        self._epoch = None

    def on_train_end(self, logs: Any = None) -> None:
        """Leave the average in the model."""
        if not self.count:
            warnings.warn(
                f"No epoch was averaged: the average begins with epoch {self._first}, counted from "
                "0, and the training ended before.  Give a smaller `start`, or more epochs.",
                stacklevel=2,
            )
        self._show()
        self._statistics = None  # which knows the model

    def get_state(self) -> dict[str, Any]:
        """Return the average so far, and the weights of the training if it is in their place."""
        return {"count": self.count, "mean": self._mean, "trained": self._trained or []}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.count = int(state["count"])
        self._mean = [np.array(value) for value in state["mean"]]
        self._trained = [np.array(value) for value in state["trained"]] or None

    def _reset(self) -> None:
        self.count, self._mean, self._trained = 0, [], None
        self._epoch, self._averaged, self._statistics = None, False, None

    def _check_loop(self) -> None:
        """Raise if the training would go on with the average in place of its own weights."""
        if self.validate:
            raise ValueError(
                "`validate=True` needs `callback.on_epoch_begin(epoch)`, in which the training "
                "gets its own weights back, and this training has not called it.  Call it before "
                "each epoch, or leave `validate` off."
            )

    def _average(self) -> None:
        """Take the weights of the epoch that runs into the average, once."""
        epoch, first = self._epoch, self._first
        if epoch is None or self._averaged or epoch < first or (epoch - first) % self.every:
            return
        self._averaged = True
        weights = [_wide(variable) for variable in self.model.trainable_variables]
        self.count += 1
        if not self._mean:
            self._mean = weights
            return
        for mean, weight in zip(self._mean, weights, strict=True):
            mean += (weight - mean) / self.count

    def _show(self) -> None:
        """Put the average into the model, if there is one."""
        if not self.count or self._trained is not None:
            return
        self._trained = [np.array(variable.numpy()) for variable in self._variables]
        self._assign(self._mean)
        if self.data is not None:
            if self._statistics is None:
                self._statistics = BatchStatistics(self.model)
            self._statistics.update(self.data, batch_size=self.batch_size, steps=self.steps)

    @property
    def _first(self) -> int:
        """The first epoch that is averaged."""
        if is_integer(self.start):
            return int(self.start)
        epochs = compat.epochs_given(self)
        if epochs is None:
            raise ValueError(
                f"`start` {self.start!r} is a fraction of the epochs, and this training has not "
                "said how many there are: give the first epoch itself, such as `start=10`, or call "
                '`callback.set_params({"epochs": epochs})` before the first epoch.'
            )
        return int(self.start * epochs)

    @property
    def _variables(self) -> list[Any]:
        """The variables that differ between the training and the average."""
        return [*self.model.trainable_variables, *statistics(self.model)]

    def _assign(self, values: list[Any]) -> None:
        for variable, value in zip(self._variables, values, strict=False):
            variable.assign(tf.cast(value, variable.dtype))


def _check_start(start: Any) -> int | float:
    if isinstance(start, float) and 0 <= start < 1:
        return start
    if is_integer(start) and start >= 0:
        return start
    raise ValueError(
        "`start` must be an epoch from 0, or a fraction of all epochs as a float below 1, got "
        f"{start!r}; 0.75 begins after three quarters."
    )


def _wide(variable: Any) -> Any:
    """Return a copy of a variable's value, precise enough for a mean."""
    value = np.asarray(variable.numpy())  # a scalar has no place to add to
    return np.array(value, np.promote_types(np.float32, value.dtype))
