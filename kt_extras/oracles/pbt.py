"""The oracle of population based training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal, NoReturn

import keras_tuner

from kt_extras.arguments import check_integer, names_in
from kt_extras.bridge.goals import Constraints, Objectives
from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import passed_on, refuse_unknown, sampler_of
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.records.past_searches import PastSearches
from kt_extras.schedulers import Population
from kt_extras.search import Sampler
from kt_extras.search.priors import Prior

Explore = Literal["perturb", "pb2"]


class PBTOracle(SamplerOracle):
    """Trains a population whose worse members take over from its better ones.

    Args:
        objective: As for `kt_extras.SamplerOracle`.
        population_size: Number of members, from 2.  Defaults to 8.
        max_epochs: Epochs that every member trains, from 2.  Defaults to 20.
        interval: Epochs from one comparison to the next, below `max_epochs`.  Defaults to a
            twentieth of `max_epochs`.
        quantile: Fraction of the members that counts as the best, and as the worst, in (0, 0.5].
            Defaults to 0.25.
        resample_probability: Probability that a hyperparameter is drawn again rather than
            perturbed.  Defaults to 0.25.
        perturbation_factors: The factors by which a value may be multiplied.  Defaults to
            `(0.8, 1.2)`.
        mutable: Names of the hyperparameters that may change during a training.  Defaults to None:
            all of them.
        explore: How a member that has taken over changes its mutable hyperparameters: `"perturb"`,
            each of them drawn again or perturbed; `"pb2"`, all chosen by a Gaussian process that
            learns what lowers the loss at which time (PB2, Parker-Holder et al., NeurIPS 2020).
            With that, `resample_probability` and `perturbation_factors` are left out.  Defaults to
            `"perturb"`.
        seed: An integer from 0.  Defaults to None: one that Python's `random` gives.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        sampler: Suggests the points that the population begins with: a
            `kt_extras.samplers.Sampler`, or a name.  Defaults to `"random"`.
        allow_new_entries, tune_new_entries, max_retries_per_trial, max_consecutive_failed_trials,
            max_time, max_total_epochs, target, max_trials_without_improvement,
            max_failure_fraction, prior, try_defaults, warm_start, objectives, constraints, weights:
            As for `kt_extras.SamplerOracle`.
        **unknown: Refused; the error names the argument that was probably meant.

    Raises:
        TypeError: There is no such argument, or `mutable` is not a list of names.
        ValueError: An argument is out of its range, or is `max_trials` or `pruner`.

    >>> import keras_tuner
    >>> loss = keras_tuner.Objective("loss", "min")
    >>> PBTOracle(loss, population_size=4, max_epochs=60, seed=0).scheduler.interval
    3
    """

    def __init__(
        self,
        objective: ObjectiveLike = None,
        population_size: int = 8,
        max_epochs: int = 20,
        interval: int | None = None,
        quantile: float = 0.25,
        resample_probability: float = 0.25,
        perturbation_factors: tuple[float, float] = (0.8, 1.2),
        mutable: Sequence[str] | None = None,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        *,
        explore: Explore = "perturb",
        sampler: Sampler | str = "random",
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
        refuse_limits_of_trials(unknown)
        refuse_unknown(unknown, type(self))
        check_integer("max_epochs", max_epochs, minimum=2)
        scheduler = Population(
            population_size,
            max_epochs,
            max(1, max_epochs // 20) if interval is None else interval,
            quantile,
            resample_probability,
            perturbation_factors,
            names_in("mutable", mutable),
            explore,
        )
        sampler = sampler_of(sampler)
        super().__init__(**passed_on(locals(), SamplerOracle))

    def limit_to(self, mutable: Sequence[str]) -> None:
        """Let no other hyperparameters than these change during a training."""
        self.scheduler = dataclasses.replace(self._population, mutable=tuple(mutable))

    @property
    def _population(self) -> Population:
        scheduler = self.scheduler
        if not isinstance(scheduler, Population):
            raise TypeError(f"`scheduler` must be a `Population`, got {scheduler!r}.")
        return scheduler


def refuse_limits_of_trials(given: Mapping[str, object]) -> None:
    """Raise if `max_trials` or a `pruner` is given, since every member trains to the end.

    Raises:
        ValueError: One of them is given and is not None.
    """
    for name in ("max_trials", "pruner"):
        if given.get(name) is not None:
            raise ValueError(
                f"`{name}` must be left out, got {given[name]!r}: a population begins with "
                "`population_size` members, and all of them train to the end."
            )
