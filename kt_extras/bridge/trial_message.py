"""What went wrong in a trial, on its way from a worker to its chief.

KerasTuner's protocol has no field for it, but carries the values of hyperparameters.
"""

from __future__ import annotations

from keras_tuner.engine.trial import Trial

_NAME = "kt_extras/message"


def add_message(trial: Trial) -> None:
    """Put the message of a trial among its hyperparameters; on a worker, before the trial is sent.

    >>> import keras_tuner
    >>> trial = Trial(keras_tuner.HyperParameters(), trial_id="0003", message="ValueError: no")
    >>> add_message(trial)
    >>> received = Trial.from_proto(trial.to_proto())
    >>> take_message(received)
    >>> received.message, received.hyperparameters.values
    ('ValueError: no', {})
    """
    if trial.message is not None:
        trial.hyperparameters.values[_NAME] = trial.message


def take_message(trial: Trial) -> None:
    """Undo `add_message`; on a chief, when it has received the trial."""
    message = trial.hyperparameters.values.pop(_NAME, None)
    if message is not None:
        trial.message = message
