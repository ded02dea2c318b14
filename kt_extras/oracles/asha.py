"""Asynchronous successive halving, as a KerasTuner oracle and as a tuner."""

from __future__ import annotations

from typing import Any

import keras_tuner

from kt_extras.oracles.arguments import sampler_of, split
from kt_extras.oracles.objective import ObjectiveLike
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.tuner import Tuner
from kt_extras.scheduling import SuccessiveHalving
from kt_extras.search import Forecaster, Sampler

_LIMITS = ("max_total_epochs", "max_time", "target", "max_trials_without_improvement")


class ASHAOracle(SamplerOracle):
    """Gives epochs by asynchronous successive halving (Li et al., MLSys 2020).

    Args:
        objective: As for `kt_extras.SamplerOracle`, and so are all that are not named here.
        max_epochs: Epochs of a trial that reaches the last rung.
        min_epochs: Epochs of the first rung; the others are `reduction_factor` times as long each.
        reduction_factor: Of so many trials in a rung one goes on.
        max_trials: Trials to begin at most; by default `reduction_factor` to the power of the
            number of rungs, if no other argument limits the search.
        seed: Any integer from 0, or None for a random one.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
        mode: `"promotion"`: a trial pauses at each rung and is resumed when it is the best that
            may go on.  `"stopping"`: it goes on at once or is pruned for good, which needs no files
            and finds less.
        sampler: A `kt_extras.samplers.Sampler`, or a name: `"gp"`, a Gaussian process that learns
            from all rungs and has a say in promotions; or `"random"`, as in the paper, or
            `"sobol"`, `"tpe"`, `"evolution"`.
        **kwargs: The other arguments of `kt_extras.SamplerOracle`.

    >>> import keras_tuner
    >>> oracle = ASHAOracle(keras_tuner.Objective("loss", "min"), max_epochs=9, seed=0)
    >>> oracle.max_trials
    27
    """

    def __init__(
        self,
        objective: ObjectiveLike = None,
        max_epochs: int = 27,
        min_epochs: int = 1,
        reduction_factor: int = 3,
        max_trials: int | None = None,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        *,
        mode: str = "promotion",
        sampler: Sampler | str = "gp",
        **kwargs: Any,
    ) -> None:
        chosen = sampler_of(sampler)
        forecaster = chosen if isinstance(chosen, Forecaster) else None
        scheduler = SuccessiveHalving(max_epochs, min_epochs, reduction_factor, mode, forecaster)
        if max_trials is None and all(kwargs.get(limit) is None for limit in _LIMITS):
            max_trials = reduction_factor ** len(scheduler.levels)
        super().__init__(
            chosen,
            objective=objective,
            max_trials=max_trials,
            hyperparameters=hyperparameters,
            seed=seed,
            scheduler=scheduler,
            **kwargs,
        )


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
