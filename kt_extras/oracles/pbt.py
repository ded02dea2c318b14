"""The oracle of population based training."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras_tuner

from kt_extras.arguments import check_integer
from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import names_in, sampler_of
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.schedulers import Population
from kt_extras.search import Sampler


class PBTOracle(SamplerOracle):
    """Trains a population whose worse members take over from its better ones.

    Args:
        objective: As for `kt_extras.SamplerOracle`, and so are all that are not named here.
        population_size: Members, from 2.
        max_epochs: That every member trains, from 2.
        interval: Epochs from one comparison to the next, below `max_epochs`; by default a twentieth
            of that.
        quantile: The part of the members that counts as the best, and as the worst, in (0, 0.5].
        resample_probability: How often a hyperparameter is drawn anew rather than perturbed.
        perturbation_factors: What a value may be multiplied by.
        mutable: Names of the hyperparameters that may change during a training; None for all.
        seed: Any integer from 0, or None for a random one.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
        sampler: What the population begins with: a `kt_extras.samplers.Sampler`, or a name.
        **kwargs: The other arguments of `kt_extras.SamplerOracle`.

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
        sampler: Sampler | str = "random",
        **kwargs: Any,
    ) -> None:
        for name in ("max_trials", "pruner"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"`{name}` must be left out, got {kwargs[name]!r}: a population begins with "
                    "`population_size` members, and all of them train to the end."
                )
        check_integer("max_epochs", max_epochs, minimum=2)
        scheduler = Population(
            population_size,
            max_epochs,
            max(1, max_epochs // 20) if interval is None else interval,
            quantile,
            resample_probability,
            perturbation_factors,
            names_in("mutable", mutable),
        )
        super().__init__(
            sampler_of(sampler),
            objective=objective,
            hyperparameters=hyperparameters,
            seed=seed,
            scheduler=scheduler,
            **kwargs,
        )

    def limit_to(self, mutable: Sequence[str]) -> None:
        """Let no other hyperparameters than these change during a training."""
        self.scheduler = dataclasses.replace(self._population, mutable=tuple(mutable))

    @property
    def _population(self) -> Population:
        scheduler = self.scheduler
        if not isinstance(scheduler, Population):
            raise TypeError(f"`scheduler` must be a `Population`, got {scheduler!r}.")
        return scheduler
