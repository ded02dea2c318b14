"""The oracle of asynchronous successive halving."""

from __future__ import annotations

from typing import Any

import keras_tuner

from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import sampler_of
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.schedulers import SuccessiveHalving
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
