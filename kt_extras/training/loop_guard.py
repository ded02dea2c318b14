"""Keeps a training, Keras' or a loop of the user's own, to what a search can honour."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import keras
import keras_tuner

from kt_extras import compat
from kt_extras.training.optimizer_check import OptimizerCheck

_ONE_TRAINING = (
    "A scheduler gives epochs to one training of each trial, which it may pause and resume: call "
    "`fit` once, for one model.  For cross-validation, or for several trainings one after the "
    "other, use a tuner without a scheduler, such as `kt_extras.TPE`."
)

_NEVER_RESUMES = (
    "Or use a tuner that never resumes a trial, such as `kt_extras.TPE` with a pruner, or "
    '`kt_extras.ASHA(..., mode="stopping")`.'
)


class TrainingEnded(BaseException):
    """Ends a trial whose training goes on although it was asked to stop.

    It is no `Exception`, so that code of the user's that handles errors does not take it for one.
    """


class LoopGuard(keras.callbacks.Callback):
    """Ends a training that goes on after it was asked to stop; must be the first callback.

    A loop of the user's own need not look at `model.stop_training`, and a `HyperModel.fit` may call
    `fit` again after the first was stopped.

    Args:
        asked_to_stop: Returns whether the training was asked to stop.

    >>> guard = LoopGuard(lambda: True)
    >>> try:
    ...     guard.on_epoch_begin(1)
    ... except TrainingEnded:
    ...     print("ended")
    ended
    """

    def __init__(self, asked_to_stop: Callable[[], bool]) -> None:
        super().__init__()
        self._asked_to_stop = asked_to_stop

    def on_train_begin(self, logs: Any = None) -> None:
        """End the trial if it was asked to stop."""
        self._end_if_asked()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """End the trial if it was asked to stop."""
        self._end_if_asked()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """End the trial if it was asked to stop, before anything looks at this epoch.

        Raises:
            ValueError: The loop has not set the model.
        """
        self._end_if_asked()
        if self.model is None:
            raise ValueError(
                "`callback.set_model(model)` must be called for each of the `callbacks` before the "
                "first epoch: they save the weights, and stop the training."
            )
        compat.mark_built(self.model)  # its weights can be saved then

    def _end_if_asked(self) -> None:
        if self._asked_to_stop():
            raise TrainingEnded


class ScheduledLoopGuard(LoopGuard):
    """The same under a scheduler, where a trial must be one training that can be resumed.

    Args:
        asked_to_stop: Returns whether the training was asked to stop.
        resumes: Whether the scheduler may resume a trial.
        begins: Whether the trial begins, and is not resumed itself.  Defaults to True.
    """

    def __init__(
        self, asked_to_stop: Callable[[], bool], *, resumes: bool, begins: bool = True
    ) -> None:
        super().__init__(asked_to_stop)
        self._resumes, self._begins = resumes, begins
        self._begun = False
        self._optimizers: OptimizerCheck | None = None  # of the first epoch
        self._last: int | None = None  # the last epoch
        self._trained: Any = None  # a weak reference to the model

    def on_train_begin(self, logs: Any = None) -> None:
        """Note that the training has begun, and so that what was saved is restored.

        Raises:
            keras_tuner.errors.FatalValueError: There was a training before it.
        """
        if self._last is not None:
            raise _refused("`fit` is called a second time in one trial.")
        super().on_train_begin(logs)
        self._begun = True
        if self._resumes and self._begins and getattr(self.model, "optimizer", None) is not None:
            self._optimizers = OptimizerCheck(self.model)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """End the trial if it was asked to stop, or refuse the training.

        Raises:
            keras_tuner.errors.FatalValueError: The training begins again, or could not be resumed.
        """
        super().on_epoch_end(epoch, logs)
        if self._resumes:
            self._check_resumable()
        if self._last is not None and (epoch <= self._last or self._trained() is not self.model):
            raise _refused(
                f"Epoch {epoch} follows epoch {self._last}, or is that of another model."
            )
        self._last, self._trained = epoch, weakref.ref(self.model)

    def _check_resumable(self) -> None:
        if not self._begun:
            raise keras_tuner.errors.FatalValueError(
                "`callback.on_train_begin()` must be called for each of the `callbacks` before the "
                "first epoch, after `set_model`: the scheduler pauses trials, and there a trial "
                "that is resumed gets its weights, optimizer and random state back.  "
                + _NEVER_RESUMES
            )
        if getattr(self.model, "optimizer", None) is None:
            raise keras_tuner.errors.FatalValueError(
                "`model` must be compiled with the optimizer that trains it: the scheduler pauses "
                "trials, and only the state of `model.optimizer` is saved with the weights.  Call "
                "`model.compile(optimizer=...)` in `build`, and use `model.optimizer` in the loop."
            )
        check, self._optimizers = self._optimizers, None
        if check is not None:
            _check_optimizers(check, self.model)


def _check_optimizers(check: OptimizerCheck, model: keras.Model) -> None:
    """Raise if something else than `model.optimizer` trains the model.

    Raises:
        keras_tuner.errors.FatalValueError: That is so.
    """
    saved = (
        "The scheduler pauses trials, and only the state of `model.optimizer` is saved with the "
        "weights.  "
    )
    if others := check.others(model):
        raise keras_tuner.errors.FatalValueError(
            f"`model` must be trained by `model.optimizer` alone, and {', '.join(others)} trains "
            f"it too.  {saved}For layers with rates of their own, one optimizer is enough: "
            f"`kt_extras.optimizers.differential`.  {_NEVER_RESUMES}"
        )
    if check.has_moved_alone(model):
        raise keras_tuner.errors.FatalValueError(
            "`model.optimizer` must be the optimizer that trains the model: it has made no step, "
            f"and the weights have changed.  {saved}Call `model.compile(optimizer=...)` with the "
            f"one that the loop uses, or use `model.optimizer` in the loop.  {_NEVER_RESUMES}"
        )


def _refused(what: str) -> keras_tuner.errors.FatalValueError:
    return keras_tuner.errors.FatalValueError(f"{what}  {_ONE_TRAINING}")
