"""The oracle of a search by a tree-structured Parzen estimator."""

from __future__ import annotations

from typing import Any

import keras_tuner

from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.pruners import Pruner
from kt_extras.samplers.tpe import TPE as TPESampler  # noqa: N811 - the tuner has the public name


class TPEOracle(SamplerOracle):
    """Suggests points by a tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011).

    Args:
        objective: As for `kt_extras.SamplerOracle`, and so are all that are not named here.
        max_trials: Trials to begin at most.
        seed: Any integer from 0, or None for a random one.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
        pruner: A rule of early stopping, or None.
        sampler: The estimator with settings of its own; by default `kt_extras.samplers.TPE()`.
        **kwargs: The other arguments of `kt_extras.SamplerOracle`.

    >>> import keras_tuner
    >>> oracle = TPEOracle(keras_tuner.Objective("cost", "min"), max_trials=5, seed=0)
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
        pruner: Pruner | None = None,
        sampler: TPESampler | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs = {**kwargs, "seed": seed, "hyperparameters": hyperparameters}
        super().__init__(sampler or TPESampler(), pruner, objective, max_trials, **kwargs)
