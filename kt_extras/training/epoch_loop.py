"""The course of a training by whole epochs: its data, and what its callbacks are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat
from kt_extras.training.dataset_data import dataset_data
from kt_extras.training.epoch_program import Data, Order, run_epoch
from kt_extras.training.fit_data import array_data

Logs = dict[str, Any]


@dataclass(frozen=True)
class TrainingData:
    """What a model is trained and validated on.

    Attributes:
        training: The data of the training, an `ArrayData` or a `DatasetData`.
        validation: Those of the validation, None if there is none.
    """

    training: Any
    validation: Any

    @classmethod
    def of(cls, model: keras.Model, given: Mapping[str, Any]) -> TrainingData:
        """Return the data among the arguments of `fit`.

        Args:
            model: The model that they are for.
            given: All arguments of `keras.Model.fit`.
        """
        arrays = given["x"], given["y"], given["sample_weight"]
        validation = given["validation_data"]
        if given["validation_split"] and validation is None:
            arrays, validation = compat.split_for_validation(arrays, given["validation_split"])
        size, steps = given["batch_size"], given["steps_per_epoch"]
        training = _data(model, arrays, size, steps, class_weight=given["class_weight"])
        if validation is None:
            return cls(training, None)
        size = given["validation_batch_size"] or size
        return cls(training, _data(model, validation, size, given["validation_steps"]))


class EpochLoop:
    """Takes a training from epoch to epoch, whoever makes the steps, and calls its callbacks.

    Args:
        model: The model.
        given: All arguments of `keras.Model.fit`.
        data: The data among them.

    Attributes:
        data: The data.
        validates: Whether the model is validated after the current epoch.

    >>> import inspect, numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> arguments = inspect.signature(model.fit).bind(np.ones((4, 2)), np.ones(4), epochs=2)
    >>> arguments.apply_defaults()
    >>> given = {**arguments.arguments, "verbose": 0}
    >>> EpochLoop(model, given, TrainingData.of(model, given)).run().epoch
    [0, 1]
    """

    def __init__(self, model: keras.Model, given: Mapping[str, Any], data: TrainingData) -> None:
        self._model, self._given, self.data = model, given, data
        shuffle, steps = bool(given["shuffle"]), given["steps_per_epoch"]
        self._order = data.training.orders(shuffle=shuffle, steps=steps)
        self._callbacks = self._callback_list()
        self._epoch = 0
        self._logs: Logs | None = None

    def run(self) -> keras.callbacks.History:
        """Train; return the history."""
        self.begin()
        while not self.is_over:
            order = self.begin_epoch()
            self.trained(self.run_steps(self.data.training, order, training=True))
            if self.validates and self.data.validation is not None:
                order = self.begin_validation()
                self.validated(self.run_steps(self.data.validation, order, training=False))
            self.end_epoch()
        return self.end()

    @property
    def has_trained(self) -> bool:
        """Whether an epoch is trained."""
        return self._logs is not None

    @property
    def is_over(self) -> bool:
        """Whether all epochs are trained, or a callback has ended the training."""
        # A callback that ends it before the first batch is asked after that.
        stopped = self.has_trained and self._model.stop_training
        return bool(self._epoch >= self._given["epochs"] or stopped)

    @property
    def validates(self) -> bool:
        """Whether the model is validated after the current epoch."""
        frequency, epoch = self._given["validation_freq"], self._epoch + 1
        due = epoch % frequency == 0 if isinstance(frequency, int) else epoch in frequency
        return self.data.validation is not None and due

    def begin(self) -> None:
        """Begin the training."""
        self._model.stop_training = False
        self._callbacks.on_train_begin()
        self._epoch = compat.first_epoch(self._model, self._given["initial_epoch"])

    def begin_epoch(self) -> Order:
        """Begin an epoch; return the order of its samples."""
        self._model.reset_metrics()
        self._callbacks.on_epoch_begin(self._epoch)
        return self._order.next()

    def run_steps(self, data: Data, order: Order, *, training: bool) -> Logs:
        """Make the steps of an epoch or of a validation with the model itself; return the logs."""
        if training and self._model.stop_training:
            order = data.first_batch(order)
        logs = run_epoch(self._model, data, order, training=training)
        return compat.epoch_logs(self._model, logs)

    def trained(self, logs: Logs) -> None:
        """Take the logs of the epoch."""
        self._logs = dict(logs)

    def begin_validation(self) -> Order:
        """Begin a validation, as `evaluate` does within `fit`; return the order of its samples."""
        compat.begin_test(self._model)
        self._callbacks.on_test_begin()
        self._model.reset_metrics()
        data = self.data.validation or self.data.training
        steps = self._given["validation_steps"]
        return data.orders(shuffle=False, steps=steps).next()

    def validated(self, logs: Logs) -> None:
        """Take the logs of the validation."""
        self._callbacks.on_test_end(logs)
        self._logs = {**(self._logs or {}), **{f"val_{name}": v for name, v in logs.items()}}

    def end_epoch(self) -> None:
        """End the epoch."""
        self._callbacks.on_epoch_end(self._epoch, self._logs)
        self._epoch += 1

    def end(self) -> keras.callbacks.History:
        """End the training; return its history."""
        optimizer = self._model.optimizer
        if isinstance(optimizer, keras.optimizers.Optimizer) and self._given["epochs"] > 0:
            optimizer.finalize_variable_values(self._model.trainable_weights)
        self._callbacks.on_train_end(self._logs)
        history: keras.callbacks.History = self._model.history
        return history

    def _callback_list(self) -> Any:
        given, verbose = self._given["callbacks"], self._given["verbose"]
        if isinstance(given, keras.callbacks.CallbackList):
            return given
        return keras.callbacks.CallbackList(
            given,
            add_history=True,
            add_progbar=verbose != 0,
            model=self._model,
            verbose=compat.verbosity(verbose),
            epochs=self._given["epochs"],
            steps=self._given["steps_per_epoch"] or self.data.training.batches,
        )


def _data(
    model: keras.Model, arrays: Any, batch_size: int | None, steps: int | None, **weights: Any
) -> Data:
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(arrays)
    if isinstance(x, tf.data.Dataset):
        return dataset_data(model, x, steps=steps, **weights)
    return array_data(
        model, x, y, sample_weight=sample_weight, batch_size=batch_size, steps=steps, **weights
    )
