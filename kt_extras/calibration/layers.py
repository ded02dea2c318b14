"""Calibration and decision as Keras layers, which a model carries along and saves with itself.

Their numbers are part of their configuration: no weights, nothing that training could change.  The
calibrating layers take what a model puts out, probabilities or logits, shape ``(n, k)``, or
``(n,)`` of a binary problem, and return calibrated probabilities of the same shape.  `exclusive`
says that the columns are classes of which each row has one, so that probabilities sum to 1;
otherwise every column is a separate label.

They compute in single precision under any policy.  A probability that single precision rounds to 1
has lost the model's confidence; a model with logits as outputs keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import keras
import numpy as np
import tensorflow as tf

from kt_extras.class_arguments import numbers
from kt_extras.compat import require_tensorflow

Numbers = Union[float, Sequence[float]]  # noqa: UP007 - Python 3.10

_PACKAGE = "kt_extras"
_SMALLEST = 1e-37  # a normal number in single precision
_LARGEST = 1 - 2.0**-24  # the last one before 1


class CalibrationLayer(keras.layers.Layer):
    """Base class of the calibration layers.

    Args:
        exclusive: Whether the columns are classes of which each row has one.
        from_logits: Whether the inputs are logits instead of probabilities. Defaults to `False`.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, *, exclusive: bool, from_logits: bool = False, **kwargs: Any) -> None:
        require_tensorflow(type(self).__name__)
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        self.exclusive = exclusive
        self.from_logits = from_logits

    def logits(self, inputs: Any) -> Any:
        """Return logits: up to a constant for each row if exclusive, else log-odds."""
        if self.from_logits:
            return inputs
        if self.exclusive:
            return tf.math.log(tf.maximum(inputs, _SMALLEST))
        return _log_odds(inputs)

    def log_odds(self, inputs: Any) -> Any:
        """Return the log-odds of every class against the rest."""
        if self.exclusive:
            return _log_odds(self.probabilities(inputs))
        return self.logits(inputs)

    def probabilities(self, inputs: Any) -> Any:
        """Return the probabilities before calibration."""
        return self.activation(inputs) if self.from_logits else inputs

    def activation(self, logits: Any) -> Any:
        """Turn logits into probabilities."""
        return tf.nn.softmax(logits) if self.exclusive else tf.sigmoid(logits)

    def shared(self, probabilities: Any) -> Any:
        """Let probabilities of exclusive classes sum to 1; all the same if none is above 0."""
        if not self.exclusive:
            return probabilities
        total = tf.reduce_sum(probabilities, axis=-1, keepdims=True)
        equal = tf.ones_like(probabilities) / tf.cast(tf.shape(probabilities)[-1], total.dtype)
        return tf.where(total > 0, tf.math.divide_no_nan(probabilities, total), equal)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        own = {"exclusive": self.exclusive, "from_logits": self.from_logits}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class TemperatureScaling(CalibrationLayer):
    """Divides logits by a temperature (Guo et al., ICML 2017, sec. 4.2).

    Args:
        temperature: Above 0, above 1 to make the model less sure; if not exclusive, one number for
            all columns or one for each.
        **kwargs: `exclusive` and `from_logits`, as `CalibrationLayer` takes them.

    >>> layer = TemperatureScaling(2.0, exclusive=False, from_logits=True)
    >>> layer(np.array([[0.0], [2.0]], "float32")).numpy().round(3).tolist()
    [[0.5], [0.7310000061988831]]
    """

    def __init__(self, temperature: Numbers, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = numbers("temperature", temperature).tolist()
        if not np.all(np.asarray(self.temperature) > 0):
            raise ValueError(f"`temperature` must be above 0, got {temperature!r}.")

    def call(self, inputs: Any) -> Any:
        """Return calibrated probabilities."""
        return self.activation(self.logits(inputs) / _constant(self.temperature))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class VectorScaling(CalibrationLayer):
    """Gives each class's logit a scale and a bias (Guo et al., ICML 2017, sec. 4.2).

    Args:
        scale: One number for each column.
        bias: One number for each column.
        **kwargs: `exclusive` and `from_logits`, as `CalibrationLayer` takes them.

    >>> layer = VectorScaling([1.0, 1.0], [0.0, 1.0], exclusive=True, from_logits=True)
    >>> layer(np.array([[1.0, 0.0]], "float32")).numpy().tolist()
    [[0.5, 0.5]]
    """

    def __init__(self, scale: Sequence[float], bias: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = np.asarray(scale, dtype=np.float64).tolist()
        self.bias = np.asarray(bias, dtype=np.float64).tolist()
        if np.shape(self.scale) != np.shape(self.bias):
            raise ValueError(
                f"`scale` and `bias` must have the same length, got {np.shape(self.scale)} and "
                f"{np.shape(self.bias)}."
            )

    def call(self, inputs: Any) -> Any:
        """Return calibrated probabilities."""
        return self.activation(self.scaled(self.logits(inputs)))

    def scaled(self, logits: Any) -> Any:
        """Return scale times logit plus bias."""
        return logits * _constant(self.scale) + _constant(self.bias)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "scale": self.scale, "bias": self.bias}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class PlattScaling(VectorScaling):
    """Turns each class's log-odds into a probability by a sigmoid (Platt 1999, sec. 2.1).

    Exclusive classes are taken one against the rest and then brought to the sum 1 (Zadrozny &
    Elkan, KDD 2002).

    Args:
        scale: One number for each column.
        bias: One number for each column.
        **kwargs: `exclusive` and `from_logits`, as `CalibrationLayer` takes them.

    >>> layer = PlattScaling([1.0], [-1.0], exclusive=False, from_logits=True)
    >>> layer(np.array([[1.0]], "float32")).numpy().tolist()
    [[0.5]]
    """

    def call(self, inputs: Any) -> Any:
        """Return calibrated probabilities."""
        return self.shared(tf.sigmoid(self.scaled(self.log_odds(inputs))))


@keras.saving.register_keras_serializable(package=_PACKAGE)
class IsotonicCalibration(CalibrationLayer):
    """Maps each class's probability by a rising piecewise linear function.

    Source: Zadrozny & Elkan, KDD 2002; exclusive classes are brought to the sum 1, as there.

    Args:
        x: Knots for each column, rising, in [0, 1]; at least one.
        y: The calibrated probabilities there; beyond the outermost knots the function is flat.
        **kwargs: `exclusive` and `from_logits`, as `CalibrationLayer` takes them.

    >>> layer = IsotonicCalibration([[0.25, 0.75]], [[0.0, 1.0]], exclusive=False)
    >>> layer(np.array([[0.1], [0.5], [0.9]], "float32")).numpy().tolist()
    [[0.0], [0.5], [1.0]]
    """

    def __init__(
        self, x: Sequence[Sequence[float]], y: Sequence[Sequence[float]], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if [len(knots) for knots in x] != [len(knots) for knots in y] or not all(map(len, x)):
            raise ValueError(
                "`x` and `y` must hold equally many knots for each column, at least 1."
            )
        self.x = [np.asarray(knots, dtype=np.float64).tolist() for knots in x]
        self.y = [np.asarray(knots, dtype=np.float64).tolist() for knots in y]

    def call(self, inputs: Any) -> Any:
        """Return calibrated probabilities."""
        probabilities, single = self.probabilities(inputs), len(inputs.shape) == 1
        columns = tf.transpose(probabilities[:, tf.newaxis] if single else probabilities)
        x, y = _constant(_padded(self.x)), _constant(_padded(self.y))
        last = x.shape[1] - 1
        above = tf.searchsorted(x, columns, side="right")
        left, right = tf.maximum(above - 1, 0), tf.minimum(above, last)
        x0, x1 = (tf.gather(x, knot, batch_dims=1) for knot in (left, right))
        y0, y1 = (tf.gather(y, knot, batch_dims=1) for knot in (left, right))
        fraction = tf.clip_by_value(tf.math.divide_no_nan(columns - x0, x1 - x0), 0.0, 1.0)
        found = tf.transpose(y0 + fraction * (y1 - y0))
        return self.shared(found[:, 0] if single else found)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "x": self.x, "y": self.y}


@keras.saving.register_keras_serializable(package=_PACKAGE)
class Decision(keras.layers.Layer):
    """Turns probabilities into decisions.

    Args:
        thresholds: One number for a binary decision, ``probability >= threshold``: of the only or
            of the second of two columns.  A number for each column otherwise: the decision is the
            class with the largest ``probability / threshold`` if exclusive; else every column has
            its own.
        exclusive: Whether the columns are classes of which each row has one. Defaults to `True`.
        **kwargs: Arguments of `keras.layers.Layer`.

    >>> Decision(0.3)(np.array([[0.2], [0.4]], "float32")).numpy().tolist()
    [0, 1]
    >>> Decision([0.8, 0.1, 0.1])(np.array([[0.7, 0.2, 0.1]], "float32")).numpy().tolist()
    [1]
    """

    def __init__(self, thresholds: Numbers, *, exclusive: bool = True, **kwargs: Any) -> None:
        require_tensorflow(type(self).__name__)
        super().__init__(**{"dtype": "float32", "trainable": False, **kwargs})
        self.thresholds = numbers("thresholds", thresholds).tolist()
        if not np.isfinite(self.thresholds).all():
            raise ValueError(f"`thresholds` must be finite, got {thresholds!r}.")
        self.exclusive = exclusive
        if exclusive and np.ndim(self.thresholds) == 1 and not min(self.thresholds) > 0:
            raise ValueError(
                f"`thresholds` of exclusive classes must be above 0, got {thresholds!r}."
            )

    def call(self, inputs: Any) -> Any:
        """Return numbers of classes, shape ``(n,)``, or 0 and 1, shape ``(n, k)``."""
        thresholds = _constant(self.thresholds)
        if np.ndim(self.thresholds) == 0:
            scores = inputs if len(inputs.shape) == 1 else inputs[:, -1]
            return tf.cast(scores >= thresholds, tf.int32)
        if self.exclusive:
            return tf.argmax(inputs / thresholds, axis=-1, output_type=tf.int32)
        return tf.cast(inputs >= thresholds, tf.int32)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return a shape of one or two dimensions."""
        per_column = np.ndim(self.thresholds) == 1 and not self.exclusive
        return tuple(input_shape) if per_column else tuple(input_shape)[:1]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        own = {"thresholds": self.thresholds, "exclusive": self.exclusive}
        return {**super().get_config(), **own}


def _log_odds(probabilities: Any) -> Any:
    inside = tf.clip_by_value(probabilities, _SMALLEST, _LARGEST)
    return tf.math.log(inside) - tf.math.log1p(-inside)


def _constant(numbers: Any) -> Any:
    return tf.constant(numbers, dtype=tf.float32)


def _padded(knots: Sequence[Sequence[float]]) -> Sequence[Sequence[float]]:
    """Repeat the last knot of the shorter columns."""
    longest = max(map(len, knots))
    return [[*column, *[column[-1]] * (longest - len(column))] for column in knots]
