"""Hyperband with a model, as a KerasTuner oracle and a tuner (BOHB: Falkner et al., ICML 2018)."""

from __future__ import annotations

from typing import Any

import keras_tuner

from kt_extras.oracles.arguments import sampler_of, split
from kt_extras.oracles.objective import ObjectiveLike
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.tuner import Tuner
from kt_extras.scheduling import Hyperband
from kt_extras.search import Sampler
from kt_extras.search.largest_budget import LargestBudget


class BOHBOracle(SamplerOracle):
    """Gives epochs by Hyperband, and suggests points by a model of the longest trials.

    Args:
        objective: As for `kt_extras.SamplerOracle`, and so are all that are not named here.
        max_epochs: Epochs of a trial that reaches the last rung of its bracket.
        reduction_factor: Of so many trials in a rung one goes on.
        iterations: How often all brackets are run.
        seed: Any integer from 0, or None for a random one.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
        min_epochs: Epochs of the first rung of the longest bracket.
        sampler: A `kt_extras.samplers.Sampler`, or a name.  By default
            `kt_extras.samplers.LargestBudget()`: a tree-structured Parzen estimator of the trials
            at the largest budget that enough have reached, and every third suggestion at random.
            `"random"` makes it plain Hyperband (Li et al., JMLR 2018).
        **kwargs: The other arguments of `kt_extras.SamplerOracle`.

    >>> import keras_tuner
    >>> oracle = BOHBOracle(keras_tuner.Objective("loss", "min"), max_epochs=9, seed=0)
    >>> [bracket.sizes for bracket in oracle.scheduler.brackets]
    [(9, 3, 1), (5, 1), (3,)]
    """

    def __init__(
        self,
        objective: ObjectiveLike = None,
        max_epochs: int = 27,
        reduction_factor: int = 3,
        iterations: int = 1,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        *,
        min_epochs: int = 1,
        sampler: Sampler | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            LargestBudget() if sampler is None else sampler_of(sampler),
            objective=objective,
            hyperparameters=hyperparameters,
            seed=seed,
            scheduler=Hyperband(max_epochs, reduction_factor, iterations, min_epochs),
            **kwargs,
        )


class BOHB(Tuner):
    """Runs brackets that begin with many short trials and end with a few long ones.

    `search` takes no `epochs`: `max_epochs` says how long the best trials are trained.  `plan()`
    shows beforehand what will be trained.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_accuracy"`), or a
            `keras_tuner.Objective`.
        max_epochs: Epochs of a trial that reaches the last rung of its bracket.
        **kwargs: The other arguments of `kt_extras.BOHBOracle` (`reduction_factor`, `iterations`,
            `sampler`, `seed`, ...), of `kt_extras.Tuner` and of `keras_tuner.Tuner`.

    >>> import keras, tempfile, kt_extras as kte
    >>> def build(hp):
    ...     units = hp.Int("units", 4, 64, sampling="log")
    ...     model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     return model
    >>> tuner = kte.BOHB(build, "val_loss", max_epochs=4, reduction_factor=2, seed=0,
    ...                  directory=tempfile.mkdtemp())
    >>> rows = tuner.plan()
    bracket  epochs  trials  new_epochs
          0       1       4           4
          0       2       2           2
          0       4       1           2
          1       2       3           6
          1       4       1           2
          2       4       3          12
    10 trials, 28 epochs in all
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: ObjectiveLike = None,
        max_epochs: int = 27,
        **kwargs: Any,
    ) -> None:
        own, others = split(kwargs, BOHBOracle, SamplerOracle)
        super().__init__(BOHBOracle(objective, max_epochs, **own), hypermodel, **others)
