"""How good a model is once its threshold is fitted, after every epoch.

With few positives a model may be good and its F1 at the threshold 0.5 be 0.  What a threshold
makes of it is known only after fitting one, and a value measured on the rows that the threshold was
fitted to is too good: on pure noise, too.  So by default each half of the validation data is judged
at the threshold fitted on the other half (cross-fitting; Chernozhukov et al., Econometrics
Journal 2018, sec. 1), and the threshold meant for use is fitted on all of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.calibration.criteria import CriterionLike, criterion_of
from kt_extras.calibration.halves import fair_halves
from kt_extras.calibration.outputs import probabilities_of
from kt_extras.calibration.predictions import ForwardPass, check_data, predictions
from kt_extras.calibration.sample import check_sample
from kt_extras.calibration.thresholds import Thresholds, best_values, value_of
from kt_extras.callbacks.copied_callback import CopiedCallback

_MAX_LOGGED = 20


class ThresholdCalibration(CopiedCallback):
    """Adds the value of a metric at its best threshold to the logs, and the threshold.

    The names are ``val_<metric>_at_best_threshold`` and ``val_best_threshold``; with a threshold
    for each class or label ``val_best_threshold_0`` and so on, of the first 20.  Callbacks that use
    them, such as `EarlyStopping`, must stand behind this one.  A search may have the value as its
    objective: ``keras_tuner.Objective("val_f1_at_best_threshold", "max")``.

    The outputs of a model that has diverged to NaN have no threshold; then both are NaN.

    Args:
        validation_data: ``(x, y)``, ``(x, y, sample_weight)`` or a data set of batches of these;
            Keras does not pass a callback those of `fit`. Defaults to `None`.
        metric: A name (`kte.calibration.criterion_of` has the list) or a criterion. Defaults to
            `"f1"`.
        fit_on: `"half"`: the value is the mean of two, of each half of the rows at the threshold
            fitted on the other half; `"all"`: that of all rows at the threshold fitted on them
            themselves, which flatters, the more the fewer rows there are. Defaults to `"half"`.
        every: Of how many epochs one is measured; the others repeat its numbers. Defaults to `1`.
        from_logits: Whether the model puts out logits; thresholds are those of probabilities.
            Defaults to `False`.
        multi_label: Whether the outputs are labels that do not exclude each other. Defaults to
            `False`.
        seed: Seed of the split into halves with equally many rows of each class. Defaults to `0`.
        batch_size: Rows predicted at a time, of arrays. Defaults to `256`.

    Attributes:
        thresholds: What was fitted last, to all rows, a `kte.calibration.Thresholds`; None before.

    Raises:
        TypeError: No validation data.
        ValueError: An argument out of its range; after the first epoch, labels out of range, a
            class that has one row only, logits without `from_logits`.

    >>> import keras
    >>> x = np.linspace(-1, 1, 40).reshape(-1, 1)
    >>> y = (x > 0.5).astype(int)
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
    >>> model.compile("sgd", "binary_crossentropy")
    >>> history = model.fit(
    ...     x, y, verbose=0, callbacks=[ThresholdCalibration(validation_data=(x, y))])
    >>> sorted(history.history)
    ['loss', 'val_best_threshold', 'val_f1_at_best_threshold']
    """

    def __init__(
        self,
        validation_data: Any = None,
        metric: CriterionLike = "f1",
        *,
        fit_on: Literal["half", "all"] = "half",
        every: int = 1,
        from_logits: bool = False,
        multi_label: bool = False,
        seed: int = 0,
        batch_size: int = 256,
    ) -> None:
        super().__init__()
        check_data("validation_data", validation_data)
        if fit_on not in {"half", "all"}:
            raise ValueError(f"`fit_on` must be 'half' or 'all', got {fit_on!r}.")
        check_integer("every", every, minimum=1)
        check_integer("batch_size", batch_size, minimum=1)
        check_integer("seed", seed, minimum=0)
        self.validation_data = validation_data
        self.metric = criterion_of(metric)
        self.fit_on = fit_on
        self.every = every
        self.from_logits = from_logits
        self.multi_label = multi_label
        self.seed = seed
        self.batch_size = batch_size
        self.thresholds: Thresholds | None = None
        self._forward: ForwardPass | None = None
        self._last: dict[str, float] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget the former training."""
        self._reset()
        self._forward = ForwardPass(self.model)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Measure, and add the numbers to the logs."""
        if epoch % self.every == 0 or not self._last:
            self._last = self._measure()
        if logs is not None:
            logs.update(self._last)

    def on_train_end(self, logs: Any = None) -> None:
        """Let go of the traced model."""
        self._forward = None

    def get_state(self) -> dict[str, Any]:
        """Return the numbers that the next epochs repeat."""
        return {"last": dict(self._last)}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._last = dict(state["last"])

    def _reset(self) -> None:
        self.thresholds, self._forward, self._last = None, None, {}

    def _measure(self) -> dict[str, float]:
        forward = self._forward or ForwardPass(self.model)
        y, raw, weights = predictions(forward, self.validation_data, batch_size=self.batch_size)
        if not np.isfinite(raw).all():
            self.thresholds = None
            several = raw.shape[1] > 2 or self.multi_label
            return self._named(math.nan, np.full(raw.shape[1:] if several else (), math.nan))
        scores = probabilities_of(raw, from_logits=self.from_logits, multi_label=self.multi_label)
        sample = check_sample(y, scores, weights, multi_label=self.multi_label)
        values = best_values(sample, self.metric)
        all_rows = value_of(sample, values, self.metric)
        self.thresholds = Thresholds(sample.kind, values, self.metric, all_rows)
        if self.fit_on == "all":
            return self._named(all_rows, values)
        halves = [sample.take(rows) for rows in fair_halves(sample, seed=self.seed)]
        judged = [
            value_of(judging, best_values(settling, self.metric), self.metric)
            for settling, judging in (halves, halves[::-1])
        ]
        return self._named(float(np.mean(judged)), values)

    def _named(self, value: float, thresholds: Any) -> dict[str, float]:
        logs = {f"val_{self.metric.name}_at_best_threshold": value}
        if np.ndim(thresholds) == 0:
            return {**logs, "val_best_threshold": float(thresholds)}
        listed = enumerate(thresholds[:_MAX_LOGGED])
        return {**logs, **{f"val_best_threshold_{k}": float(value) for k, value in listed}}
