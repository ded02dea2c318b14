"""A KerasTuner tuner that reports every epoch to its oracle and stops trials that it prunes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial

from kt_extras import compat
from kt_extras.bridge.lazy_trial import set_missing_defaults
from kt_extras.bridge.space_discovery import declare_space
from kt_extras.checkpoints.state_paths import StateFiles
from kt_extras.checkpoints.weight_files import Keep
from kt_extras.model_reuse.reused_model import ReusedModel
from kt_extras.oracles.arguments import check_executions, check_project_name, refuse_unknown
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.plan import plan_table, planned_rows
from kt_extras.records.tables import epochs_of, table
from kt_extras.training.gc_freeze import gc_freezer
from kt_extras.training.gradient_registry import move_gradients_to_graphs
from kt_extras.training.interruption import StopRequest, interruptible
from kt_extras.tuners.fit_arguments import (
    accepts,
    check_epochs,
    check_validation,
    check_validation_freq,
    may_lack_objective,
)
from kt_extras.tuners.roles import is_worker, role_of
from kt_extras.tuners.search_monitor import resumption
from kt_extras.tuners.trained_models import Epochs, TrainedModels, trial_to_refit
from kt_extras.tuners.trial_loop import TrialLoop
from kt_extras.tuners.trial_outcome import Constraint, check_constraint
from kt_extras.tuners.trial_run import TrialRun, set_trial_seed

Resume = Literal["auto", "never", "must"]


class Tuner(keras_tuner.Tuner):
    """Runs the trials of a `kt_extras.SamplerOracle`; otherwise used like `keras_tuner.Tuner`.

    `search` takes what `keras.Model.fit` takes.  `verbose=0` is silent, 1 shows one line for the
    whole search, 2 also Keras' own lines.  `callbacks` may be a function ``(hp, trial) ->
    callbacks`` for callbacks that cannot be copied for each trial.  A `keras.callbacks.TensorBoard`
    among them is all that TensorBoard needs.

    Args:
        oracle: A `kt_extras.SamplerOracle`.
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model; None if `run_trial` is
            overridden and needs none.
            Defaults to None.
        resume: What to do with a search that is already in the project's directory: `"auto"`
            continues it, `"never"` raises an error.  `"must"` raises an error if there is none.
            Defaults to `"auto"`.
        storage: URL of a database that holds the records of the search and of others, such as
            `sqlite:///runs.db` or one of PostgreSQL.  Defaults to None: a journal in the project's
            directory.
        keep_checkpoints: How many of the best trials keep the weights of their best epoch on disk:
            a number, `"best"` for 1, `"all"`, or `"none"`.  `get_best_models` returns no more than
            that.  The weights of other trials are removed.  Defaults to 10.
        constraint: A function ``(hp, model) -> bool``, called before a model is trained; a false
            answer rejects it.  A rejected point does not count as a trial and is not suggested
            again; a hundred rejections in a row are an error.  Defaults to None.
        directory: The directory of the project, on a local disk.  Defaults to the working
            directory.
        project_name: The name of the project's own directory in `directory`.  Defaults to
            `"untitled_project"`.
        overwrite: Whether to remove a search that the project holds.  Defaults to False.
        executions_per_trial: How often the model of a trial is built and trained; the score is the
            mean.  Defaults to 1.
        max_model_size: Maximum number of parameters of a model; a larger one is infeasible.
            Defaults to None: no limit.
        optimizer: Replaces the optimizer that the model was compiled with.  Defaults to None.
        loss: Replaces the loss that the model was compiled with.  Defaults to None.
        metrics: Replaces the metrics that the model was compiled with.  Defaults to None.
        distribution_strategy: A `tf.distribute.Strategy` under which each trial runs.  Defaults to
            None.
        tuner_id: Accepted as by `keras_tuner.Tuner`, which does not use it: workers are named by
            the environment variable `KERASTUNER_TUNER_ID`.  Defaults to None.
        logger: Accepted as by `keras_tuner.Tuner`, which warns that it does not use it.  Defaults
            to None.
        **unknown: Refused; the error names the argument that was probably meant.

    Raises:
        TypeError: There is no such argument, or an argument has the wrong type.
        ValueError: The directory holds a search that KerasTuner itself has made, or `resume` does
            not allow what it holds.

    >>> import tempfile, kt_extras as kte
    >>> class Parabola(kte.Tuner):
    ...     def run_trial(self, trial):
    ...         x = trial.hyperparameters.Float("x", -1, 1)
    ...         return x**2
    >>> oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=3, seed=0)
    >>> tuner = Parabola(oracle, directory=tempfile.mkdtemp())
    >>> tuner.search(verbose=0)
    >>> [row["state"] for row in tuner.results()]
    ['completed', 'completed', 'completed']
    """

    def __init__(
        self,
        oracle: SamplerOracle,
        hypermodel: Any = None,
        *,
        resume: Resume = "auto",
        storage: str | None = None,
        keep_checkpoints: Keep = 10,
        constraint: Constraint | None = None,
        directory: str | os.PathLike[str] | None = None,
        project_name: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        executions_per_trial: int = 1,
        max_model_size: int | None = None,
        optimizer: Any = None,
        loss: Any = None,
        metrics: Any = None,
        distribution_strategy: Any = None,
        tuner_id: str | None = None,
        logger: Any = None,
        **unknown: NoReturn,
    ) -> None:
        if not isinstance(oracle, SamplerOracle):
            raise TypeError(f"`oracle` must be a `kt_extras.SamplerOracle`, got {oracle!r}.")
        refuse_unknown(unknown, type(self))
        check_executions(executions_per_trial)
        check_project_name(project_name)
        if constraint is not None and not callable(constraint):
            raise TypeError(f"`constraint` must be a function (hp, model), got {constraint!r}.")
        if hypermodel is None and type(self).run_trial is Tuner.run_trial:
            raise ValueError(
                "`hypermodel` must be a `HyperModel` or a function `build(hp)`, got None; only a "
                "tuner that overrides `run_trial` can do without."
            )
        if oracle.scheduler is not None:
            _check_one_execution(executions_per_trial)
            oracle.restore_states()
        if is_worker(self):  # the project belongs to the chief
            overwrite, resume = False, "auto"
        project = str(project_name or "untitled_project")
        oracle.use_storage(storage)
        oracle._set_project_dir(str(directory or "."), project)
        _check_resume(resume, project, oracle.is_recorded(), overwrite)
        if overwrite:
            oracle.forget_recorded()
        self._declared = oracle.hyperparameters.copy()  # before the model declares its own
        self._local_oracle = oracle  # on a worker, `self.oracle` is a client of the chief's
        self._constraint = constraint
        self._reused_model: ReusedModel | None = None
        self._resumes_trial = (
            False  # whether the running trial's model will have its state restored
        )
        self._stop_request = StopRequest()
        self._models = TrainedModels(self, oracle, keep_checkpoints)
        self._role = role_of(
            self, oracle, self._models, serve=super().search, overwrite=bool(overwrite)
        )
        super().__init__(
            oracle,
            hypermodel,
            directory=directory,
            project_name=project_name,
            overwrite=overwrite,
            executions_per_trial=executions_per_trial,
            max_model_size=max_model_size,
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            distribution_strategy=distribution_strategy,
            tuner_id=tuner_id,
            logger=logger,
        )

    # What KerasTuner's tuners have.

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Run trials until the oracle has no more.

        The first Ctrl-C ends the search after the running epoch, a second one at once.  The running
        trial is run again when the search is continued.

        Args:
            *fit_args: As for `keras.Model.fit`.
            **fit_kwargs: As for `keras.Model.fit`.

        Raises:
            KeyboardInterrupt: The user has ended the search; everything is saved.
            ValueError: The objective is a validation metric but there is nothing to validate on, or
                not when a scheduler compares trials.
            keras_tuner.errors.FatalValueError: No epoch reports the objective.
        """
        given = fit_kwargs.pop("verbose", None)
        verbose = 1 if given in {None, "auto"} else int(given)
        if self._role.trains:
            self._check_fit_arguments(fit_args, fit_kwargs)
            chosen = given is not None and accepts(self.run_trial, "verbose")
            if self._trains_with_keras or chosen:
                fit_kwargs["verbose"] = 2 if verbose > 1 else 0

        def run_trials() -> None:
            with interruptible(visible=verbose > 0) as self._stop_request:
                self._run_trials(fit_args, fit_kwargs)

        self._role.search(run_trials, visible=verbose > 0)

    def run_trial(self, trial: Trial, *args: Any, callbacks: Any = None, **kwargs: Any) -> Any:
        """Build and train the trial's model, once for each execution.

        Args:
            trial: Whose `hyperparameters` to use.
            *args: As for `search`.
            callbacks: As for `search`.
            **kwargs: As for `search`.

        Returns:
            What `HyperModel.fit` returned, once for each execution.
        """
        run = TrialRun(
            self,
            trial,
            monitor=self._role.monitor,
            stop_request=self._stop_request,
            seed=self._training_seed,
            may_lack_objective=not self._trains_with_keras
            or may_lack_objective(self.oracle.objective, kwargs),
            states=self._states,
        )
        if self._local_oracle.scheduler is not None:
            kwargs["epochs"] = self._local_oracle.scheduler.max_epochs
            kwargs["initial_epoch"] = run.epochs_before
            self._resumes_trial = run.epochs_before > 0
        results = []
        for execution in range(self.executions_per_trial):
            ours = run.callbacks(callbacks, execution)
            run.set_seed(execution)
            results.append(self._build_and_fit_model(trial, *args, callbacks=ours, **kwargs))
            run.raise_if_interrupted()
            if isinstance(results[-1], keras.callbacks.History):
                compat.forget_model(results[-1])
            if run.stopped:
                break
        if self._models.keeps_any:
            run.write_weights(self._get_checkpoint_fname(trial.trial_id))
        return results

    def load_model(self, trial: Trial) -> keras.Model:
        """Return the model of a trial with the weights of its best epoch.

        Args:
            trial: One that has ended with a score.

        Raises:
            FileNotFoundError: Its weights were never written, or have been removed.
        """
        return self._models.load(trial)

    def get_best_models(self, num_models: int = 1) -> list[keras.Model]:
        """Return the models of the best trials with the weights of their best epochs.

        Args:
            num_models: How many, best first; fewer if there are not as many with a score.

        Raises:
            FileNotFoundError: `keep_checkpoints` is lower than `num_models`.
        """
        trials = self.oracle.get_best_trials(num_models)
        self._models.check(trials)
        return [self.load_model(trial) for trial in trials]

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """Return the hyperparameters of the best trials, as they were in their best epochs.

        Args:
            num_trials: How many, best first; fewer if there are not as many with a score.
        """
        return list(map(self._models.hyperparameters, self.oracle.get_best_trials(num_trials)))

    def save(self) -> None:
        """Do nothing: the oracle's journal is always up to date."""

    def reload(self) -> None:
        """Load the search in the project's directory."""
        if not self._role.has_records:
            return
        self.oracle.reload()
        changes = self.oracle.redeclare(self._declared_now())
        print(resumption(self.oracle, self.project_name, changes))  # noqa: T201 - as KerasTuner does

    # What they do not have.

    def refit(
        self, *fit_args: Any, trial: Trial | None = None, epochs: Epochs = "best", **fit_kwargs: Any
    ) -> keras.Model:
        """Train the best configuration once more, for instance on all the data there is.

        The model is built and trained as in the trial, with its seed if the search has one, and as
        long as the trial took to its best epoch.  So on the same data a search with a seed gives
        the model that was measured.

        Args:
            *fit_args: As for `search`; `validation_data` is not needed.
            trial: One with a score, as from `oracle.get_best_trials()`; by default the best.
            epochs: By default the trial's best epoch, counted from 1.  None leaves it to a
                `HyperModel.fit` that settles it itself, and ends the training after that epoch.
            **fit_kwargs: As for `search`.

        Returns:
            The trained model, with the weights of the last epoch.

        Raises:
            RuntimeError: No trial has a score yet.
            ValueError: `trial` has none, or there is no `hypermodel`.
        """
        chosen = trial_to_refit(self, trial)
        set_seed = partial(set_trial_seed, self._training_seed, chosen)
        return self._models.refit(chosen, set_seed, fit_args, fit_kwargs, epochs)

    def plan(self) -> list[dict[str, int]]:
        """Print what the scheduler intends, and return it.

        Returns:
            One row a rung, ready for `pandas.DataFrame`: its `bracket`, the `epochs` that a trial
            has trained when it reaches it, the `trials` that do, and the `new_epochs` that they
            train to come from the rung below.  It is the least of what will be trained where
            trials are promoted before all have arrived.

        Raises:
            ValueError: There is no scheduler, or nothing but time or epochs limits the search.
        """
        rows = planned_rows(self._local_oracle)
        print(plan_table(rows))  # noqa: T201 - that is what it is for
        return rows

    def enqueue(self, values: Mapping[str, Any]) -> None:
        """Have a known-good point tried first.

        Args:
            values: Values of some or all hyperparameters, moved to the nearest grid point; the
                rest are drawn at random.

        Raises:
            ValueError: A name or value that the space does not have.
        """
        self._local_oracle.enqueue(values)

    def results(self) -> list[dict[str, Any]]:
        """Return one row a trial, ready for `pandas.DataFrame`.

        Returns:
            Rows with `number`, `trial_id`, `state` (`"completed"`, `"pruned"`, `"infeasible"`,
            `"failed"`, `"rejected"`, `"paused"`, `"running"` or `"waiting"`), `score`,
            `best_epoch` (counted from 0), `epochs` (trained, over all executions), `seconds`,
            `message`, and each active hyperparameter under its own name, as it was in the best
            epoch.
        """
        return table(self._local_oracle.trial_records())

    def history(self, trial_id: str | int) -> dict[str, list[Any]]:
        """Return the metrics of every epoch of a trial, ready for `pandas.DataFrame`.

        Args:
            trial_id: Its id, or its number.

        Returns:
            Columns `execution`, `epoch` (both counted from 0) and one a metric, NaN where it was
            not measured.

        Raises:
            KeyError: There is no such trial.
        """
        for entry in self._local_oracle.trial_records():
            if trial_id in (entry.trial.trial_id, entry.number):
                return epochs_of(entry)
        raise KeyError(f"`trial_id` {trial_id!r} is none of {len(self._local_oracle.trials)}.")

    def _try_build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build a model that is to be trained in a trial."""
        set_missing_defaults(hp)
        if self._reused_model is None:
            return self._build_new(hp)
        if not self._resumes_trial:
            return self._reused_model.begin(self._build_new(hp))
        # A model that goes on was not rejected when it began.
        return self._reused_model.model_for(hp, super()._try_build, self._build_hypermodel)

    def _build_new(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        model = super()._try_build(hp)
        check_constraint(self._constraint, hp, model)
        return model

    # The loop.

    def _run_trials(self, fit_args: Sequence[Any], fit_kwargs: Mapping[str, Any]) -> None:
        """Run one trial after the other until there are no more."""
        with gc_freezer() as freeze:
            loop = TrialLoop(self, self._local_oracle, self._stop_request)
            freeze()
            while (trial := loop.next()) is not None:
                loop.run(trial, fit_args, fit_kwargs)
                move_gradients_to_graphs()
                if self._reused_model is None:
                    keras.backend.clear_session()  # which lets go of the trial's model
                    freeze()

    def on_trial_end(self, trial: Trial) -> None:
        """Called at the end of a trial."""
        try:
            self.oracle.end_trial(trial)
        finally:
            self._role.trial_ended(trial.trial_id)

    # Before the trials.

    def _check_fit_arguments(self, fit_args: Sequence[Any], fit_kwargs: Mapping[str, Any]) -> None:
        """Raise if no trial could train with these arguments of `search`."""
        if (scheduler := self._local_oracle.scheduler) is not None:
            check_epochs(fit_args, fit_kwargs)
            check_validation_freq(scheduler, self.oracle.objective, fit_kwargs)
        if self._trains_with_keras:
            check_validation(self.oracle.objective, fit_args, fit_kwargs)

    def _populate_initial_space(self) -> None:
        """Find the hyperparameters that the model declares, in every branch."""
        if self.hypermodel is None:
            return
        hp = self.oracle.get_space()
        self.hypermodel.declare_hyperparameters(hp)
        self.oracle.update_space(hp)
        declare_space(self.hypermodel.build, self.oracle.get_space, self.oracle.update_space)

    def _declared_now(self) -> keras_tuner.HyperParameters:
        """Return the space as this program declares it, whatever the journal holds."""
        scratch = keras_tuner.Oracle(
            objective="loss",
            hyperparameters=self._declared.copy(),
            allow_new_entries=self.oracle.allow_new_entries,
            tune_new_entries=self.oracle.tune_new_entries,
        )
        if self.hypermodel is not None:
            hp = scratch.get_space()
            self.hypermodel.declare_hyperparameters(hp)
            scratch.update_space(hp)
            declare_space(self.hypermodel.build, scratch.get_space, scratch.update_space)
        return scratch.hyperparameters

    def _get_tuner_fname(self) -> str:
        """Return a path that exists if there is a search to go on with, as KerasTuner asks."""
        project = os.path.join(str(self.directory), self.project_name)
        if self._local_oracle.is_recorded():
            return project
        if os.path.exists(os.path.join(project, "oracle.json")):
            raise ValueError(
                f"`project_name` {self.project_name!r} in {self.directory!r} holds a search that "
                "KerasTuner made itself.  Choose another name, or pass `overwrite=True`."
            )
        return os.path.join(project, "nothing-recorded")

    @property
    def _states(self) -> StateFiles | None:
        """Where the states of trials that pause are, None if trials never do."""
        scheduler = self._local_oracle.scheduler
        if scheduler is None or not scheduler.resumes:
            return None
        return StateFiles(Path(self.project_dir))

    @property
    def _training_seed(self) -> int | None:
        """What settles the training, if the user has asked for that by giving a seed."""
        return self._local_oracle.seed if self._local_oracle.seed_given else None

    @property
    def _trains_with_keras(self) -> bool:
        """Whether `model.fit` itself is called with the arguments of `search`."""
        fit = getattr(type(self.hypermodel), "fit", None)
        return type(self).run_trial is Tuner.run_trial and fit is keras_tuner.HyperModel.fit


def _check_one_execution(executions: int) -> None:
    if executions != 1:
        raise ValueError(
            f"`executions_per_trial` must be 1, got {executions!r}: a scheduler pauses and resumes "
            "one training of each trial."
        )


def _check_resume(resume: str, project: str, exists: bool, overwrite: bool) -> None:
    """Compare what the user wants with what is recorded."""
    if resume not in {"auto", "never", "must"}:
        raise ValueError(f"`resume` must be 'auto', 'never' or 'must', got {resume!r}.")
    if resume == "never" and exists and not overwrite:
        raise ValueError(
            f"`resume` is 'never', but the project {project!r} holds a search.  Choose another "
            "`project_name`, or pass `overwrite=True` to remove it."
        )
    if resume == "must" and (not exists or overwrite):
        raise ValueError(
            f"`resume` is 'must', but the project {project!r} holds no search that could go on.  "
            "Check `directory` and `project_name`, and leave `overwrite` off."
        )
