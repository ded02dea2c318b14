"""How many floating-point operations an operation of TensorFlow takes.

A multiplication and an addition are two.  Where TensorFlow's profiler knows an operation, the
numbers are the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from kt_extras import compat


@dataclass(frozen=True)
class Operation:
    """One that has run.

    Args:
        name: Its name in TensorFlow.
        inputs: Its tensors.
        attributes: Names and values in turn.
        outputs: Its tensors.
    """

    name: str
    inputs: Sequence[Any]
    attributes: Sequence[Any]
    outputs: Sequence[Any]

    def attribute(self, name: str) -> Any:
        """Return the value of an attribute, None without one."""
        names = map(tf.compat.as_str, self.attributes[::2])
        return dict(zip(names, self.attributes[1::2], strict=True)).get(name)


# They move, make or convert numbers.
_MOVES = re.compile(
    r"Assign\w*|AsString|Batch(To|Space)\w+|Bitcast|Broadcast\w+|Cast|Concat\w*|Const|Copy\w*|"
    r"DepthToSpace|DynamicPartition|DynamicStitch|DiagPart|Diag|Empty|EnsureShape|ExpandDims|"
    r"ExtractImagePatches|Fill|Gather\w*|Identity\w*|LinSpace|LookupTable\w+|Matrix(Band|Diag|SetDiag)\w*|"
    r"MirrorPad|OneHot|OnesLike|Pack|Pad\w*|ParallelDynamicStitch|PlaceholderWithDefault|"
    r"PreventGradient|Ragged\w+|Range|ReadVariableOp|Reshape|Resource(Gather|Scatter)\w*|Reverse\w*|"
    r"Roll|Scatter\w+|Select\w*|Shape\w*|Slice|Snapshot|Space\w+|Split\w*|Squeeze|StopGradient|"
    r"Strided\w+|Tensor(List|Scatter|Array)\w+|Tile|TopK\w*|Transpose|Unique\w*|Unpack|Where|ZerosLike"
)
# It is not known how often they do what.
_UNKNOWN = re.compile(
    r".*PyFunc\w*|.*Xla\w*|.*While|.*If|Case|\w*PartitionedCall|SymbolicGradient|.*Cudnn\w*|.*RNN\w*|"
    r"\w*FFT\w*|\w*Cholesky\w*|Matrix(Determinant|Exponential|Inverse|Logarithm|Solve|SquareRoot|"
    r"TriangularSolve)\w*|LogMatrixDeterminant|Lu|Qr|Svd|\w*SelfAdjointEig\w*|Eig|Sparse\w*MatMul\w*|"
    r"SparseTensorDense\w+|Quantized\w+|Uniform\w+Quantized\w+|_Fused\w+|NonMaxSuppression\w*"
)
_REDUCES = re.compile(
    r"(Sum|Mean|Prod|Max|Min|ArgMax|ArgMin|EuclideanNorm|L2Loss|\w*Segment\w+|Cum\w+)"
)
_POOLS = re.compile(r"(Avg|Max)Pool(3D)?(V2)?(WithArgmax)?")


def operation_flops(operation: Operation) -> int:
    """Return the floating-point operations of an operation that has run.

    Raises:
        ValueError: It cannot be counted.

    >>> left, right = tf.zeros((2, 3)), tf.zeros((3, 4))
    >>> operation_flops(Operation("MatMul", [left, right], ("transpose_a", False), [left @ right]))
    48
    """
    name = operation.name
    if _UNKNOWN.fullmatch(name) or not compat.is_operation(name):
        raise ValueError(
            f"`flops` must know what an operation does, but cannot count a {name!r}.  Measure the "
            "latency instead, or let the layer use TensorFlow's usual operations."
        )
    if _MOVES.fullmatch(name) or not any(one.dtype.is_floating for one in operation.outputs):
        return 0
    for pattern, count in _RULES:
        if pattern.fullmatch(name):
            return count(operation)
    return _size(operation.outputs[0])  # an elementwise function


def _size(tensor: Any) -> int:
    return math.prod(tensor.shape)


def _matrices(operation: Operation) -> int:
    transposed = operation.attribute("transpose_a") or operation.attribute("adj_x")
    return (
        2 * _size(operation.outputs[0]) * int(operation.inputs[0].shape[-2 if transposed else -1])
    )


def _einsum(operation: Operation) -> int:
    """Two for each combination of all indices, one with a single factor."""
    terms = (
        tf.compat.as_str(operation.attribute("equation"))
        .replace(" ", "")
        .partition("->")[0]
        .split(",")
    )
    sizes: dict[str, int] = {}
    for term, tensor in zip(terms, operation.inputs, strict=True):
        head, dots, tail = term.partition("...")
        shape = [int(size) for size in tensor.shape]
        end = len(shape) - len(tail)
        sizes.update(zip(head, shape, strict=False))
        sizes.update(zip(tail, shape[end:], strict=True))
        for place, size in enumerate(reversed(shape[len(head) : end] if dots else [])):
            sizes[f"...{place}"] = max(size, sizes.get(f"...{place}", 1))  # it is broadcast
    return min(len(operation.inputs), 2) * math.prod(sizes.values())


def _convolution(operation: Operation) -> int:
    return 2 * _size(operation.outputs[0]) * math.prod(operation.inputs[1].shape[:-1])


def _depthwise(operation: Operation) -> int:
    return 2 * _size(operation.outputs[0]) * math.prod(operation.inputs[1].shape[:2])


def _transposed_convolution(operation: Operation) -> int:
    return 2 * _size(operation.inputs[2]) * math.prod(operation.inputs[1].shape[:-1])


def _transposed_depthwise(operation: Operation) -> int:
    return 2 * _size(operation.inputs[2]) * math.prod(operation.inputs[1].shape[:2])


def _pool(operation: Operation) -> int:
    return _size(operation.outputs[0]) * math.prod(operation.attribute("ksize"))


def _reduction(operation: Operation) -> int:
    return _size(operation.inputs[0])


def _times(factor: int) -> Callable[[Operation], int]:
    return lambda operation: factor * _size(operation.outputs[0])


def _normalisation(operation: Operation) -> int:
    """A factor and a summand for each element; in training also its mean and its variance."""
    return (5 if operation.attribute("is_training") else 2) * _size(operation.inputs[0])


def _sum(operation: Operation) -> int:
    return (len(operation.inputs) - 1) * _size(operation.outputs[0])


_RULES: Sequence[tuple[re.Pattern[str], Callable[[Operation], int]]] = [
    (re.compile(r"(Batch)?MatMul(V[23])?"), _matrices),
    (re.compile("Einsum"), _einsum),
    (re.compile("Conv(2D|3D)?"), _convolution),
    (re.compile("DepthwiseConv2dNative"), _depthwise),
    (re.compile(r"Conv\w+BackpropInput(V2)?"), _transposed_convolution),
    (re.compile("DepthwiseConv2dNativeBackpropInput"), _transposed_depthwise),
    (_POOLS, _pool),
    (_REDUCES, _reduction),
    (re.compile("(Log)?Softmax"), _times(5)),
    (re.compile(r"FusedBatchNorm\w*"), _normalisation),
    (re.compile("AddN"), _sum),
]
