"""Callbacks that are made before the turn of their trial, to see what they need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras_tuner.engine.trial import Trial

from kt_extras.training.callbacks import Callbacks, Factory, callbacks_for


class CallbacksBefore:
    """A function that makes the callbacks of a trial, called once even if they are asked for twice.

    It may start a run of a tracker, say.

    Args:
        function: The user's, `(hp, trial) -> callbacks`.

    >>> from types import SimpleNamespace
    >>> calls = []
    >>> made = CallbacksBefore(lambda hp, trial: calls.append(trial.trial_id) or [])
    >>> trial = SimpleNamespace(trial_id="0000", hyperparameters=None)
    >>> made.before(trial), made(None, trial), calls
    ([], [], ['0000'])
    """

    def __init__(self, function: Factory) -> None:
        self._function = function
        self._made: dict[str, Callbacks] = {}

    def __call__(self, hp: Any, trial: Trial) -> Callbacks:
        """Return the callbacks of a trial for its training."""
        made = self._made.pop(trial.trial_id, None)
        return self._function(hp, trial) if made is None else made

    def before(self, trial: Trial) -> Callbacks:
        """Make the callbacks of a trial for its training, and return them."""
        self._made[trial.trial_id] = made = callbacks_for(self._function, trial)
        return made


def made_before(fit_kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return arguments of `search` with which `callbacks_before` makes callbacks once."""
    given = fit_kwargs.get("callbacks")
    return {**fit_kwargs, "callbacks": CallbacksBefore(given)} if callable(given) else fit_kwargs


def callbacks_before(given: Any, trial: Trial) -> list[Any]:
    """Return the callbacks of a trial, to see what they need.

    Args:
        given: What `made_before` has returned.
        trial: The trial.
    """
    if isinstance(given, CallbacksBefore):
        return given.before(trial)
    return [given] if isinstance(given, keras.callbacks.Callback) else list(given or [])
