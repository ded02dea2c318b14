"""The tuner of asynchronous successive halving."""

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
from kt_extras.oracles.asha import ASHAOracle, Mode
from kt_extras.pruners import Pruner
from kt_extras.records.past_searches import PastSearches
from kt_extras.search import Sampler
from kt_extras.search.priors import Prior
from kt_extras.tuners.recorded_tuner import Resume
from kt_extras.tuners.trial_outcome import Constraint
from kt_extras.tuners.tuner import Tuner


class ASHA(Tuner):
    """Trains many models for a few epochs and the best of them to the end.

    A paused trial keeps its weights, the optimizer's state and the counters of its callbacks, and
    is resumed from them when it is promoted.  `search` takes no `epochs`: `max_epochs` says how
    long the best trials are trained.  `plan()` shows beforehand what will be trained.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_accuracy"`), or a
            `keras_tuner.Objective`.
        max_epochs: Epochs of a trial that reaches the last rung.  Defaults to 27.
        min_epochs: Epochs of the first rung; each further rung is `reduction_factor` times as long.
            Defaults to 1.
        reduction_factor: Of this many trials in a rung, one is promoted to the next.  Defaults to
            3.
        max_trials: Maximum number of trials to begin.  Defaults to `reduction_factor` to the power
            of the number of rungs if no other argument limits the search, else to None: no limit.
        seed: An integer from 0 that fixes suggestions and training.  Defaults to None: suggestions
            follow from one that Python's `random` gives, and the training from Keras' generators.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        mode: `"promotion"` pauses a trial at each rung and resumes it if it is promoted;
            `"stopping"` continues it at once or prunes it.  Defaults to `"promotion"`.
        sampler: A `kt_extras.samplers.Sampler`, or a name: `"gp"`, `"random"`, `"sobol"`, `"tpe"`
            or `"evolution"`.  Defaults to `"gp"`, a Gaussian process.
        pruner: A rule that stops hopeless trials besides, such as `kt_extras.MedianPruner()`.
            Defaults to None.
        allow_new_entries, tune_new_entries, max_retries_per_trial, max_consecutive_failed_trials,
            max_time, max_total_epochs, target, max_trials_without_improvement,
            max_failure_fraction, prior, try_defaults, warm_start, objectives, constraints, weights:
            As for `kt_extras.SamplerOracle`.
        resume, storage, keep_checkpoints, constraint, directory, project_name, overwrite,
            executions_per_trial, max_model_size, optimizer, loss, metrics, distribution_strategy,
            reuse_models, trials_at_once, cross_validation, tuner_id, logger: As for
            `kt_extras.Tuner`.
        **unknown: Refused; the error names the argument that was probably meant.

    >>> import keras, tempfile, kt_extras as kte
    >>> def build(hp):
    ...     units = hp.Int("units", 4, 64, sampling="log")
    ...     model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     return model
    >>> tuner = kte.ASHA(build, "val_loss", max_epochs=9, max_trials=20, seed=0,
    ...                  directory=tempfile.mkdtemp())
    >>> rows = tuner.plan()
    bracket  epochs  trials  new_epochs
          0       1      20          20
          0       3       6          12
          0       9       2          12
    20 trials, at least 44 epochs; about 60 are expected (48 to 64), since some are promoted early
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: ObjectiveLike = None,
        max_epochs: int = 27,
        *,
        min_epochs: int = 1,
        reduction_factor: int = 3,
        max_trials: int | None = None,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        mode: Mode = "promotion",
        sampler: Sampler | str = "gp",
        pruner: Pruner | None = None,
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
        oracle = ASHAOracle(**passed_on(locals(), ASHAOracle))
        super().__init__(**passed_on(locals(), Tuner))
