"""The labels of a `tf.data` set, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from numpy.typing import NDArray


def label_batches(dataset: tf.data.Dataset) -> Iterator[NDArray[Any]]:
    """Yield the labels of each batch.

    Args:
        dataset: Finite and batched, of ``(x, y)`` or ``(x, y, weights)``.

    Raises:
        ValueError: A data set that is infinite or not batched, or labels in several tensors.

    >>> data = tf.data.Dataset.from_tensor_slices((tf.zeros([3, 2]), [0, 1, 1])).batch(2)
    >>> [labels.tolist() for labels in label_batches(data)]
    [[0, 1], [1]]
    """
    check_elements(dataset)
    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "`dataset` must have an end, so that its labels can be counted; count them before "
            "`repeat()`."
        )
    # The inputs are left out, so that they are not copied.
    with_lengths = dataset.map(lambda x, y, *_: (_length(x, y), y))
    for length, labels in with_lengths.as_numpy_iterator():
        if len(labels) != length:
            raise ValueError(
                f"`dataset` must give batches, but an element has {length} rows of `x` and "
                f"{len(labels)} of `y`; call `batch()` first."
            )
        yield labels


def check_elements(dataset: tf.data.Dataset) -> None:
    """Raise unless the elements are batches of ``(x, y)`` or ``(x, y, weights)``."""
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


def _length(x: Any, y: tf.Tensor) -> tf.Tensor:
    """Return the number of rows of the first dense input, or of the labels if there is none."""
    dense = [leaf for leaf in tf.nest.flatten(x) if isinstance(leaf, tf.Tensor) and leaf.shape.rank]
    return tf.shape(dense[0] if dense else y, out_type=tf.int64)[0]
