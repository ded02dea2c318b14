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
from kt_extras.arrays import IntArray
from kt_extras.training.fit_data import ArrayData

_ATTRIBUTE = "_kt_extras_epoch_programs"  # of a model
_SECONDS = 0.4  # that one call of a program takes at most, so that Ctrl-C is heard


def run_epoch(model: keras.Model, data: ArrayData, order: IntArray, *, training: bool) -> Any:
    """Train or validate a model on rows of arrays, a batch after the other.

    Args:
        model: A compiled model.
        data: The arrays.
        order: The rows in their order, shape ``(n,)``.
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
    return _program(model, data, training=training).run(data.data, order)


class _EpochProgram:
    """A traced loop over the batches of an epoch.

    It is called for a part of an epoch at a time, which is as long as allowed: the first call,
    which traces, is for one batch.
    """

    def __init__(self, model: keras.Model, data: ArrayData, *, training: bool) -> None:
        self._batch_size = data.batch_size
        self._part, self._calls = 1, 0  # batches in a call
        size = None if data.has_partial_batch else data.batch_size
        specs = tf.nest.map_structure(partial(_rows_spec, None), data.data)
        if training:
            compat.create_metrics(
                model, tf.nest.map_structure(partial(_rows_spec, size), data.data)
            )
        numbers = [tf.TensorSpec([], tf.int64)] * 2
        self._function = tf.function(
            _loop(_step(model, training=training), data.batch_size, size),
            input_signature=[*numbers, tf.TensorSpec([None], tf.int64), specs],
            autograph=False,
        )

    def run(self, data: Any, order: IntArray) -> Any:
        """Run the steps of one epoch; return the logs of the last."""
        rows = tf.constant(order, tf.int64)
        start, steps, logs = 0, math.ceil(len(order) / self._batch_size), None
        while start < steps:
            stop = min(start + self._part, steps)
            begun = time.perf_counter()
            logs = self._function(
                tf.constant(start, tf.int64), tf.constant(stop, tf.int64), rows, data
            )
            self._set_part(stop - start, time.perf_counter() - begun)
            start = stop
        return logs

    def _set_part(self, steps: int, seconds: float) -> None:
        """Choose how many steps the next call makes, from what the last one took."""
        self._calls += 1
        if self._calls > 1:  # the first one has traced
            self._part = max(1, min(8 * steps, int(_SECONDS * steps / seconds)))


def _loop(step: Callable[[Any], Any], batch_size: int, static_size: int | None) -> Any:
    """Return a function that makes the steps from `start` to `stop`."""

    def run(start: tf.Tensor, stop: tf.Tensor, order: tf.Tensor, data: Any) -> Any:
        def batch(index: tf.Tensor) -> Any:
            with tf.device("CPU:0"):  # where the data stay, as with `fit`
                rows = order[index * batch_size : (index + 1) * batch_size]
                rows = tf.ensure_shape(rows, [static_size])
                return tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), data)

        def make_step(index: tf.Tensor) -> list[tf.Tensor]:
            step(batch(index))
            return [index + 1]

        last = tf.while_loop(lambda i: i < stop - 1, make_step, [start], parallel_iterations=1)
        return step(batch(last[0]))

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


def _program(model: keras.Model, data: ArrayData, *, training: bool) -> _EpochProgram:
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


def _key(data: ArrayData) -> Hashable:
    """Return what differs between data that need programs of their own."""
    specs = tf.nest.map_structure(partial(_rows_spec, None), data.data)
    return data.batch_size, data.has_partial_batch, repr(specs)
