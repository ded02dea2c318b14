"""The oracle of BOHB: Hyperband with a model (Falkner et al., ICML 2018)."""

from __future__ import annotations

from typing import Any

import keras_tuner

from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import sampler_of
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.samplers.largest_budget import LargestBudget
from kt_extras.schedulers import Hyperband
from kt_extras.search import Sampler


class BOHBOracle(SamplerOracle):
    """Gives epochs by Hyperband, and suggests points by a model of the longest trials.

    Args:
        objective: As for `kt_extras.SamplerOracle`, and so are all that are not named here.
        max_epochs: Epochs of a trial that reaches the last rung of its bracket.
        reduction_factor: Of so many trials in a rung one goes on.
        iterations: How often all brackets are run.
        seed: Any integer from 0, or None for a random one.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
        min_epochs: Epochs of the first rung of the longest bracket.
        sampler: A `kt_extras.samplers.Sampler`, or a name.  By default
            `kt_extras.samplers.LargestBudget()`: a tree-structured Parzen estimator of the trials
            at the largest budget that enough have reached, and every third suggestion at random.
            `"random"` makes it plain Hyperband (Li et al., JMLR 2018).
        **kwargs: The other arguments of `kt_extras.SamplerOracle`.

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
        sampler: Sampler | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            LargestBudget() if sampler is None else sampler_of(sampler),
            objective=objective,
            hyperparameters=hyperparameters,
            seed=seed,
            scheduler=Hyperband(max_epochs, reduction_factor, iterations, min_epochs),
            **kwargs,
        )
