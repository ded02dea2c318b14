"""The oracle of BOHB: Hyperband with a model (Falkner et al., ICML 2018)."""

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
from kt_extras.samplers.largest_budget import LargestBudget
from kt_extras.schedulers import Hyperband
from kt_extras.search import Sampler
from kt_extras.search.priors import Prior


class BOHBOracle(SamplerOracle):
    """Gives epochs by Hyperband, and suggests points by a model of the longest trials.

    Args:
        objective: As for `kt_extras.SamplerOracle`.
        max_epochs: Epochs of a trial that reaches the last rung of its bracket.  Defaults to 27.
        reduction_factor: Of this many trials in a rung, one is promoted to the next.  Defaults to
            3.
        iterations: How often all brackets are run.  Defaults to 1.
        seed: An integer from 0.  Defaults to None: one that Python's `random` gives.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        min_epochs: Epochs of the first rung of the longest bracket.  Defaults to 1.
        max_trials: Maximum number of trials to begin.  Defaults to None: as many as the brackets
            need.
        sampler: A `kt_extras.samplers.Sampler`, or a name; `"random"` makes it plain Hyperband (Li
            et al., JMLR 2018).  Defaults to `kt_extras.samplers.LargestBudget()`: a tree-structured
            Parzen estimator of the trials at the largest budget that enough trials have reached;
            every third suggestion is random.
        pruner, allow_new_entries, tune_new_entries, max_retries_per_trial,
            max_consecutive_failed_trials, max_time, max_total_epochs, target,
            max_trials_without_improvement, max_failure_fraction, prior, try_defaults, warm_start,
            objectives, constraints, weights: As for `kt_extras.SamplerOracle`.
        **unknown: Refused; the error names the argument that was probably meant.

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
        max_trials: int | None = None,
        sampler: Sampler | str | None = None,
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
        sampler = LargestBudget() if sampler is None else sampler_of(sampler)
        scheduler = Hyperband(max_epochs, reduction_factor, iterations, min_epochs)
        super().__init__(**passed_on(locals(), SamplerOracle))
