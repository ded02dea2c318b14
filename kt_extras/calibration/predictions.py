"""Compute a model's outputs for labelled rows, in arrays or in a data set."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Predictions = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]


class ForwardPass:
    """Computes a model's outputs for a batch in inference mode.

    It is traced at the first batch, and again for batches that differ in more than their rows; a
    model with `run_eagerly` is not.  Repeated passes over a few thousand rows cost milliseconds,
    where `Model.predict` spends more than that on its beginning and end.

    Args:
        model: A Keras model with one output.

    >>> double = keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(2.0)])
    >>> ForwardPass(double)(np.ones((3, 1), "float32")).tolist()
    [[2.0], [2.0], [2.0]]
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._traced: Any = None
        self._rows: Any = None  # of which shapes and types

    def __call__(self, x: Any) -> NDArray[Any]:
        """Return the outputs, shape ``(n, ...)``; one column for a model with shape ``(n,)``.

        Raises:
            ValueError: The model has several outputs.
        """
        tensors = tf.nest.map_structure(tf.convert_to_tensor, x)
        eagerly = getattr(self._model, "run_eagerly", False)
        outputs = self._call(tensors) if eagerly else self._traced_for(tensors)(tensors)
        if isinstance(outputs, (dict, list, tuple)):
            raise ValueError(
                f"`model` must have one output, got {len(outputs)}; make a `keras.Model` of the "
                "one that you mean."
            )
        found = np.asarray(outputs)
        return found[:, np.newaxis] if found.ndim == 1 else found

    def _traced_for(self, tensors: Any) -> Any:
        """Return the traced model, traced anew if it does not take tensors of these shapes."""
        rows = tf.nest.map_structure(
            lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), tensors
        )
        if self._traced is not None:
            pairs = zip(tf.nest.flatten(self._rows), tf.nest.flatten(rows), strict=True)
            if all(known.is_compatible_with(spec) for known, spec in pairs):
                return self._traced
            rows = tf.nest.map_structure(_covering, self._rows, rows)
        self._rows = rows
        # Not by a first call: TensorFlow warns of functions that are traced for many models.
        self._traced = tf.function(self._call).get_concrete_function(rows)
        return self._traced

    def _call(self, x: Any) -> Any:
        return self._model(x, training=False)


def _covering(one: tf.TensorSpec, other: tf.TensorSpec) -> tf.TensorSpec:
    """Return a specification that tensors of both meet."""
    shape = one.shape.most_specific_common_supertype([other.shape])
    return tf.TensorSpec(shape, other.dtype)


def predictions(forward: ForwardPass, data: Any, *, batch_size: int = 256) -> Predictions:
    """Return labels, outputs and sample weights (None if the data have none).

    A data set is gone through once, so it may be shuffled again each time.

    Args:
        forward: The model.
        data: ``(x, y)`` or ``(x, y, sample_weight)`` arrays; or a `tf.data.Dataset`, or a
            `keras.utils.PyDataset` or `Sequence`, of batches of these.
        batch_size: Rows predicted at a time, of arrays. Defaults to `256`.

    Raises:
        ValueError: There are no rows or no labels, arrays differ in length, or a data set has no
            end.

    >>> forward = ForwardPass(keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(2.0)]))
    >>> y, outputs, weights = predictions(forward, (np.ones((3, 1)), np.arange(3)), batch_size=2)
    >>> y.tolist(), outputs.ravel().tolist(), weights
    ([0, 1, 2], [2.0, 2.0, 2.0], None)
    """
    if isinstance(data, (tuple, list)):
        x, y, weights = (*data, None)[:3]
        y = np.asarray(y)
        _check_lengths(x, y, weights)
        starts = range(0, len(y), batch_size)
        parts = [_rows(x, slice(start, start + batch_size)) for start in starts]
        return y, _joined([forward(part) for part in parts]), _array(weights)
    labels, outputs, weights = [], [], []
    for batch in _batches(data):
        x, y, w = keras.utils.unpack_x_y_sample_weight(batch)
        if y is None:
            raise ValueError("The data set must hold batches `(x, y)`, got batches without labels.")
        labels.append(np.asarray(y))
        outputs.append(forward(x))
        weights.append(_array(w))
    weighted = None if not weights or weights[0] is None else np.concatenate(weights)
    return _joined(labels), _joined(outputs), weighted


def check_data(name: str, data: Any) -> None:
    """Raise for what `predictions` could not read.

    >>> check_data("validation_data", None)
    Traceback (most recent call last):
    ...
    TypeError: `validation_data` must be ... got None; ...
    """
    arrays = isinstance(data, (tuple, list)) and len(data) in {2, 3}
    batches = not isinstance(data, (tuple, list, dict, str)) and not hasattr(data, "shape")
    batches = batches and (hasattr(data, "__getitem__") or hasattr(data, "__iter__"))
    if not (arrays or batches):
        got = (
            repr(data)
            if data is None or isinstance(data, (str, int, float))
            else type(data).__name__
        )
        raise TypeError(
            f"`{name}` must be `(x, y)`, `(x, y, sample_weight)` or a data set of batches of "
            f"these, got {got}; Keras does not pass callbacks the `validation_data` of `fit`, so "
            "pass the same here."
        )
    if batches:
        _check_end(data)


def _check_end(data: Any) -> None:
    if isinstance(data, tf.data.Dataset) and data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "The data set must have an end, got one that repeats for ever; leave out `repeat()`, "
            "or say how many batches to `take(...)`."
        )


def _check_lengths(x: Any, y: Any, weights: Any) -> None:
    parts = [*tf.nest.flatten(x), y, *([] if weights is None else [weights])]
    lengths = [len(part) for part in parts]
    if len(set(lengths)) > 1:
        raise ValueError(
            "Inputs, labels and sample weights must have the same number of rows, got "
            f"{', '.join(map(str, lengths))}."
        )


def _batches(data: Any) -> Any:
    """Yield the batches; a `PyDataset` is indexed, since iterating over one may never end."""
    _check_end(data)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return (data[index] for index in range(len(data)))
    return iter(data)


def _rows(x: Any, rows: slice) -> Any:
    return tf.nest.map_structure(lambda array: array[rows], x)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    if not parts:
        raise ValueError("The data must hold at least one row, got none.")
    return np.concatenate(parts)


def _array(weights: Any) -> NDArray[Any] | None:
    return None if weights is None else np.asarray(weights)
