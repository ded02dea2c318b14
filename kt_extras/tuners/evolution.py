"""The tuner of a search by regularised evolution."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, NoReturn

import keras_tuner

from kt_extras.bridge.goals import Constraints, Objectives
from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.checkpoints.weight_files import Keep
from kt_extras.hypermodels import CrossValidation
from kt_extras.oracles.arguments import passed_on, refuse_unknown
from kt_extras.oracles.evolution import EvolutionOracle
from kt_extras.pruners import Pruner
from kt_extras.records.past_searches import PastSearches
from kt_extras.samplers.evolution import Evolution as EvolutionSampler
from kt_extras.schedulers import Scheduler
from kt_extras.search.priors import Prior
from kt_extras.tuners.recorded_tuner import Resume
from kt_extras.tuners.trial_outcome import Constraint
from kt_extras.tuners.tuner import Tuner


class Evolution(Tuner):
    """A tuner that varies its best trials; takes the place of `keras_tuner.RandomSearch`.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_accuracy"`), or a
            `keras_tuner.Objective`.
        max_trials: Maximum number of trials to begin; None for no limit.  Defaults to 10.
        seed: An integer from 0 that fixes suggestions and training.  Defaults to None: suggestions
            follow from one that Python's `random` gives, and the training from Keras' generators.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        population_size: Number of latest trials that can be parents.  Defaults to 0.4 of
            `max_trials`, but not below 4 and not above 20.
        tournament_size: Number of these drawn at random, of which the best becomes the parent; from
            1 to `population_size`.  Defaults to half of `population_size`.
        sampler: A `kt_extras.samplers.Evolution` with other settings, in place of the sizes.
            Defaults to None.
        pruner: A rule that stops hopeless trials, such as `kt_extras.MedianPruner()`.  Defaults to
            None.
        scheduler, allow_new_entries, tune_new_entries, max_retries_per_trial,
            max_consecutive_failed_trials, max_time, max_total_epochs, target,
            max_trials_without_improvement, max_failure_fraction, prior, try_defaults, warm_start,
            objectives, constraints, weights: As for `kt_extras.SamplerOracle`.
        resume, storage, keep_checkpoints, constraint, directory, project_name, overwrite,
            executions_per_trial, max_model_size, optimizer, loss, metrics, distribution_strategy,
            reuse_models, trials_at_once, cross_validation, tuner_id, logger: As for
            `kt_extras.Tuner`.
        **unknown: Refused; the error names the argument that was probably meant.

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
        resume: Resume = "auto",
        storage: str | None = None,
        keep_checkpoints: Keep = 10,
        constraint: Constraint | None = None,
        directory: str | os.PathLike[str] | None = None,
        project_name: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        executions_per_trial: int = 1,
        cross_validation: CrossValidation | None = None,
        max_model_size: int | None = None,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Any = None,
        distribution_strategy: Any = None,
        reuse_models: int = 16,
        trials_at_once: int | Literal["auto"] = "auto",
        tuner_id: str | None = None,
        logger: Any = None,
        **unknown: NoReturn,
    ) -> None:
        refuse_unknown(unknown, type(self))
        oracle = EvolutionOracle(**passed_on(locals(), EvolutionOracle))
        super().__init__(**passed_on(locals(), Tuner))
