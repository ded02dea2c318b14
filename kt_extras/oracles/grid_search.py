"""The oracle of grid search."""

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
from kt_extras.samplers.grid import Grid
from kt_extras.schedulers import Scheduler
from kt_extras.search.priors import Prior


class GridSearchOracle(SamplerOracle):
    """Tries all combinations in the order of KerasTuner's oracle of that name.

    The first trial has the defaults, and the last hyperparameter changes fastest.  A range without
    a step has ten values and its default.

    Args:
        objective: As for `kt_extras.SamplerOracle`.
        max_trials: Maximum number of trials to begin.  Defaults to None: all combinations.
        seed: An integer from 0.  Defaults to None: one that Python's `random` gives.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        refine: How many finer grids follow, each around the best trial so far: numbers take its
            values and those halfway to their neighbours, and choices stay; not with a `scheduler`.
            Defaults to 0.
        resolution: Number of values of each range in the first grid, from 2, evenly spread from end
            to end; its default is one more if it is not among them.  A coarse grid goes well with
            `refine`.  Defaults to None: all values of a range with a step, ten of one without.
        pruner, scheduler, allow_new_entries, tune_new_entries, max_retries_per_trial,
            max_consecutive_failed_trials, max_time, max_total_epochs, target,
            max_trials_without_improvement, max_failure_fraction, prior, try_defaults, warm_start,
            objectives, constraints, weights: As for `kt_extras.SamplerOracle`.
        **unknown: Refused; the error names the argument that was probably meant.

    >>> import keras_tuner
    >>> oracle = GridSearchOracle(keras_tuner.Objective("cost", "min"))
    >>> units = oracle.hyperparameters.Int("units", 8, 32, step=8, default=16)
    >>> [oracle.create_trial(worker).hyperparameters.get("units") for worker in "abcd"]
    [16, 8, 24, 32]
    """

    def __init__(
        self,
        objective: ObjectiveLike = None,
        max_trials: int | None = None,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        refine: int = 0,
        resolution: int | None = None,
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
        sampler = Grid(refine, resolution)
        super().__init__(**passed_on(locals(), SamplerOracle))
