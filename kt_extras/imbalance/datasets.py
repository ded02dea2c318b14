"""Class counts and weights for `tf.data` sets, in which Keras' `class_weight` is of little use.

It is refused beside sample weights, and wrong for multi-label data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from kt_extras.arrays import FloatArray
from kt_extras.imbalance.weights import checked_weights


def label_batches(dataset: tf.data.Dataset) -> Iterator[NDArray[Any]]:
    """Yield the labels of each batch.

    Args:
        dataset: Finite and batched, of ``(x, y)`` or ``(x, y, weights)``.

    Raises:
        ValueError: A data set without an end, without batches, or whose labels are not one tensor.

    >>> data = tf.data.Dataset.from_tensor_slices((tf.zeros([3, 2]), [0, 1, 1])).batch(2)
    >>> [labels.tolist() for labels in label_batches(data)]
    [[0, 1], [1]]
    """
    _check_elements(dataset)
    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "`dataset` must have an end, so that its labels can be counted; count them before "
            "`repeat()`."
        )
    # Which leaves the inputs out, so that they need not be copied.
    with_lengths = dataset.map(lambda x, y, *_: (_length(x, y), y))
    for length, labels in with_lengths.as_numpy_iterator():
        if len(labels) != length:
            raise ValueError(
                f"`dataset` must give batches, but an element has {length} rows of `x` and "
                f"{len(labels)} of `y`; call `batch()` first."
            )
        yield labels


def with_weights(dataset: tf.data.Dataset, weights: ArrayLike) -> tf.data.Dataset:
    """Return the data set with a weight for each row, made from its labels.

    Args:
        dataset: Batched, of ``(x, y)`` or ``(x, y, weights)``; in the latter case the weights are
            multiplied.  One-hot and multi-label `y` may be smoothed or mixed: a row's weight is
            then mixed in the same way.
        weights: Shape ``(c,)``, or ``(c, 2)`` for multi-label data, from `class_weights`.  A row of
            multi-label data weighs the mean of what its labels weigh, as in `sample_weights`.

    Returns:
        A data set of ``(x, y, weights)``, for Keras' `fit` without `class_weight`.

    Raises:
        ValueError: Labels and weights that do not belong together.

    >>> data = tf.data.Dataset.from_tensor_slices((tf.zeros([3, 2]), [0, 1, 1])).batch(3)
    >>> next(iter(with_weights(data, [0.5, 2.0])))[2].numpy().tolist()
    [0.5, 2.0, 2.0]
    """
    w = checked_weights(weights)
    _check_elements(dataset)
    _check_labels(dataset.element_spec[1].shape, w)

    def add(x: Any, y: tf.Tensor, given: tf.Tensor | None = None) -> tuple[Any, ...]:
        row = _row_weights(y, w)
        if given is None:
            return x, y, row
        given = tf.cast(given, tf.float32)
        return x, y, tf.reshape(given, tf.shape(row)) * row

    return dataset.map(add)


def _check_elements(dataset: tf.data.Dataset) -> None:
    """Refuse a data set whose elements are not batches of ``(x, y)`` or ``(x, y, weights)``."""
    spec = getattr(dataset, "element_spec", None)
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise ValueError(
            f"`dataset` must be a `tf.data.Dataset` of (x, y) or (x, y, weights), got {spec!r}."
        )
    if not isinstance(spec[1], tf.TensorSpec):
        raise ValueError(
            f"`dataset` must have one tensor of labels, got {spec[1]!r}; for one of several "
            "outputs, map it to (x, y['name']) first."
        )
    if spec[1].shape.rank not in (1, 2):
        raise ValueError(
            "`dataset` must give batches with labels of shape (n,), (n, 1) or (n, c), got "
            f"{spec[1].shape}; call `batch()` first."
        )


def _check_labels(shape: tf.TensorShape, weights: FloatArray) -> None:
    """Refuse labels that have another number of classes than the weights."""
    columns = shape[1] if shape.rank == 2 else None
    if weights.ndim == 1 and (shape.rank == 1 or columns == 1):
        return
    if columns != len(weights):
        raise ValueError(
            f"`weights` has shape {weights.shape} and needs labels with {len(weights)} columns"
            f"{', or integer ones' if weights.ndim == 1 else ''}; those of `dataset` have "
            f"shape {shape}."
        )


def _length(x: Any, y: tf.Tensor) -> tf.Tensor:
    """Return the number of rows of the first dense input, or of the labels if there is none."""
    dense = [leaf for leaf in tf.nest.flatten(x) if isinstance(leaf, tf.Tensor) and leaf.shape.rank]
    return tf.shape(dense[0] if dense else y, out_type=tf.int64)[0]


def _row_weights(y: tf.Tensor, weights: FloatArray) -> tf.Tensor:
    """Return the weight of each row, shape ``(n,)``."""
    w = tf.constant(weights, tf.float32)
    if weights.ndim == 2:
        share = tf.cast(y, tf.float32)
        return tf.reduce_mean(share * w[:, 1] + (1.0 - share) * w[:, 0], axis=-1)
    if y.shape.rank == 2 and y.shape[1] != 1:
        return tf.linalg.matvec(tf.cast(y, tf.float32), w)
    labels = tf.cast(tf.reshape(y, [-1]), tf.int64)
    rule = f"`dataset` must hold classes from 0 to {len(weights) - 1}, as `weights` has them; got"
    inside = tf.reduce_all((labels >= 0) & (labels < len(weights)))
    with tf.control_dependencies([tf.debugging.Assert(inside, [rule, labels])]):
        return tf.gather(w, labels)
