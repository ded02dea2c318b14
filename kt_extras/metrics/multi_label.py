"""A metric of a yes or no, for several labels that do not exclude each other."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras.arguments import check_integer
from kt_extras.compat import keras_mask, require_tensorflow
from kt_extras.losses.counted import aligned_weights

_AVERAGES = ("macro", "micro")


@keras.saving.register_keras_serializable(package="kt_extras")
class MultiLabel(keras.metrics.Metric):
    """A metric for two classes, averaged over the labels of multi-label data.

    The rule of the inner metric holds for a label that no row has, or all: `F1Score` is 0, as in
    scikit-learn's `f1_score`.

    Args:
        metric: A metric that gives one number for labels and scores of shape ``(n,)``, such as
            ``kte.metrics.F1Score(2, "binary")``, ``MatthewsCorrelationCoefficient(2)``,
            ``ExpectedCalibrationError(2, of="positive")`` or ``keras.metrics.AUC()``.  It is
            copied, and itself left as it is.
        num_labels: L, at least 1.
        average: "macro", the plain mean of the labels' values; or "micro", the value for all labels
            of all rows together. Defaults to `"macro"`.
        name: Name of the metric. Defaults to that of `metric`.
        dtype: Of the result. Defaults to `None`.

    Labels and scores have shape ``(..., L)``; weights a shape that goes with ``(...)``, or
    ``(..., L)`` for a weight of every label.  Rows that Keras' mask excludes do not count.

    Raises:
        ValueError: An argument out of its range; at the first step, shapes that do not fit.

    >>> from kt_extras.metrics import F1Score
    >>> metric = MultiLabel(F1Score(2, "binary"), num_labels=2)
    >>> metric.update_state([[1, 0], [1, 1]], [[0.9, 0.1], [0.2, 0.8]])
    >>> round(float(metric.result()), 4)  # (2/3 + 1) / 2
    0.8333
    """

    def __init__(
        self,
        metric: keras.metrics.Metric,
        num_labels: int,
        average: str = "macro",
        *,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        require_tensorflow(type(self).__name__)
        if not isinstance(metric, keras.metrics.Metric):
            raise ValueError(
                f"`metric` must be a metric of Keras, got {metric!r}; for example "
                "`kte.metrics.F1Score(2, 'binary')`."
            )
        check_integer("num_labels", num_labels, minimum=1)
        if average not in _AVERAGES:
            raise ValueError(f"`average` must be 'macro' or 'micro', got {average!r}.")
        super().__init__(name=name or metric.name, dtype=dtype)
        self.num_labels = num_labels
        self.average = average
        count = num_labels if average == "macro" else 1
        self.parts = [type(metric).from_config(metric.get_config()) for _ in range(count)]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        mask, scores = keras_mask(y_pred), tf.convert_to_tensor(y_pred)
        truth = tf.convert_to_tensor(y_true)
        for name, given in (("y_true", truth), ("y_pred", scores)):
            if given.shape.rank is not None and not given.shape[-1:].is_compatible_with(
                [self.num_labels]
            ):
                raise ValueError(
                    f"`{name}` must have a column for each of `num_labels` {self.num_labels} "
                    f"labels, got shape {given.shape}."
                )
        given = [truth, scores]
        weights = [
            _of_every_label(weight, scores, name)
            for name, weight in (("`sample_weight`", sample_weight), ("The mask of `y_pred`", mask))
            if weight is not None
        ]
        if weights:
            given.append(tf.reduce_prod(tf.stack(weights), axis=0))
        if self.average == "micro":
            self.parts[0].update_state(*(tf.reshape(each, [-1]) for each in given))
            return
        for label, part in enumerate(self.parts):
            part.update_state(*(tf.reshape(each[..., label], [-1]) for each in given))

    def result(self) -> tf.Tensor:
        """Return the average over all rows since the last reset, a scalar."""
        values = [tf.convert_to_tensor(part.result()) for part in self.parts]
        return tf.cast(tf.reduce_mean(tf.stack(values)), self.dtype)

    def reset_state(self) -> None:
        """Forget all rows."""
        for part in self.parts:
            part.reset_state()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            "metric": keras.saving.serialize_keras_object(self.parts[0]),
            "num_labels": self.num_labels,
            "average": self.average,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MultiLabel:
        """Return the metric that a configuration describes."""
        metric = keras.saving.deserialize_keras_object(config["metric"])
        return cls(**{**config, "metric": metric})


def _of_every_label(weights: Any, scores: tf.Tensor, name: str) -> tf.Tensor:
    """Return a weight of every label, in the shape of the scores."""
    found = aligned_weights(weights, scores.shape, name=name, dtype=tf.float32)
    return tf.broadcast_to(found, tf.shape(scores))
