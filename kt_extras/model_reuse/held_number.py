"""A tensor in the place of a Python number, so that another number needs no new trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kt_extras.model_reuse.optimizer_settings import is_number


class HeldNumber:
    """A number that is a tensor in arithmetic and a Python number in comparisons.

    Arithmetic with Python's numbers is in double precision, as Python's; what comes of it gets the
    type of the tensor that it meets.  So a traced function rounds as it does with a constant.

    Args:
        tensor: A scalar of the type `float64`.
        number: Its value during the trace, which decides what Keras does in Python.

    >>> rate = HeldNumber(tf.constant(0.25, "float64"), 0.25)
    >>> rate > 0, rate == 0
    (True, False)
    >>> (1 - rate) * tf.constant(2.0)
    <tf.Tensor: shape=(), dtype=float32, numpy=1.5>
    """

    def __init__(self, tensor: Any, number: float) -> None:
        self.tensor, self.number = tensor, number

    @property
    def dtype(self) -> tf.DType:
        """The type that Keras promotes it as."""
        return tf.as_dtype(keras.backend.floatx())

    @property
    def shape(self) -> tf.TensorShape:
        """The shape, that of a scalar."""
        return self.tensor.shape

    def get_shape(self) -> tf.TensorShape:
        """Return the shape."""
        return self.shape

    def __deepcopy__(self, memo: Any) -> HeldNumber:
        return self

    def __bool__(self) -> bool:
        return bool(self.number)

    def __eq__(self, other: object) -> bool:
        return self.number == getattr(other, "number", other)

    def __lt__(self, other: Any) -> bool:
        return bool(self.number < getattr(other, "number", other))

    def __le__(self, other: Any) -> bool:
        return bool(self.number <= getattr(other, "number", other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.number > getattr(other, "number", other))

    def __ge__(self, other: Any) -> bool:
        return bool(self.number >= getattr(other, "number", other))

    __hash__ = object.__hash__


class HeldRate(HeldNumber):
    """A held number that `tf.is_tensor` takes for a tensor, as `tf.nn.dropout` wants it."""

    is_tensor_like = True


def _operator(name: str) -> Callable[..., Any]:
    def apply(self: HeldNumber, *others: Any) -> Any:
        if all(isinstance(other, HeldNumber) or is_number(other) for other in others):
            tensors = [getattr(other, "tensor", other) for other in others]
            numbers = [getattr(other, "number", other) for other in others]
            value = getattr(self.tensor, name)(*tensors)
            return HeldNumber(value, getattr(float(self.number), name)(*map(float, numbers)))
        other = tf.convert_to_tensor(others[0])
        return getattr(tf.cast(self.tensor, other.dtype), name)(other)

    return apply


for _name in ("add", "sub", "mul", "truediv", "pow"):
    for _method in (f"__{_name}__", f"__r{_name}__"):
        setattr(HeldNumber, _method, _operator(_method))
setattr(HeldNumber, "__neg__", _operator("__neg__"))  # noqa: B010 - as the others


def _converted(held: HeldNumber, dtype: Any = None, **_: Any) -> Any:
    return tf.cast(held.tensor, dtype or keras.backend.floatx())


tf.register_tensor_conversion_function(HeldNumber, _converted, priority=0)
