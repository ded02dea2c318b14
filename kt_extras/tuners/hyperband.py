"""The tuner of Hyperband."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, NoReturn

import keras_tuner
from keras_tuner.engine.trial import Trial

from kt_extras.bridge.goals import Constraints, Objectives
from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.checkpoints.weight_files import Keep
from kt_extras.hypermodels import CrossValidation
from kt_extras.oracles.arguments import passed_on, refuse_unknown
from kt_extras.oracles.hyperband import HyperbandOracle
from kt_extras.pruners import Pruner
from kt_extras.records.past_searches import PastSearches
from kt_extras.search import Sampler
from kt_extras.search.priors import Prior
from kt_extras.tuners.recorded_tuner import Resume
from kt_extras.tuners.trial_outcome import Constraint
from kt_extras.tuners.trial_run import TrialRun
from kt_extras.tuners.tuner import Tuner

_SCHEDULED = ("epochs", "initial_epoch")  # arguments of `fit` that the scheduler sets


class Hyperband(Tuner):
    """Runs brackets from many short trials to few long ones, as `keras_tuner.Hyperband` does.

    A trial that is promoted goes on with its weights, its optimizer and its callbacks where it
    paused.  `max_epochs` says how long the best trials are trained; `epochs` of `search` is left
    aside, as in KerasTuner.  `plan()` shows beforehand what will be trained.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_accuracy"`), or a
            `keras_tuner.Objective`.
        max_epochs: Epochs of a trial that reaches the last rung of its bracket.  Defaults to 100.
        factor: Of this many trials in a rung, one is promoted to the next, which is as many times
            longer.  Defaults to 3.
        hyperband_iterations: How often all brackets are run, None to run them without end.
            Defaults to 1.
        seed: An integer from 0 that fixes suggestions and training.  Defaults to None: suggestions
            follow from one that Python's `random` gives, and the training from Keras' generators.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        max_trials: Maximum number of trials to begin.  Defaults to None: as many as the brackets
            need.
        sampler: A `kt_extras.samplers.Sampler`, or a name.  Defaults to `"random"`; with
            `kt_extras.samplers.LargestBudget()` it is BOHB in these brackets.
        pruner: A rule that stops hopeless trials, such as `kt_extras.MedianPruner()`.  Defaults to
            None.
        tune_new_entries, allow_new_entries, max_retries_per_trial, max_consecutive_failed_trials,
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
    >>> tuner = kte.Hyperband(build, "val_loss", max_epochs=10, seed=0,
    ...                       directory=tempfile.mkdtemp())
    >>> rows = tuner.plan()
    bracket  epochs  trials  new_epochs
          0       2      12          24
          0       4       4           8
          0      10       2          12
          1       4       6          24
          1      10       2          12
          2      10       4          40
    22 trials, 120 epochs in all
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: ObjectiveLike = None,
        max_epochs: int = 100,
        factor: int = 3,
        hyperband_iterations: int | None = 1,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        tune_new_entries: bool = True,
        allow_new_entries: bool = True,
        max_retries_per_trial: int = 0,
        max_consecutive_failed_trials: int = 3,
        *,
        max_trials: int | None = None,
        sampler: Sampler | str = "random",
        pruner: Pruner | None = None,
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
        oracle = HyperbandOracle(**passed_on(locals(), HyperbandOracle))
        super().__init__(**passed_on(locals(), Tuner))

    def _check_fit_arguments(self, fit_args: Sequence[Any], fit_kwargs: dict[str, Any]) -> None:
        """Leave the user's `epochs` aside, and say so."""
        for name in self._without_epochs(fit_kwargs):
            self._notes.add(
                f"`{name}` of `search` is left aside, as in KerasTuner: `max_epochs` of "
                f"`{type(self).__name__}` says how long trials train; `plan()` shows it."
            )
        super()._check_fit_arguments(fit_args, fit_kwargs)

    def _begin_run(
        self, trial: Trial, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[TrialRun, dict[str, Any]]:
        """Begin a run for the epochs of the scheduler, whatever a `run_trial` has passed on."""
        given = dict(kwargs)
        self._without_epochs(given)
        return super()._begin_run(trial, args, given)

    def _without_epochs(self, fit_kwargs: dict[str, Any]) -> list[str]:
        """Remove what the scheduler sets; return its names."""
        return [name for name in _SCHEDULED if fit_kwargs.pop(name, None) is not None]
