"""Regularised evolution, as a KerasTuner oracle and as a tuner."""

from __future__ import annotations

from typing import Any

import keras_tuner

from kt_extras.oracles.arguments import check_count, split
from kt_extras.oracles.objective import ObjectiveLike
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.tuner import Tuner
from kt_extras.pruning import Pruner
from kt_extras.search.evolution import Evolution as EvolutionSampler

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


class Evolution(Tuner):
    """A tuner that breeds good trials; takes the place of `keras_tuner.RandomSearch`.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_accuracy"`), or a
            `keras_tuner.Objective`.
        max_trials: Trials to begin at most.
        seed: Any integer from 0; it settles suggestions and training alike.  None: a random one,
            and the training is left to Keras' own generators.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
        **kwargs: The other arguments of `kt_extras.EvolutionOracle` (`population_size`,
            `tournament_size`, `pruner`, `sampler`, `max_time`, ...), of `kt_extras.Tuner` and of
            `keras_tuner.Tuner` (`directory`, `project_name`, ...).

    Raises:
        ValueError: A size out of its range, or sizes beside a `sampler`.

    >>> import keras, tempfile
    >>> def build(hp):
    ...     units = hp.Int("units", 4, 64, sampling="log")
    ...     model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     return model
    >>> tuner = Evolution(build, "val_loss", max_trials=40, seed=0, directory=tempfile.mkdtemp())
    >>> tuner.remaining_trials
    40
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: ObjectiveLike = None,
        max_trials: int | None = 10,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        **kwargs: Any,
    ) -> None:
        own, others = split(kwargs, EvolutionOracle, SamplerOracle)
        own = {**own, "seed": seed, "hyperparameters": hyperparameters}
        super().__init__(EvolutionOracle(objective, max_trials, **own), hypermodel, **others)


def _fitting(max_trials: int | None) -> int:
    """Return the population for a budget: small enough to leave most of it to evolution."""
    return _MOST if max_trials is None else min(max(int(_SHARE * max_trials), _FEWEST), _MOST)
