"""Expected calibration error (Naeini et al., AAAI 2015; Guo et al., ICML 2017).

A row's confidence is the probability of the class it is given.  Rows are put into bins by
confidence, and the error is the mean over the rows of how far apart their bin's mean confidence and
its accuracy are.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras.arguments import is_integer
from kt_extras.class_arguments import check_num_classes
from kt_extras.compat import require_tensorflow
from kt_extras.losses.counted import checked_ignore_class
from kt_extras.metrics.probabilities import probabilities
from kt_extras.metrics.rows import rows

_STRATEGIES = ("uniform", "quantile")
_OF = ("predicted", "positive")
_ROUNDINGS = 4  # that may separate a probability from the number it stands for
_CELLS = 1000  # of a row's confidence, before bins of equal mass are made of them


@keras.saving.register_keras_serializable(package="kt_extras")
class ExpectedCalibrationError(keras.metrics.Metric):
    """How far confidence and accuracy are apart, from 0 to 1, to be minimised.

    With bins of equal width it is exact.  Bins of equal mass ("adaptive") need all scores at once;
    here confidences are counted in 1000 cells and the bins made of these, so the edges of a
    bin lie at most 0.001 from where they should, and any split into batches still gives the same
    value.  Without any row it is 0.

    Args:
        num_classes: C, at least 2.
        n_bins: Number of bins, from 1 to 1000. Defaults to `15`.
        strategy: "uniform", bins of equal width; or "quantile", with equally many rows. Defaults to
            `"uniform"`.
        of: "predicted", the probability of the class a row is given; or "positive", with two
            classes, that of class 1, which shows more where it is rare. Defaults to `"predicted"`.
        from_logits: Whether `y_pred` are logits; otherwise probabilities. Defaults to `False`.
        ignore_class: Number of a class, which may be none of the model's, such as -1 or 255: rows
            with this label do not count; None for none. Defaults to `None`.
        name: Name of the metric. Defaults to `"expected_calibration_error"`.
        dtype: Of the result. Defaults to `None`.

    Labels are class numbers, shape ``(...)`` or ``(..., 1)``, or one-hot, ``(..., C)``; scores have
    shape ``(..., C)``, with two classes also ``(..., 1)`` or ``(n,)``.  A bin holds its upper edge.

    Raises:
        ValueError: An argument out of its range.

    Source: Guo et al. 2017, 1706.04599, sec. 2, eq. 3; 15 bins as there.  Equal mass: Nguyen &
    O'Connor 2015, "Posterior calibration and exploratory analysis for NLP models", EMNLP, sec. 3.

    >>> metric = ExpectedCalibrationError(num_classes=2)
    >>> metric.update_state([1, 1, 0, 1], [0.75, 0.75, 0.75, 0.25])
    >>> float(metric.result())  # |0.75 - 2/4|
    0.25
    """

    _direction = "down"  # which `EarlyStopping` of Keras 3 looks for

    def __init__(
        self,
        num_classes: int,
        n_bins: int = 15,
        *,
        strategy: str = "uniform",
        of: str = "predicted",
        from_logits: bool = False,
        ignore_class: int | None = None,
        name: str | None = "expected_calibration_error",
        dtype: Any = None,
    ) -> None:
        require_tensorflow(type(self).__name__)
        super().__init__(name=name, dtype=dtype)
        check_num_classes(num_classes)
        if not (is_integer(n_bins) and 1 <= n_bins <= _CELLS):
            raise ValueError(f"`n_bins` must lie between 1 and {_CELLS}, got {n_bins!r}.")
        if strategy not in _STRATEGIES:
            raise ValueError(f"`strategy` must be 'uniform' or 'quantile', got {strategy!r}.")
        if of not in _OF or (of == "positive" and num_classes != 2):
            raise ValueError(
                f"`of` must be 'predicted', or 'positive' with two classes, got {of!r} with "
                f"{num_classes}."
            )
        self.num_classes = num_classes
        self.ignore_class = checked_ignore_class(ignore_class)
        self.n_bins = n_bins
        self.strategy = strategy
        self.of = of
        self.from_logits = from_logits
        self.cells = n_bins if strategy == "uniform" else _CELLS
        #: The weight of each cell's rows, and the sum of their confidence less correctness.
        self.sums = self.add_weight(
            shape=(self.cells, 2), initializer="zeros", dtype="float64", name="sums"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        truth, scores, weights = rows(
            y_true,
            y_pred,
            sample_weight,
            num_classes=self.num_classes,
            ignore_class=self.ignore_class,
            probabilities=not self.from_logits,
        )
        p = probabilities(scores, from_logits=self.from_logits)
        confidence, correct = self._judged(p, truth)
        # What is above an edge by no more than rounding, as 0.2 is in single precision, is on it.
        rounding = _ROUNDINGS * np.finfo(confidence.dtype.as_numpy_dtype).eps
        cell = tf.cast(tf.math.ceil(confidence * self.cells * (1 - rounding)), tf.int32) - 1
        cell = tf.clip_by_value(cell, 0, self.cells - 1)
        each = tf.stack([weights, weights * (tf.cast(confidence, tf.float64) - correct)], axis=1)
        self.sums.assign_add(tf.math.unsorted_segment_sum(each, cell, self.cells))

    def _judged(self, p: tf.Tensor, truth: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return for each row the probability that is judged, and whether it came true."""
        if self.of == "positive":
            return (p if p.shape.rank == 1 else p[:, 1]), tf.cast(truth, tf.float64)
        if p.shape.rank == 1:
            p = tf.stack([1 - p, p], axis=1)
        right = tf.equal(tf.argmax(p, axis=1, output_type=tf.int32), truth)
        return tf.reduce_max(p, axis=1), tf.cast(right, tf.float64)

    def result(self) -> tf.Tensor:
        """Return the error over all rows since the last reset, a scalar."""
        weights, gaps = tf.unstack(tf.convert_to_tensor(self.sums), axis=1)
        total = tf.reduce_sum(weights)
        if self.strategy == "quantile":
            gaps = tf.math.unsorted_segment_sum(gaps, self._bins(weights, total), self.n_bins)
        error = tf.math.divide_no_nan(tf.reduce_sum(tf.abs(gaps)), total)
        return tf.cast(error, self.dtype)

    def _bins(self, weights: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
        """Return the bin of each cell: where the middle of its rows is among all."""
        middle = tf.cumsum(weights) - weights / 2
        place = tf.math.divide_no_nan(middle, total) * self.n_bins
        return tf.clip_by_value(tf.cast(place, tf.int32), 0, self.n_bins - 1)

    def reset_state(self) -> None:
        """Forget all rows."""
        self.sums.assign(tf.zeros((self.cells, 2), tf.float64))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "ignore_class": self.ignore_class,
            "n_bins": self.n_bins,
            "strategy": self.strategy,
            "of": self.of,
            "from_logits": self.from_logits,
        }
