"""The statistics of batch normalisation, computed again for weights that were not trained with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras.compat import PyDataset, all_layers


def update_batch_statistics(
    model: keras.Model, data: Any, *, batch_size: int = 32, steps: int | None = None
) -> None:
    """Set the means and variances of batch normalisation to the averages over batches of data.

    Needed after weights were averaged, since the old statistics are those of other activations
    (Izmailov et al. 2018, arXiv 1803.05407, sec. 3.2).  Layers that are not trainable keep theirs.

    Args:
        model: Runs as in training, so with dropout if it has any.
        data: The inputs, arrays of shape ``(rows, ...)`` or a nest of them; or a `tf.data.Dataset`
            or `keras.utils.PyDataset` of batches, whose targets are left alone.
        batch_size: Rows in a batch of arrays; best that of the training. Defaults to `32`.
        steps: How many batches are used at most; needed for data without an end. Defaults to
            `None`.

    Raises:
        ValueError: There is not one batch in `data`, or no end of them and no `steps`.

    >>> norm = keras.layers.BatchNormalization()
    >>> model = keras.Sequential([keras.layers.Input((1,)), norm])
    >>> update_batch_statistics(model, np.array([[1.0], [3.0]]))
    >>> norm.moving_mean.numpy().tolist(), norm.moving_variance.numpy().tolist()
    ([2.0], [1.0])
    """
    BatchStatistics(model).update(data, batch_size=batch_size, steps=steps)


class BatchStatistics:
    """The same for one model again and again, traced only once.

    Args:
        model: As in `update_batch_statistics`.
    """

    def __init__(self, model: keras.Model) -> None:
        self._layers = normalisations(model)
        self._variables = statistics(model)
        self._run: Any = partial(model, training=True)
        if not getattr(model, "run_eagerly", False):
            self._run = tf.function(self._run, reduce_retracing=True)

    def update(self, data: Any, *, batch_size: int = 32, steps: int | None = None) -> None:
        """Compute the statistics again; the arguments are those of `update_batch_statistics`."""
        check_end(data, steps)
        if not self._variables:
            return
        total, rows = [np.zeros(variable.shape) for variable in self._variables], 0
        with _forgetful(self._layers):
            for batch in islice(_batches(data, batch_size), steps):
                self._run(batch)
                size = len(tf.nest.flatten(batch)[0])
                rows += size
                for mean, variable in zip(total, self._variables, strict=True):
                    mean += (size / rows) * (variable.numpy() - mean)
        if not rows:
            raise ValueError("`data` must hold at least one batch, got none.")
        for mean, variable in zip(total, self._variables, strict=True):
            variable.assign(tf.cast(mean, variable.dtype))


def check_end(data: Any, steps: int | None) -> None:
    """Raise if the data are infinite and `steps` is not given."""
    batched = isinstance(data, (PyDataset, tf.data.Dataset))
    if batched and steps is None and _length(data) is None:
        raise ValueError(
            f"`steps` must be given for `data` without an end, got {steps!r}; say how many batches "
            "are used, or give a data set that does not repeat."
        )


def normalisations(model: keras.Model) -> list[Any]:
    """Return the trainable layers that keep running statistics of batches."""
    return [
        layer
        for layer in all_layers(model, include_model=False)
        if hasattr(layer, "moving_mean_initializer") and hasattr(layer, "momentum")
        if layer.trainable
    ]


def statistics(model: keras.Model) -> list[Any]:
    """Return the variables of those statistics."""
    layers = normalisations(model)
    return [variable for x in layers for variable in (x.moving_mean, x.moving_variance)]


@contextmanager
def _forgetful(layers: list[Any]) -> Iterator[None]:
    """Let the running statistics be those of the last batch alone."""
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum


def _batches(data: Any, batch_size: int) -> Iterator[Any]:
    """Return the inputs of each batch."""
    batches = data
    if isinstance(data, PyDataset):
        length = _length(data)
        numbers = count() if length is None else range(length)
        batches = (data[number] for number in numbers)
    elif not isinstance(data, tf.data.Dataset):
        rows = len(tf.nest.flatten(data)[0])
        for begin in range(0, rows, batch_size):
            end = begin + batch_size
            yield tf.nest.map_structure(
                lambda x, b=begin, e=end: tf.convert_to_tensor(x[b:e]), data
            )
        return
    for batch in batches:
        yield keras.utils.unpack_x_y_sample_weight(batch)[0]


def _length(data: Any) -> int | None:
    """Return how many batches there are, below 0 if unknown, None if without end."""
    if isinstance(data, tf.data.Dataset):
        length = int(data.cardinality())
        return None if length == tf.data.INFINITE_CARDINALITY else length
    if hasattr(data, "num_batches"):  # PyDataset on Keras 3
        length = data.num_batches
        return None if length is None else int(length)
    return len(data)
