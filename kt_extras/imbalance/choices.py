"""A choice in the search space, of which there may be only one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def choose(hp: Any, name: str, values: Sequence[str]) -> str | None:
    """Return the value chosen, or None in a conditional scope that is not active.

    Args:
        hp: KerasTuner's hyperparameters.
        name: Name of the hyperparameter, on whose values others may depend.
        values: What to choose from; the first is the default.  A single one is fixed.

    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> choose(hp, "method", ["none", "smote"]), choose(hp, "loss", ["focal"])
    ('none', 'focal')
    >>> [type(each).__name__ for each in hp.space]
    ['Choice', 'Fixed']
    """
    chosen: str | None = (
        hp.Fixed(name, values[0])
        if len(values) == 1
        else hp.Choice(name, list(values), default=values[0])
    )
    return chosen
