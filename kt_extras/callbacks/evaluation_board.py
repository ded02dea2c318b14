"""Pictures of a classifier's scores, calibration and decisions for TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.calibration import pictures
from kt_extras.calibration.criteria import CriterionLike, criterion_of
from kt_extras.calibration.fitting import Method, check_method, fit_calibration
from kt_extras.calibration.halves import fair_halves
from kt_extras.calibration.outputs import probabilities_of
from kt_extras.calibration.predictions import ForwardPass, check_data, predictions
from kt_extras.calibration.sample import check_sample
from kt_extras.calibration.thresholds import fit_thresholds
from kt_extras.callbacks.copied_callback import CopiedCallback
from kt_extras.running_tuner import running_tuner
from kt_extras.tensorboard import events
from kt_extras.tensorboard.failures import tolerated

_RUN = "evaluation"
_SUFFIX = ".pictures"


class EvaluationBoard(CopiedCallback):
    """Draws what a classifier's scores are worth on validation data, for TensorBoard's IMAGES tab.

    The pictures are the curve of precision and recall, the reliability before and after
    calibration, the scores of each class with the threshold, and the confusion matrix at the
    threshold.  Threshold and calibration are fitted to one half of the rows and drawn for the
    other.  The run is ``<log_dir>/evaluation``, beside those of `keras.callbacks.TensorBoard` with
    the same `log_dir`; in a search every trial has its own, in KerasTuner's own tuners too.

    Nothing is drawn of a model that has diverged to NaN.

    Args:
        log_dir: As for `keras.callbacks.TensorBoard`.
        validation_data: ``(x, y)``, ``(x, y, sample_weight)`` or a data set of batches of these;
            Keras does not pass a callback those of `fit`. Defaults to `None`.
        metric: What the threshold is best for: a name (`kte.calibration.criterion_of` has the list)
            or a criterion. Defaults to `"f1"`.
        method: How the scores are calibrated, as in `kte.calibration.fit_calibration`. Defaults to
            `"auto"`.
        every: Of how many epochs one is drawn; None draws the end of the training only. Defaults to
            `None`.
        from_logits: Whether the model puts out logits. Defaults to `False`.
        multi_label: Whether the outputs are labels that do not exclude each other. Defaults to
            `False`.
        seed: Seed by which rows are divided into halves. Defaults to `0`.
        batch_size: Rows predicted at a time, of arrays. Defaults to `256`.

    Raises:
        ModuleNotFoundError: Matplotlib is not installed.
        TypeError: No validation data.
        ValueError: An argument out of its range; when it draws, labels out of range, a class that
            has one row only, logits without `from_logits`.

    >>> import keras
    >>> x = np.linspace(-1, 1, 40).reshape(-1, 1)
    >>> y = (x > 0.5).astype(int)
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
    >>> model.compile("sgd", "binary_crossentropy")
    >>> import tempfile
    >>> log_dir = tempfile.mkdtemp()
    >>> _ = model.fit(x, y, verbose=0, callbacks=[EvaluationBoard(log_dir, (x, y))])
    >>> os.listdir(log_dir)
    ['evaluation']
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        validation_data: Any = None,
        metric: CriterionLike = "f1",
        *,
        method: Method = "auto",
        every: int | None = None,
        from_logits: bool = False,
        multi_label: bool = False,
        seed: int = 0,
        batch_size: int = 256,
    ) -> None:
        super().__init__()
        pictures.require_matplotlib()
        check_data("validation_data", validation_data)
        check_integer("every", 1 if every is None else every, minimum=1)
        check_integer("batch_size", batch_size, minimum=1)
        check_integer("seed", seed, minimum=0)
        if not isinstance(log_dir, (str, os.PathLike)):
            raise TypeError(f"`log_dir` must be a path, got {log_dir!r}.")
        check_method(method)
        self.log_dir = os.fspath(log_dir)
        self.validation_data = validation_data
        self.metric = criterion_of(metric)
        self.method = method
        self.every = every
        self.from_logits = from_logits
        self.multi_label = multi_label
        self.seed = seed
        self.batch_size = batch_size
        self._forward: ForwardPass | None = None
        self._path: str | None = None
        self._epoch: int | None = None
        self._drawn: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin a new file."""
        self._reset()
        self._forward = ForwardPass(self.model)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Draw, if this epoch is due."""
        self._epoch = epoch
        if self.every is not None and (epoch + 1) % self.every == 0:
            self._draw()

    def on_train_end(self, logs: Any = None) -> None:
        """Draw the last epoch."""
        if self._epoch is not None and self._epoch != self._drawn:
            self._draw()
        self._forward = None

    def _reset(self) -> None:
        self._forward, self._path = None, None
        self._epoch, self._drawn = None, None

    def _draw(self) -> None:
        """Write all pictures of this epoch."""
        self._drawn = self._epoch
        forward = self._forward or ForwardPass(self.model)
        y, raw, weights = predictions(forward, self.validation_data, batch_size=self.batch_size)
        if not np.isfinite(raw).all():
            return
        if self._path is None:
            # Not with the suffix of a search's own runs, which come and go with a trial's state.
            run = os.path.join(_directory_of_trial(self.log_dir), _RUN)
            self._path = events.new_file(run) + _SUFFIX
        figures = self._figures(y, raw, np.ones(len(y)) if weights is None else weights.reshape(-1))
        records = [
            events.Record(_image(name, figure), self._epoch or 0)
            for name, figure in figures.items()
        ]
        with tolerated(self.log_dir):
            events.append(self._path, records)

    def _figures(self, y: Any, raw: Any, weights: Any) -> dict[str, Any]:
        """Return the pictures by name."""
        how = {"multi_label": self.multi_label}
        scores = probabilities_of(raw, from_logits=self.from_logits, **how)
        fit, shown = fair_halves(check_sample(y, scores, np.ones(len(y)), **how), seed=self.seed)
        layer = fit_calibration(
            y[fit],
            raw[fit],
            self.method,
            from_logits=self.from_logits,
            sample_weight=weights[fit],
            **how,
        )
        found = fit_thresholds(y[fit], scores[fit], self.metric, sample_weight=weights[fit], **how)
        before, after = (
            check_sample(y[shown], given, weights[shown], both_classes=False, **how)
            for given in (scores[shown], np.asarray(layer(raw[shown])))
        )
        decisions = found.decide(before.scores)
        return {
            "precision_recall": pictures.precision_recall_picture(before, decisions),
            "reliability": pictures.reliability_picture(before, after),
            "scores": pictures.scores_picture(before, found.values),
            "confusion": pictures.confusion_picture(before, decisions),
        }


def _directory_of_trial(log_dir: str) -> str:
    """Return the directory of the trial that is running, as KerasTuner has it for `TensorBoard`.

    The tuners of kt_extras have already set `log_dir` to the trial's; KerasTuner's do that for its
    own callback alone.
    """
    running = running_tuner()
    if running is None or running.trial_id is None or running.trial_id in Path(log_dir).parts:
        return log_dir
    execution = () if running.execution is None else (f"execution{running.execution}",)
    return os.path.join(log_dir, running.trial_id, *execution)


def _image(name: str, figure: Any) -> Any:
    """Return the summary message of a picture."""
    return events.image(f"{_RUN}/{name}", pictures.png(figure), figure.canvas.get_width_height())
