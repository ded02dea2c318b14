"""The tuner of a search by a tree-structured Parzen estimator."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import keras_tuner

from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.tpe import TPEOracle
from kt_extras.pruners import Pruner
from kt_extras.samplers.tpe import TPE as TPESampler  # noqa: N811 - the tuner has the public name
from kt_extras.tuners.tuner import Tuner


class TPE(Tuner):
    """A tuner that learns from its trials; takes the place of `keras_tuner.RandomSearch`.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_accuracy"`), or a
            `keras_tuner.Objective`.
        max_trials: Trials to begin at most.
        seed: Any integer from 0; it settles suggestions and training alike.  None: a random one,
            and the training is left to Keras' own generators.
        hyperparameters, tune_new_entries, allow_new_entries, max_retries_per_trial,
            max_consecutive_failed_trials: As for `kt_extras.SamplerOracle`.
        pruner: A rule that stops hopeless trials, such as `kt_extras.MedianPruner()`, or None.
        sampler: A `kt_extras.samplers.TPE` with settings of its own.
        max_time: Seconds or a `datetime.timedelta` that the search may take, over all sessions.
        max_total_epochs: Epochs to train at most, of all trials and executions.
        target: A score in the objective's own scale; one as good or better ends the search.
        max_trials_without_improvement: How many trials with a score may follow the best one.
        max_failure_fraction: The part of trials that may crash, once ten have ended.
        **kwargs: The arguments of `keras_tuner.Tuner`: `directory`, `project_name`, `overwrite`,
            `executions_per_trial`, `max_model_size`, ...; and those of `kt_extras.Tuner`:
            `constraint`, `keep_checkpoints`, `resume`.

    >>> import keras, tempfile, kt_extras as kte
    >>> def build(hp):
    ...     units = hp.Int("units", 4, 64, sampling="log")
    ...     model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     return model
    >>> tuner = kte.TPE(build, "val_loss", max_trials=20, pruner=kte.MedianPruner(), seed=0,
    ...                 directory=tempfile.mkdtemp())
    >>> tuner.remaining_trials
    20
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: ObjectiveLike = None,
        max_trials: int | None = 10,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        pruner: Pruner | None = None,
        sampler: TPESampler | None = None,
        max_time: float | timedelta | None = None,
        max_total_epochs: int | None = None,
        target: float | None = None,
        max_trials_without_improvement: int | None = None,
        max_failure_fraction: float | None = 0.5,
        **kwargs: Any,
    ) -> None:
        oracle = TPEOracle(
            objective=objective,
            max_trials=max_trials,
            pruner=pruner,
            sampler=sampler,
            seed=seed,
            hyperparameters=hyperparameters,
            tune_new_entries=tune_new_entries,
            allow_new_entries=allow_new_entries,
            max_retries_per_trial=max_retries_per_trial,
            max_consecutive_failed_trials=max_consecutive_failed_trials,
            max_time=max_time,
            max_total_epochs=max_total_epochs,
            target=target,
            max_trials_without_improvement=max_trials_without_improvement,
            max_failure_fraction=max_failure_fraction,
        )
        super().__init__(oracle, hypermodel, **kwargs)
