"""An epoch of an unchanged Keras model as one TensorFlow program."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat
from kt_extras.training.dataset_data import DatasetData
from kt_extras.training.fit_data import ArrayData
from kt_extras.training.time_spent import section

Data = ArrayData | DatasetData
Order = Any  # rows of an `ArrayData`, or `Batches` of a `DatasetData`
Step = Callable[..., Any]

_ATTRIBUTE = "_kt_extras_epoch_programs"  # of a model
_SECONDS = 0.4  # that one call of a program takes at most, so that Ctrl-C is heard


def run_epoch(model: keras.Model, data: Data, order: Order, *, training: bool) -> Any:
    """Train or validate a model on the batches of an epoch, one after the other.

    Args:
        model: A compiled model.
        data: The arrays, or a `tf.data` set.
        order: What `data.orders` gives for the epoch: of arrays the rows, shape ``(n,)``.
        training: Whether to call `train_step`, else `test_step`.

    Returns:
        The logs of the last step.

    >>> import numpy as np
    >>> from kt_extras.training.fit_data import array_data
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> data = array_data(model, np.ones((5, 1)), np.ones((5, 1)), batch_size=2)
    >>> logs = run_epoch(model, data, np.arange(5), training=True)
    >>> "loss" in logs, int(model.optimizer.iterations)
    (True, 3)
    """
    return _program(model, data, training=training).run(data, order)


class _EpochProgram:
    """A traced loop over the batches of an epoch.

    It is called for a part of an epoch at a time, which is as long as allowed: the first call,
    which traces, is for one batch.
    """

    def __init__(self, model: keras.Model, data: Data, *, training: bool) -> None:
        self._part, self._calls = 1, 0  # batches in a call
        self._traced: Any = None
        if training:
            compat.create_metrics(model, _batch_spec(data))
        step = _step(model, training=training)
        if isinstance(data, DatasetData):
            self._function = tf.function(
                _loop(step, lambda _, iterator: next(iterator)), autograph=False
            )
        else:
            self._function = _array_function(step, data)

    def run(self, data: Data, order: Order) -> Any:
        """Run the steps of one epoch; return the logs of the last."""
        given: tuple[Any, ...]
        if isinstance(data, DatasetData):
            steps, given = order.steps, (order.iterator,)
        else:
            steps = math.ceil(len(order) / data.batch_size)
            given = (tf.constant(order, tf.int64), data.data)
        start, logs = 0, None
        while start < steps:
            stop = min(start + self._part, steps)
            begun = time.perf_counter()
            with section("training" if self._calls else "tracing"):
                ends = tf.constant(start, tf.int64), tf.constant(stop, tf.int64)
                if self._traced is None:  # apart, since TensorFlow warns where calls often trace
                    self._traced = self._function.get_concrete_function(*ends, *given)
                logs = self._traced(*ends, *given)
            self._set_part(stop - start, time.perf_counter() - begun)
            start = stop
        return logs

    def _set_part(self, steps: int, seconds: float) -> None:
        """Choose how many steps the next call makes, from what the last one took."""
        self._calls += 1
        if self._calls > 1:  # the first one has traced
            self._part = max(1, min(8 * steps, int(_SECONDS * steps / seconds)))


def _array_function(step: Step, data: ArrayData) -> Any:
    """Return a loop over batches of rows, which takes their order and all rows."""
    size, static_size = data.batch_size, _static_size(data)

    def batch(index: tf.Tensor, order: tf.Tensor, tensors: Any) -> Any:
        with tf.device("CPU:0"):  # where the data stay, as with `fit`
            rows = tf.ensure_shape(order[index * size : (index + 1) * size], [static_size])
            return tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), tensors)

    numbers = [tf.TensorSpec([], tf.int64)] * 2
    specs = tf.nest.map_structure(partial(_rows_spec, None), data.data)
    signature = [*numbers, tf.TensorSpec([None], tf.int64), specs]
    return tf.function(_loop(step, batch), input_signature=signature, autograph=False)


def _loop(step: Step, batch: Callable[..., Any]) -> Step:
    """Return a function that makes the steps from `start` to `stop`.

    Args:
        step: Makes a step with a batch.
        batch: Returns the batch of an index, from what the function gets besides.
    """

    def run(start: tf.Tensor, stop: tf.Tensor, *given: Any) -> Any:
        def make_step(index: tf.Tensor) -> list[tf.Tensor]:
            step(batch(index, *given))
            return [index + 1]

        last = tf.while_loop(lambda i: i < stop - 1, make_step, [start], parallel_iterations=1)
        return step(batch(last[0], *given))

    return run


def _step(model: keras.Model, *, training: bool) -> Any:
    """Return a traced step, as Keras makes it."""

    def step(data: Any) -> Any:
        logs = model.train_step(data) if training else model.test_step(data)
        compat.count_step(model, training=training)
        return logs

    if compat.KERAS_3:  # which leaves steps of the user's own unconverted, too
        step = tf.autograph.experimental.do_not_convert(step)
    return tf.function(step, reduce_retracing=True, jit_compile=model.jit_compile or None)


def _rows_spec(rows: int | None, tensor: tf.Tensor) -> tf.TensorSpec:
    return tf.TensorSpec([rows, *tensor.shape[1:]], tensor.dtype)


def _static_size(data: ArrayData) -> int | None:
    """Return the size of a batch if all have the same, as Keras gives it to a step."""
    return None if data.has_partial_batch else data.batch_size


def _batch_spec(data: Data) -> Any:
    if isinstance(data, DatasetData):
        return data.dataset.element_spec
    return tf.nest.map_structure(partial(_rows_spec, _static_size(data)), data.data)


def _program(model: keras.Model, data: Data, *, training: bool) -> _EpochProgram:
    """Return the program of a model for such data.

    It is kept for as long as Keras keeps the function that it has made for a step: `compile`, for
    one, drops that.
    """
    name = "train_function" if training else "test_function"
    if getattr(model, name) is None:
        made = model.make_train_function() if training else model.make_test_function()
        if made is not None:  # Keras 2 leaves the assignment to `fit`
            setattr(model, name, made)
    own: dict[str, Any] = vars(model).setdefault(_ATTRIBUTE, {})
    function, programs = own.get(name, (None, {}))
    if function is not getattr(model, name):
        programs = {}
        own[name] = (getattr(model, name), programs)
    key = _key(data)
    if key not in programs:
        programs[key] = _EpochProgram(model, data, training=training)
    program: _EpochProgram = programs[key]
    return program


def _key(data: Data) -> Hashable:
    """Return what differs between data that need programs of their own."""
    size = None if isinstance(data, DatasetData) else data.batch_size
    return size, repr(_batch_spec(data))
