"""One model that one member of a population after the other goes on with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from kt_extras.training.live_model import differing_numbers, hold_numbers, take_numbers

Build = Callable[[Any], keras.Model]


class ContinuedModel:
    """Keeps the model that was trained last, for whoever can go on with it.

    Building a model costs little and tracing it costs much.  So the model that a member asks for is
    built and compared with the one that is there: if they differ in numbers of the optimizer alone,
    the traced one takes these over.  Its state is for `RestoreState` to restore.

    Attributes:
        model: The model, None if there is none.
    """

    def __init__(self) -> None:
        self.model: keras.Model | None = None

    def begin(self, model: keras.Model) -> keras.Model:
        """Keep a model that is to be trained from its beginning."""
        self.model = model
        return model

    def go_on(self, hp: Any, build: Build, compare: Build) -> keras.Model:
        """Return a model with these hyperparameters, whose state is to be restored.

        Args:
            hp: The hyperparameters.
            build: Builds a model to be trained.
            compare: Builds a model to be looked at only.
        """
        if self.model is None:
            return self.begin(build(hp))
        rebuilt = compare(hp)
        numbers = differing_numbers(self.model, rebuilt)
        if numbers is None:
            return self.begin(rebuilt)
        if set(numbers) - {"learning_rate"}:
            hold_numbers(self.model)
        take_numbers(self.model, numbers)
        return self.model
