"""How operations are mapped over stacked models where TensorFlow's `vectorized_map` does not know.

The map turns each operation on the tensors of one model into one on tensors with a first dimension
for the model ("stacked").  TensorFlow has a converter for most types of operations, in a private
registry.  Those that are added here are registered while `added` is open, and no longer: for
convolutions whose kernels are stacked, for draws of random numbers whose seeds are, and for some
operations of metrics.

Convolutions and random draws are made for each model on its own: draws, so that each draws what it
would alone; convolutions, as one with a group for each model takes up to twice as long, and has no
gradient on processors for which TensorFlow does not use oneDNN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

try:
    from tensorflow.python.ops.parallel_for import pfor

    _registry: dict[str, Any] = pfor._pfor_converter_registry
    _wrap: Callable[..., Any] = pfor.wrap
    _create: Callable[..., Any] = pfor._create_op
except (ImportError, AttributeError):  # then such operations are refused
    _registry = {}

Converter = Callable[[Any], Any]

_counts: list[int] = []  # of the maps that are being traced


@contextmanager
def added(count: int) -> Iterator[None]:
    """Register the converters while this is open.

    Args:
        count: The number of models.

    >>> kernels = tf.ones([2, 1, 1, 3, 4])
    >>> images = tf.ones([5, 8, 8, 3])
    >>> with added(2):
    ...     tf.vectorized_map(lambda kernel: tf.nn.conv2d(images, kernel, 1, "SAME"), kernels).shape
    TensorShape([2, 5, 8, 8, 4])
    """
    before = dict(_registry)
    _counts.append(count)
    if before:
        _registry.update(_CONVERTERS)
        _registry.update({op: _stacking(before[op], which) for op, which in _STACKED.items()})
        _registry["PartitionedCall"] = _compiled_as_is(before["PartitionedCall"])
    try:
        yield
    finally:
        _counts.pop()
        _registry.clear()
        _registry.update(before)


def _stacking(otherwise: Converter, which: list[int]) -> Converter:
    """Return a converter that gets some inputs stacked even if all models have the same."""

    def convert(given: Any) -> Any:
        given.stack_inputs(which)
        return otherwise(given)

    return convert


def _compiled_as_is(otherwise: Converter) -> Converter:
    """Return a converter of calls without state that leaves what XLA has to compile as it is.

    Keras compiles convolutions with groups, whose gradients exist nowhere else on some processors.
    """

    def convert(given: Any) -> Any:
        compiled = given.op.node_def.attr["_XlaMustCompile"].b
        return _one_by_one(given) if compiled else otherwise(given)

    return convert


def _one_by_one(given: Any) -> Any:
    """Apply an operation to each model on its own."""
    results = []
    for row in range(_count(given)):
        inputs = [tensor[row] if stacked else tensor for tensor, stacked, _ in given.inputs]
        kinds = [output.dtype for output in given.outputs]
        made = _create(given.op_type, inputs, kinds, attrs=given.op.node_def.attr)
        results.append(made.outputs)
    return [_wrap(tf.stack(list(rows)), True) for rows in zip(*results, strict=True)]


def _extreme_index(operation: Callable[..., Any]) -> Converter:
    def convert(given: Any) -> Any:
        axis = given.unstacked_input(1)
        found = operation(
            input=given.stacked_input(0),
            dimension=tf.where(axis < 0, axis, axis + 1),
            output_type=given.get_attr("output_type"),
        )
        return _wrap(found, True)

    return convert


def _in_top_k(given: Any) -> Any:
    given.stack_inputs([0, 1])
    scores, targets = given.stacked_input(0), given.stacked_input(1)
    found = tf.raw_ops.InTopKV2(
        predictions=tf.reshape(scores, [-1, tf.shape(scores)[-1]]),
        targets=tf.reshape(targets, [-1]),
        k=given.unstacked_input(2),
    )
    return _wrap(tf.reshape(found, tf.shape(targets)), True)


def _bitcast(given: Any) -> Any:
    return _wrap(tf.bitcast(given.stacked_input(0), given.get_attr("type")), True)


def _scatter(given: Any) -> Any:
    given.stack_inputs([0, 1])
    indices, updates = given.stacked_input(0), given.stacked_input(1)
    rows = tf.cast(tf.range(_count(given)), indices.dtype)
    rows = tf.reshape(rows, [-1, *[1] * (indices.shape.rank - 1)])
    rows = tf.broadcast_to(rows, tf.concat([tf.shape(indices)[:-1], [1]], 0))
    shape = tf.cast(given.unstacked_input(2), indices.dtype)
    shape = tf.concat([tf.cast([_count(given)], indices.dtype), shape], 0)
    return _wrap(tf.scatter_nd(tf.concat([rows, indices], -1), updates, shape), True)


def _count(given: Any) -> int:
    """Return how many models are mapped; in a function that is called, TensorFlow has a tensor."""
    known = tf.get_static_value(given.pfor.loop_len_vector)
    return _counts[-1] if known is None else int(known[0])


_CONVERTERS: dict[str, Converter] = {
    "ArgMax": _extreme_index(tf.raw_ops.ArgMax),
    "ArgMin": _extreme_index(tf.raw_ops.ArgMin),
    "Bitcast": _bitcast,
    "InTopKV2": _in_top_k,
    "ScatterNd": _scatter,
    **dict.fromkeys(
        (
            "Conv2D",
            "Conv2DBackpropFilter",
            "Conv2DBackpropInput",
            "Conv3D",
            "Conv3DBackpropFilterV2",
            "Conv3DBackpropInputV2",
            "StatelessRandomGetKeyCounter",
            "StatelessRandomNormal",
            "StatelessRandomNormalV2",
            "StatelessRandomUniform",
            "StatelessRandomUniformFullInt",
            "StatelessRandomUniformFullIntV2",
            "StatelessRandomUniformInt",
            "StatelessRandomUniformIntV2",
            "StatelessRandomUniformV2",
            "StatelessTruncatedNormal",
            "StatelessTruncatedNormalV2",
        ),
        _one_by_one,
    ),
}
# The inputs that TensorFlow's own converters require to be stacked.
_STACKED = {
    "DepthwiseConv2dNative": [0, 1],
    "DepthwiseConv2dNativeBackpropFilter": [0, 2],
    "DepthwiseConv2dNativeBackpropInput": [1, 2],
}
