"""The oracle of a search by regularised evolution."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NoReturn

import keras_tuner

from kt_extras.bridge.goals import Constraints, Objectives
from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import check_count, passed_on, refuse_unknown
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.pruners import Pruner
from kt_extras.records.past_searches import PastSearches
from kt_extras.samplers.evolution import Evolution as EvolutionSampler
from kt_extras.schedulers import Scheduler
from kt_extras.search.priors import Prior

_FRACTION = 0.4  # of the budget is the first generation, drawn at random, within these limits:
_MIN_SIZE, _MAX_SIZE = 4, 20


class EvolutionOracle(SamplerOracle):
    """Suggests children of the best among the latest trials (Real et al., AAAI 2019).

    Args:
        objective: As for `kt_extras.SamplerOracle`.
        max_trials: Maximum number of trials to begin; None for no limit.  Defaults to 10.
        seed: An integer from 0.  Defaults to None: one that Python's `random` gives.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        population_size: Number of latest trials that can be parents.  Defaults to 0.4 of
            `max_trials`, but not below 4 and not above 20.
        tournament_size: Number of these drawn at random, of which the best becomes the parent; from
            1 to `population_size`.  Defaults to half of `population_size`.
        sampler: A `kt_extras.samplers.Evolution` with other settings, in place of the sizes.
            Defaults to None.
        pruner, scheduler, allow_new_entries, tune_new_entries, max_retries_per_trial,
            max_consecutive_failed_trials, max_time, max_total_epochs, target,
            max_trials_without_improvement, max_failure_fraction, prior, try_defaults, warm_start,
            objectives, constraints, weights: As for `kt_extras.SamplerOracle`.
        **unknown: Refused; the error names the argument that was probably meant.

    Raises:
        ValueError: A size out of its range, or sizes beside a `sampler`.

    >>> import keras_tuner
    >>> oracle = EvolutionOracle(keras_tuner.Objective("cost", "min"), max_trials=40, seed=0)
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
        *,
        population_size: int | None = None,
        tournament_size: int | None = None,
        sampler: EvolutionSampler | None = None,
        pruner: Pruner | None = None,
        scheduler: Scheduler | None = None,
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
        check_count("max_trials", max_trials, minimum=1)
        if sampler is None:
            size = _fitting_size(max_trials) if population_size is None else population_size
            sampler = EvolutionSampler(size, tournament_size)
        elif population_size is not None or tournament_size is not None:
            raise ValueError(
                "`population_size` and `tournament_size` must be None beside a `sampler`, got "
                f"{population_size!r} and {tournament_size!r}; set them in the sampler."
            )
        super().__init__(**passed_on(locals(), SamplerOracle))


def _fitting_size(max_trials: int | None) -> int:
    """Return the population for a budget: small enough to leave most of it to evolution."""
    if max_trials is None:
        return _MAX_SIZE
    return min(max(int(_FRACTION * max_trials), _MIN_SIZE), _MAX_SIZE)
