"""A KerasTuner trial that copies the search space only when its hyperparameters are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

from kt_extras.bridge.declarations import empty_like

Value = Any


class LazyTrial(Trial):
    """A trial that copies the search space when its hyperparameters are first read.

    A reload creates thousands of trials, of which few are read, and a copy takes a millisecond.

    Args:
        values: The values of the active hyperparameters.
        space: Returns all declared hyperparameters; their values are not used.
        trial_id: The ID of the trial.

    >>> hp = keras_tuner.HyperParameters()
    >>> units = hp.Int("units", 1, 9)
    >>> LazyTrial({"units": 3}, lambda: hp, "0000").hyperparameters.get("units")
    3
    """

    def __init__(
        self,
        values: Mapping[str, Value],
        space: Callable[[], keras_tuner.HyperParameters],
        trial_id: str,
    ) -> None:
        self._values, self._space = dict(values), space
        super().__init__(None, trial_id)

    @property
    def values(self) -> dict[str, Value]:
        """The values of the active hyperparameters."""
        made = self._hyperparameters
        return self._values if made is None else made.values

    def set_values(self, values: Mapping[str, Value]) -> None:
        """Set the values of the active hyperparameters, on the space as it is now."""
        if dict(values) != self.values:
            self._values, self._hyperparameters = dict(values), None

    @property
    def hyperparameters(self) -> keras_tuner.HyperParameters:
        """The space with this trial's values.

        It leaves out active hyperparameters that have no value, since they were declared after
        the trial began.  So the trial can declare them itself, and gets their defaults.
        """
        if self._hyperparameters is None:
            space = self._space()
            made = empty_like(space)
            made.values = dict(self._values)
            made.merge([p for p in space.space if p.name in made.values or not made.is_active(p)])
            made.values = self._values
            self._hyperparameters = made
        return self._hyperparameters

    @hyperparameters.setter
    def hyperparameters(self, hyperparameters: keras_tuner.HyperParameters | None) -> None:
        self._hyperparameters = hyperparameters

    def __copy__(self) -> LazyTrial:
        """Return a shallow copy, which copies the space by itself."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a trial of KerasTuner: the space belongs to a search."""
        return _plain_trial, (self.get_state(),)


def _plain_trial(state: dict[str, Any]) -> Trial:
    """Return the trial of a state; `Trial.from_state` draws an ID from Python's `random`."""
    trial = Trial(None, state["trial_id"])
    trial.set_state(state)
    return trial


def set_missing_defaults(hp: keras_tuner.HyperParameters) -> keras_tuner.HyperParameters:
    """Set active hyperparameters that have no value to their defaults; return the same object.

    Hyperparameters that were declared after the trial began have no value.

    >>> hp = keras_tuner.HyperParameters()
    >>> units = hp.Int("units", 1, 9)
    >>> hp.values = {}
    >>> set_missing_defaults(hp).get("units")
    1
    """
    for declared in hp.space:
        if hp.is_active(declared):
            hp.values.setdefault(declared.name, declared.default)
    return hp
