"""The oracle of Bayesian optimisation by a Gaussian process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NoReturn

import keras_tuner

from kt_extras.arguments import check_integer, is_finite
from kt_extras.bridge.goals import Constraints, Objectives
from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import passed_on, refuse_unknown
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.pruners import Pruner
from kt_extras.records.past_searches import PastSearches
from kt_extras.samplers.bayesian_optimization import (
    BayesianOptimization as BayesianOptimizationSampler,
)
from kt_extras.schedulers import Scheduler
from kt_extras.search.priors import Prior

_ALPHA, _BETA = 1e-4, 2.6  # KerasTuner's defaults


class BayesianOptimizationOracle(SamplerOracle):
    """Suggests points by a Gaussian process, as KerasTuner's oracle of that name.

    Args:
        objective: As for `kt_extras.SamplerOracle`.
        max_trials: Maximum number of trials to begin; None for no limit.  Defaults to 10.
        num_initial_points: Number of random trials before the model is used, from 1.  Defaults to
            None: 10.
        alpha: Variance of the noise of scores that have a variance of 1.  Defaults to 1e-4, with
            which it is fitted to the scores.
        beta: Weight of the standard deviation in a confidence bound, whose best point is
            suggested; the larger, the more is explored.  Defaults to 2.6, with which the point with
            the largest expected improvement is suggested.
        seed: An integer from 0.  Defaults to None: one that Python's `random` gives.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        pruner, scheduler, allow_new_entries, tune_new_entries, max_retries_per_trial,
            max_consecutive_failed_trials, max_time, max_total_epochs, target,
            max_trials_without_improvement, max_failure_fraction, prior, try_defaults, warm_start,
            objectives, constraints, weights: As for `kt_extras.SamplerOracle`.
        **unknown: Refused; the error names the argument that was probably meant.

    >>> import keras_tuner
    >>> cost = keras_tuner.Objective("cost", "min")
    >>> oracle = BayesianOptimizationOracle(cost, max_trials=5, num_initial_points=3, seed=0)
    >>> oracle.sampler.inner.inner.n_startup_trials
    3
    """

    def __init__(
        self,
        objective: ObjectiveLike = None,
        max_trials: int | None = 10,
        num_initial_points: int | None = None,
        alpha: float = 1e-4,
        beta: float = 2.6,
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
        sampler = _sampler(num_initial_points, alpha, beta)
        super().__init__(**passed_on(locals(), SamplerOracle))
        self.num_initial_points, self.alpha, self.beta = num_initial_points, alpha, beta


def _sampler(
    num_initial_points: int | None, alpha: float, beta: float
) -> BayesianOptimizationSampler:
    """Return the sampler with KerasTuner's arguments; what has its default is not set."""
    if num_initial_points is not None:
        check_integer("num_initial_points", num_initial_points, minimum=1, hint="or pass None")
    for name, value, smallest in (("alpha", alpha, 1e-12), ("beta", beta, 0)):
        if not (is_finite(value) and value >= smallest):
            raise ValueError(f"`{name}` must be a number from {smallest}, got {value!r}.")
    return BayesianOptimizationSampler(
        n_startup_trials=num_initial_points,
        noise=None if alpha == _ALPHA else float(alpha),
        exploration=None if beta == _BETA else float(beta),
    )
