"""The oracle of successive halving with progressive resource allocation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NoReturn

import keras_tuner

from kt_extras.bridge.goals import Constraints, Objectives
from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import passed_on, refuse_unknown, sampler_of
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.pruners import Pruner
from kt_extras.records.past_searches import PastSearches
from kt_extras.schedulers import ProgressiveHalving
from kt_extras.search import Forecaster, Sampler
from kt_extras.search.priors import Prior


class PASHAOracle(SamplerOracle):
    """Gives epochs as `ASHAOracle`, to no higher a rung than the order of trials requires.

    This is PASHA (Bohdal et al., ICLR 2023): the next rung is opened only when the trials of the
    highest open one are in another order there than in the rung below.

    Args:
        objective: As for `kt_extras.SamplerOracle`.
        max_epochs: Epochs of the last rung, which need not be opened.  Defaults to 27.
        min_epochs: Epochs of the first rung; each further rung is `reduction_factor` times as long.
            Defaults to 1.
        reduction_factor: Of this many trials in a rung, one is promoted to the next.  Defaults to
            3.
        max_trials: Maximum number of trials to begin.  Defaults to `reduction_factor` to the power
            of the number of rungs if no other argument limits the search, else to None: no limit.
        seed: An integer from 0.  Defaults to None: one that Python's `random` gives.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        sampler: A `kt_extras.samplers.Sampler`, or a name: `"gp"`, a Gaussian process that learns
            from all rungs and takes part in promotions; `"random"`, as in the paper; `"sobol"`,
            `"tpe"` or `"evolution"`.  Defaults to `"gp"`.
        pruner, allow_new_entries, tune_new_entries, max_retries_per_trial,
            max_consecutive_failed_trials, max_time, max_total_epochs, target,
            max_trials_without_improvement, max_failure_fraction, prior, try_defaults, warm_start,
            objectives, constraints, weights: As for `kt_extras.SamplerOracle`.
        **unknown: Refused; the error names the argument that was probably meant.

    >>> import keras_tuner
    >>> oracle = PASHAOracle(keras_tuner.Objective("loss", "min"), max_epochs=9, seed=0)
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
        sampler: Sampler | str = "gp",
        pruner: Pruner | None = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        max_time: float | timedelta | None = None,
        max_total_epochs: int | None = None,
        target: float | None = None,
        max_trials_without_improvement: int | None = None,
        max_failure_fraction: float | None = 0.5,
        prior: Mapping[str, Prior] | None = None,
        try_defaults: bool = False,
        warm_start: PastSearches | None = None,
        objectives: Objectives | None = None,
        constraints: Constraints | None = None,
        weights: Mapping[str, float] | None = None,
        **unknown: NoReturn,
    ) -> None:
        refuse_unknown(unknown, type(self))
        sampler = sampler_of(sampler)
        forecaster = sampler if isinstance(sampler, Forecaster) else None
        scheduler = ProgressiveHalving(max_epochs, min_epochs, reduction_factor, forecaster)
        limits = (max_total_epochs, max_time, target, max_trials_without_improvement)
        if max_trials is None and all(limit is None for limit in limits):
            max_trials = reduction_factor ** len(scheduler.whole.levels)
        super().__init__(**passed_on(locals(), SamplerOracle))
