"""The oracle of a search by regularised evolution."""

from __future__ import annotations

from typing import Any

import keras_tuner

from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import check_count
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.pruners import Pruner
from kt_extras.samplers.evolution import Evolution as EvolutionSampler

_SHARE = 0.4  # of a budget is its first generation, drawn at random, if that is not too many
_FEWEST, _MOST = 4, 20


class EvolutionOracle(SamplerOracle):
    """Suggests children of the best among the latest trials (Real et al., AAAI 2019).

    Args:
        objective: As for `kt_extras.SamplerOracle`, and so are all that are not named here.
        max_trials: Trials to begin at most.
        seed: Any integer from 0, or None for a random one.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
        population_size: How many of the latest trials can be parents; None for 0.4 of
            `max_trials`, but 4 at least and 20 at most.
        tournament_size: How many of them compete to be one, from 1 to `population_size`; None for
            half of that.
        pruner: A rule of early stopping, or None.
        sampler: A `kt_extras.samplers.Evolution` with settings of its own, instead of the sizes.
        **kwargs: The other arguments of `kt_extras.SamplerOracle`.

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
        pruner: Pruner | None = None,
        sampler: EvolutionSampler | None = None,
        **kwargs: Any,
    ) -> None:
        check_count("max_trials", max_trials, least=1)
        if sampler is None:
            size = _fitting(max_trials) if population_size is None else population_size
            sampler = EvolutionSampler(size, tournament_size)
        elif population_size is not None or tournament_size is not None:
            raise ValueError(
                "`population_size` and `tournament_size` must be None beside a `sampler`, got "
                f"{population_size!r} and {tournament_size!r}; set them in the sampler."
            )
        kwargs = {**kwargs, "seed": seed, "hyperparameters": hyperparameters}
        super().__init__(sampler, pruner, objective, max_trials, **kwargs)


def _fitting(max_trials: int | None) -> int:
    """Return the population for a budget: small enough to leave most of it to evolution."""
    return _MOST if max_trials is None else min(max(int(_SHARE * max_trials), _FEWEST), _MOST)
