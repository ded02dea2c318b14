"""The oracle of Hyperband (Li et al., JMLR 18, 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NoReturn

import keras_tuner

from kt_extras.arguments import check_integer
from kt_extras.bridge.goals import Constraints, Objectives
from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import passed_on, refuse_unknown, sampler_of
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.pruners import Pruner
from kt_extras.records.past_searches import PastSearches
from kt_extras.schedulers import Hyperband
from kt_extras.search import Sampler
from kt_extras.search.priors import Prior


class HyperbandOracle(SamplerOracle):
    """Gives epochs by Hyperband, in the brackets of KerasTuner's oracle of that name.

    Args:
        objective: As for `kt_extras.SamplerOracle`.
        max_epochs: Epochs of a trial that reaches the last rung of its bracket.  Defaults to 100.
        factor: Of this many trials in a rung, one is promoted to the next, which is as many times
            longer.  Defaults to 3.
        hyperband_iterations: How often all brackets are run, None to run them without end.
            Defaults to 1.
        seed: An integer from 0.  Defaults to None: one that Python's `random` gives.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        max_trials: Maximum number of trials to begin.  Defaults to None: as many as the brackets
            need.
        sampler: A `kt_extras.samplers.Sampler`, or a name.  Defaults to `"random"`; with
            `kt_extras.samplers.LargestBudget()` it is BOHB in these brackets.
        pruner, allow_new_entries, tune_new_entries, max_retries_per_trial,
            max_consecutive_failed_trials, max_time, max_total_epochs, target,
            max_trials_without_improvement, max_failure_fraction, prior, try_defaults, warm_start,
            objectives, constraints, weights: As for `kt_extras.SamplerOracle`.
        **unknown: Refused; the error names the argument that was probably meant.

    >>> import keras_tuner
    >>> oracle = HyperbandOracle(keras_tuner.Objective("loss", "min"), max_epochs=10, seed=0)
    >>> [(bracket.levels, bracket.sizes) for bracket in oracle.scheduler.brackets]
    [((2, 4, 10), (12, 4, 2)), ((4, 10), (6, 2)), ((10,), (4,))]
    """

    def __init__(
        self,
        objective: ObjectiveLike = None,
        max_epochs: int = 100,
        factor: int = 3,
        hyperband_iterations: int | None = 1,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        allow_new_entries: bool = True,
        tune_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        max_trials: int | None = None,
        sampler: Sampler | str = "random",
        pruner: Pruner | None = None,
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
        check_integer("factor", factor, minimum=2)
        if hyperband_iterations is not None:
            check_integer(
                "hyperband_iterations", hyperband_iterations, minimum=1, hint="or pass None"
            )
        sampler = sampler_of(sampler)
        scheduler = Hyperband(max_epochs, factor, hyperband_iterations, rounding="up")
        super().__init__(**passed_on(locals(), SamplerOracle))
        self.max_epochs, self.factor = max_epochs, factor
        self.hyperband_iterations = hyperband_iterations
