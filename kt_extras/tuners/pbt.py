"""The tuner of population based training."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, NoReturn

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial

from kt_extras.arguments import names_in
from kt_extras.bridge.goals import Constraints, Objectives
from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.checkpoints.weight_files import Keep
from kt_extras.hypermodels import CrossValidation
from kt_extras.model_reuse.replay import Target
from kt_extras.model_reuse.shape_changes import changes_shapes
from kt_extras.oracles.arguments import passed_on, refuse_unknown
from kt_extras.oracles.pbt import Explore, PBTOracle, refuse_limits_of_trials
from kt_extras.records.past_searches import PastSearches
from kt_extras.records.tables import lineage_rows
from kt_extras.search import Sampler
from kt_extras.search.priors import Prior
from kt_extras.training.callbacks import callbacks_for
from kt_extras.tuners.hyperparameter_schedule import HyperparameterSchedule, schedule_of
from kt_extras.tuners.recorded_tuner import Resume
from kt_extras.tuners.roles import refuse_without_records, warn_without_records
from kt_extras.tuners.trained_models import Epochs, trial_to_refit
from kt_extras.tuners.trial_outcome import Constraint
from kt_extras.tuners.tuner import Tuner


class PBT(Tuner):
    """Finds a schedule of hyperparameters in one training of a population.

    After every `interval` epochs each of the worst members exploits one of the best: it copies its
    weights, optimizer and hyperparameters, and continues with slightly different values (Jaderberg
    et al., arXiv 1711.09846).  `search` takes no `epochs`: `max_epochs` says how long each member
    trains.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_loss"`), or a
            `keras_tuner.Objective`.
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
            those that leave the variables of the model and of its optimizer as they are, in number
            and shape, and which of them are trained; found by building models.  A choice of the
            optimizer is none of them, nor is a momentum that may be 0.
        explore: How a member that has taken over changes its mutable hyperparameters: `"perturb"`,
            each of them drawn again or perturbed; `"pb2"`, all chosen by a Gaussian process that
            learns what lowers the loss at which time (PB2, Parker-Holder et al., NeurIPS 2020).
            With that, `resample_probability` and `perturbation_factors` are left out.  Defaults to
            `"perturb"`.
        seed: An integer from 0 that fixes suggestions and training.  Defaults to None: suggestions
            follow from one that Python's `random` gives, and the training from Keras' generators.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
            Defaults to None.
        sampler: Suggests the points that the population begins with: a
            `kt_extras.samplers.Sampler`, or a name.  Defaults to `"random"`.
        allow_new_entries, tune_new_entries, max_retries_per_trial, max_consecutive_failed_trials,
            max_time, max_total_epochs, target, max_trials_without_improvement,
            max_failure_fraction, prior, try_defaults, warm_start, objectives, constraints, weights:
            As for `kt_extras.SamplerOracle`.
        resume, storage, keep_checkpoints, constraint, directory, project_name, overwrite,
            executions_per_trial, max_model_size, optimizer, loss, metrics, distribution_strategy,
            reuse_models, trials_at_once, cross_validation, tuner_id, logger: As for
            `kt_extras.Tuner`.
        **unknown: Refused; the error names the argument that was probably meant.

    Raises:
        TypeError: `mutable` is not a list of names, or there is an unknown argument.
        ValueError: A hyperparameter in `mutable` is not known, or changes the shape of a variable
            of the model or of its optimizer, or which are trained.

    >>> import keras, tempfile, kt_extras as kte
    >>> def build(hp):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
    ...     model.compile(keras.optimizers.SGD(rate), "mse")
    ...     return model
    >>> tuner = kte.PBT(build, "val_loss", population_size=4, max_epochs=8, interval=2, seed=0,
    ...                 directory=tempfile.mkdtemp())
    >>> tuner.mutable
    ('rate',)
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: ObjectiveLike = None,
        population_size: int = 8,
        max_epochs: int = 20,
        *,
        interval: int | None = None,
        quantile: float = 0.25,
        resample_probability: float = 0.25,
        perturbation_factors: tuple[float, float] = (0.8, 1.2),
        mutable: Sequence[str] | None = None,
        explore: Explore = "perturb",
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
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
        refuse_limits_of_trials(unknown)
        refuse_unknown(unknown, type(self))
        names = names_in("mutable", mutable)
        oracle = PBTOracle(**passed_on(locals(), PBTOracle))
        super().__init__(**passed_on(locals(), Tuner))
        self.mutable = self._checked_mutable(names)
        oracle.limit_to(self.mutable)

    def _checked_mutable(self, given: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return the names of the hyperparameters that may change during a training.

        A name stands for all hyperparameters that have it, in sibling scopes too.

        Args:
            given: The names that the user gives, None for all that may change.

        Raises:
            ValueError: A name is not known, or its hyperparameter changes the shape of a variable.
        """
        declared = self._local_oracle.hyperparameters.space
        names = tuple(dict.fromkeys(one.name for one in declared))
        if self.hypermodel is None:
            return names if given is None else given
        if unknown := sorted(set(given or ()) - set(names)):
            raise ValueError(
                f"`mutable` must name hyperparameters of the model, got {unknown}; there are "
                f"{sorted(names)}."
            )
        hp, build = self._local_oracle.get_space(), self.hypermodel.build
        asked = names if given is None else given
        shaping = [name for name in asked if changes_shapes(build, hp, name)]
        if given is not None and shaping:
            raise ValueError(
                f"`mutable` must not name what changes the shape of a variable, got {shaping}: "
                "the weights of another member or the state of its optimizer would not fit, or "
                "other variables would be trained.  Leave these out; each member keeps its own "
                "value of them until it copies another's whole model."
            )
        return tuple(name for name in asked if name not in shaping)

    def refit(
        self,
        *fit_args: Any,
        trial: Trial | None = None,
        epochs: Epochs = "best",
        callbacks: Any = None,
        targets: Mapping[str, Target] | None = None,
        **fit_kwargs: Any,
    ) -> keras.Model:
        """Train a model with the schedule that led to the best member, or to another one.

        Args:
            *fit_args: As for `kt_extras.Tuner.refit`, and so are the others not named here.
            trial: A trial with a score.  Defaults to the best one.
            epochs: Epochs to train.  Defaults to the trial's best epoch, counted from 1.
            callbacks: As for `search`.  Defaults to None.
            targets: As for `HyperparameterSchedule.callbacks`.  Defaults to None.
            **fit_kwargs: As for `search`.

        Raises:
            RuntimeError: No trial has a score yet; or this is a worker of a chief, which has the
                records that the schedule is made of.
        """
        refuse_without_records(self, "refit")
        chosen = trial_to_refit(self, trial)
        replay = self.schedule(self._local_oracle.trial_record(chosen.trial_id).number)

        def with_replay(_: Any, trial: Trial) -> list[keras.callbacks.Callback]:
            return [*callbacks_for(callbacks, trial), *replay.callbacks(targets)]

        fit_kwargs["callbacks"] = with_replay
        return super().refit(*fit_args, trial=chosen, epochs=epochs, **fit_kwargs)

    def lineage(self) -> list[dict[str, Any]]:
        """Return every exploit, ready for `pandas.DataFrame`.

        Returns:
            One row per exploit, in the order of epochs: the `epoch` (the number of epochs that both
            had trained), the numbers of the `member` and of its `parent`, and the member's
            hyperparameters `before` and `after` it.  On a worker of a chief, which has the
            records, there are no rows, with a warning.
        """
        warn_without_records(self, "lineage")
        return lineage_rows(self._local_oracle.trial_records())

    def schedule(self, member: int | None = None) -> HyperparameterSchedule:
        """Return the hyperparameters over the epochs that led to a member.

        Args:
            member: Its number.  Defaults to the best one's.

        Raises:
            RuntimeError: No member has a score yet; or this is a worker of a chief, which has the
                records.
        """
        refuse_without_records(self, "schedule")
        return schedule_of(self._local_oracle, member, self.mutable)
