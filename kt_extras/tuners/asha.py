"""The tuner of asynchronous successive halving."""

from __future__ import annotations

from typing import Any

from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import split
from kt_extras.oracles.asha import ASHAOracle
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.tuners.tuner import Tuner


class ASHA(Tuner):
    """Trains many models a little and the promising ones to the end.

    A trial that pauses keeps its weights, the optimizer's state and what its callbacks count, and
    goes on from there when it is promoted.  `search` takes no `epochs`: `max_epochs` says how long
    the best trials are trained.  `plan()` shows beforehand what will be trained.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_accuracy"`), or a
            `keras_tuner.Objective`.
        max_epochs: Epochs of a trial that reaches the last rung.
        **kwargs: The other arguments of `kt_extras.ASHAOracle` (`min_epochs`, `reduction_factor`,
            `max_trials`, `mode`, `sampler`, `seed`, `max_total_epochs`, `max_time`, ...), of
            `kt_extras.Tuner` and of `keras_tuner.Tuner` (`directory`, `project_name`, ...).

    >>> import keras, tempfile, kt_extras as kte
    >>> def build(hp):
    ...     units = hp.Int("units", 4, 64, sampling="log")
    ...     model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     return model
    >>> tuner = kte.ASHA(build, "val_loss", max_epochs=9, max_trials=20, seed=0,
    ...                  directory=tempfile.mkdtemp())
    >>> rows = tuner.plan()
    bracket  epochs  trials  new_epochs
          0       1      20          20
          0       3       6          12
          0       9       2          12
    20 trials, 44 epochs in all
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: ObjectiveLike = None,
        max_epochs: int = 27,
        **kwargs: Any,
    ) -> None:
        own, others = split(kwargs, ASHAOracle, SamplerOracle)
        super().__init__(ASHAOracle(objective, max_epochs, **own), hypermodel, **others)
