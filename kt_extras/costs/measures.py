"""Measures what a model costs."""

from __future__ import annotations

import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat
from kt_extras.arguments import check_integer
from kt_extras.checkpoints.random_state import random_state_kept
from kt_extras.costs.operations import Operation, operation_flops

# The older format of Keras 2 holds weights alone, and the newer one the state of metrics, too.
_WEIGHTS = "model.weights.h5" if compat.KERAS_3 else "model.h5"
_WARM_UP = 3  # calls before those that are timed


def parameters(model: keras.Model) -> int:
    """Return how many numbers the weights of a model hold, trainable and not.

    Args:
        model: One that is built.

    Raises:
        ValueError: It is not built, so has no weights yet.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> parameters(model)
    15
    """
    _check_built(model)
    weights = {id(weight): weight for weight in model.weights}
    return sum(math.prod(weight.shape) for weight in weights.values())


def flops(model: keras.Model, batch_size: int = 1) -> int:
    """Return how many floating-point operations a prediction takes.

    A multiplication and an addition are two, as in TensorFlow's profiler; an elementwise function,
    such as an activation, is one for each element.  The model is called once on a batch of zeros,
    operation by operation, so loops and attention count as often as they run.  What a layer
    computes outside TensorFlow, as in `tf.numpy_function`, is not seen.

    Args:
        model: One that is built.
        batch_size: Rows of the batch; the result is of all of them.  Defaults to 1.

    Raises:
        ValueError: The model is not built, its inputs have no fixed shape, or it has an operation
            that cannot be counted.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> flops(model)  # 4 * 3 multiplications and additions, and 3 biases
    27
    """
    batch = _batch(model, batch_size)
    total = 0

    def see(*seen: Any) -> None:
        nonlocal total
        total += operation_flops(Operation(*seen))

    with _untouched(model), compat.operations_seen(see):
        _call(lambda inputs: model(inputs, training=False), batch)
    return total


def latency(model: keras.Model, batch_size: int = 1, repeats: int = 20) -> float:
    """Return how many seconds a prediction takes, on this machine as busy as it is.

    It is the median of calls of the compiled model on a batch of zeros, with `training=False`.
    Reading the data and what `predict` does around a batch are not part of it.

    Args:
        model: One that is built.
        batch_size: Rows of the batch.  Defaults to 1.
        repeats: How many calls are timed, at least 1.  Defaults to 20.

    Raises:
        ValueError: The model is not built, or its inputs have no fixed shape.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> latency(model) > 0
    True
    """
    check_integer("repeats", repeats, minimum=1)
    batch = _batch(model, batch_size)
    predict = tf.function(lambda inputs: model(inputs, training=False))
    with _untouched(model):
        _call(predict, batch)
        for _ in range(_WARM_UP - 1):
            _wait_for(predict(batch))
        return statistics.median(_seconds(predict, batch) for _ in range(repeats))


def model_size(model: keras.Model) -> int:
    """Return the size of the model's weights on disk, in bytes.

    It is that of the HDF5 file that `model.save_weights` writes, without the optimizer's state, so
    that it is the same before and after the training.

    Args:
        model: One that is built.

    Raises:
        ValueError: It is not built.

    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> model_size(model) > 4 * parameters(model)
    True
    """
    _check_built(model)
    optimizer = getattr(model, "optimizer", None)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, _WEIGHTS)
        try:
            model.optimizer = None  # whose state would be saved, too
            model.save_weights(path)
        finally:
            model.optimizer = optimizer
        return os.path.getsize(path)


# Calling a model.


def _check_built(model: keras.Model) -> None:
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a Keras model, got {model!r}.")
    layers = compat.direct_layers(model)
    if not model.built and not (layers and all(layer.built for layer in layers)):
        raise ValueError(
            f"`model` {model.name!r} must be built, so that its weights have shapes; begin it with "
            "a `keras.Input`, or call it once on a batch, such as `model(x[:1])`."
        )


def _batch(model: keras.Model, batch_size: int) -> Any:
    """Return a batch of zeros, and of empty texts, for a model."""
    check_integer("batch_size", batch_size, minimum=1)
    _check_built(model)
    specs = compat.input_specs(model)
    if specs is None:
        raise ValueError(
            f"The shapes of the inputs of `model` {model.name!r} must be known, but it has several "
            "arguments or was never called; call it once on a batch, with one tensor, or one list "
            "or dictionary of tensors."
        )
    return tf.nest.map_structure(lambda spec: _zeros(spec, batch_size), specs)


def _zeros(spec: tf.TensorSpec, batch_size: int) -> tf.Tensor:
    shape = tuple(spec.shape)[1:]
    if None in shape:
        raise ValueError(
            f"The inputs of `model` must have a fixed shape, got {(None, *shape)}; give its "
            "`keras.Input` the sizes that are typical."
        )
    return tf.zeros((batch_size, *shape), spec.dtype)


def _call(function: Callable[[Any], Any], batch: Any) -> None:
    """Call a model, or what was compiled of it, for the first time.

    Raises:
        ValueError: The batch does not suit it.
    """
    try:
        _wait_for(function(batch))
    except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(
            f"`model` cannot be measured: {error}\nIt was called on a batch of zeros.  Of a "
            "subclassed model the types of the inputs are not known; begin it with a `keras.Input` "
            "of the right `dtype`."
        ) from error


def _seconds(predict: Callable[[Any], Any], batch: Any) -> float:
    began = time.perf_counter()
    _wait_for(predict(batch))
    return time.perf_counter() - began


def _wait_for(outputs: Any) -> None:
    """Wait until a device has computed what a call has returned."""
    for output in tf.nest.flatten(outputs):
        if isinstance(output, tf.Tensor):
            output.numpy()


@contextmanager
def _untouched(model: keras.Model) -> Iterator[None]:
    """Restore at the end of a block what a prediction may change, and all random generators."""
    trained = {id(variable) for variable in model.trainable_variables}
    others = [one for one in compat.state_variables(model) if id(one) not in trained]
    before = [(variable, variable.numpy()) for variable in others]
    with random_state_kept():
        try:
            yield
        finally:
            for variable, value in before:
                variable.assign(value)
