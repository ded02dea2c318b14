"""The oracle of random search."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NoReturn

import keras_tuner

from kt_extras.bridge.goals import Constraints, Objectives
from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import passed_on, refuse_unknown
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.pruners import Pruner
from kt_extras.records.past_searches import PastSearches
from kt_extras.samplers.random import Random
from kt_extras.schedulers import Scheduler
from kt_extras.search.priors import Prior


class RandomSearchOracle(SamplerOracle):
    """Draws points at random (Bergstra & Bengio, JMLR 13, 2012), as KerasTuner's of that name.

    Args:
        objective: As for `kt_extras.SamplerOracle`.
        max_trials: Maximum number of trials to begin; None for no limit.  Defaults to 10.
        seed: An integer from 0.  Defaults to None: one that Python's `random` gives.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        pruner, scheduler, allow_new_entries, tune_new_entries, max_retries_per_trial,
            max_consecutive_failed_trials, max_time, max_total_epochs, target,
            max_trials_without_improvement, max_failure_fraction, prior, try_defaults, warm_start,
            objectives, constraints, weights: As for `kt_extras.SamplerOracle`.
        **unknown: Refused; the error names the argument that was probably meant.

    >>> import keras_tuner
    >>> oracle = RandomSearchOracle(keras_tuner.Objective("cost", "min"), max_trials=5, seed=0)
    >>> rate = oracle.hyperparameters.Float("rate", 1e-4, 1e-1, sampling="log")
    >>> 1e-4 <= oracle.create_trial("worker").hyperparameters.get("rate") <= 1e-1
    True
    """

    def __init__(
        self,
        objective: ObjectiveLike = None,
        max_trials: int | None = 10,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        pruner: Pruner | None = None,
        scheduler: Scheduler | None = None,
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
        sampler = Random()
        super().__init__(**passed_on(locals(), SamplerOracle))
