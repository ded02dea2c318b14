"""The tuner of a search by regularised evolution."""

from __future__ import annotations

from typing import Any

import keras_tuner

from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import split
from kt_extras.oracles.evolution import EvolutionOracle
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.tuners.tuner import Tuner


class Evolution(Tuner):
    """A tuner that breeds good trials; takes the place of `keras_tuner.RandomSearch`.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_accuracy"`), or a
            `keras_tuner.Objective`.
        max_trials: Trials to begin at most.
        seed: Any integer from 0; it settles suggestions and training alike.  None: a random one,
            and the training is left to Keras' own generators.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
        **kwargs: The other arguments of `kt_extras.EvolutionOracle` (`population_size`,
            `tournament_size`, `pruner`, `sampler`, `max_time`, ...), of `kt_extras.Tuner` and of
            `keras_tuner.Tuner` (`directory`, `project_name`, ...).

    Raises:
        ValueError: A size out of its range, or sizes beside a `sampler`.

    >>> import keras, tempfile
    >>> def build(hp):
    ...     units = hp.Int("units", 4, 64, sampling="log")
    ...     model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     return model
    >>> tuner = Evolution(build, "val_loss", max_trials=40, seed=0, directory=tempfile.mkdtemp())
    >>> tuner.remaining_trials
    40
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: ObjectiveLike = None,
        max_trials: int | None = 10,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        **kwargs: Any,
    ) -> None:
        own, others = split(kwargs, EvolutionOracle, SamplerOracle)
        own = {**own, "seed": seed, "hyperparameters": hyperparameters}
        super().__init__(EvolutionOracle(objective, max_trials, **own), hypermodel, **others)
