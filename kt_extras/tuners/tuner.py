"""A KerasTuner tuner that reports every epoch to its oracle and stops trials that it prunes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner.engine.trial import Trial

from kt_extras import compat
from kt_extras.arguments import check_integer
from kt_extras.bridge.lazy_trial import set_missing_defaults
from kt_extras.bridge.metrics import epochs_reported
from kt_extras.bridge.trial_message import add_message
from kt_extras.checkpoints.random_state import set_random_state
from kt_extras.checkpoints.state_paths import StateFiles
from kt_extras.checkpoints.weight_files import Keep
from kt_extras.hypermodels import CrossValidation, TrainingSpace
from kt_extras.hypermodels.cross_validation import Folds, of_fold
from kt_extras.loggers.trial_logger import loggers_among
from kt_extras.model_reuse.model_pool import ModelPool
from kt_extras.oracles.arguments import check_count, check_executions, other_oracle, refuse_unknown
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.parallel import search as search_in_workers
from kt_extras.parallel.remote_oracle import RemoteMonitor, RemoteOracle
from kt_extras.parallel.sent_data import made_by_workers
from kt_extras.training.callbacks import check_callbacks
from kt_extras.training.fit import FitReport
from kt_extras.training.interruption import StopRequest, interruptible
from kt_extras.training.loop_guard import TrainingEnded
from kt_extras.training.notes import Notes
from kt_extras.training.time_spent import measured, section
from kt_extras.tuners.arguments import (
    check_cross_validation,
    check_function,
    check_hypermodel,
    check_one_execution,
    check_strategy,
)
from kt_extras.tuners.asked_oracle import asked_oracle
from kt_extras.tuners.compile_overrides import check_overrides
from kt_extras.tuners.data_used import note_data
from kt_extras.tuners.environment_errors import environment_explained
from kt_extras.tuners.fit_arguments import (
    accepts,
    check_epochs,
    check_validation,
    check_validation_freq,
    may_lack_objective,
    passed_twice,
    refuse_for_workers,
    refuse_unexpected,
)
from kt_extras.tuners.fit_check import check_fit, plain_numbers, verbosity
from kt_extras.tuners.measured_costs import MeasuredCosts
from kt_extras.tuners.ray_worker import RayWorker
from kt_extras.tuners.recorded_tuner import Resume
from kt_extras.tuners.returned_metrics import final_metrics, refuse_evaluation
from kt_extras.tuners.roles import refuse_without_records, role_of
from kt_extras.tuners.search_driver import SearchDriver
from kt_extras.tuners.search_run import SearchRun
from kt_extras.tuners.stacked_trial import BuiltModel
from kt_extras.tuners.time_report import TimeReport
from kt_extras.tuners.trained_tuner import TrainedTuner
from kt_extras.tuners.training_space_use import declare_with_data, search_arguments
from kt_extras.tuners.trial_outcome import Constraint, check_constraint, check_model
from kt_extras.tuners.trial_run import TrialRun, set_trial_seed
from kt_extras.tuners.trials_at_once import AtOnce, check_trials_at_once, chosen

_OF_THIS_PROCESS = (
    *("_folds", "_validated_on"),
    *("_fits", "_models", "_notes", "_pool", "_prebuilt", "_restore_settings", "_role"),
    *("_stop_request", "_time_report"),
)


class Tuner(TrainedTuner):
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
        cross_validation: Trains the model of each trial once a fold, in place of
            `executions_per_trial`.  Defaults to None.
        max_model_size: Maximum number of parameters of a model; a larger one is infeasible.
            Defaults to None: no limit.
        optimizer: Replaces the optimizer that the model was compiled with.  Defaults to None.
        loss: Replaces the loss that the model was compiled with.  Defaults to None.
        metrics: Replaces the metrics that the model was compiled with.  Defaults to None.
        distribution_strategy: A `tf.distribute.Strategy` under which each trial runs.  Defaults to
            None.
        reuse_models: How many compiled models are kept for later trials, the last used ones, as
            long as their variables take less than a gigabyte together.  A trial whose model differs
            from a kept one in numbers alone, such as rates, needs no new trace.  0 builds each
            model anew.  Defaults to 16.
        trials_at_once: How many trials whose models have one architecture are trained as one
            program, if Keras' own `fit` trains them.  Defaults to `"auto"`: as many as pay for the
            sampler and the size of the models, see the guide.
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
        if not isinstance(oracle, SamplerOracle):
            raise TypeError(
                f"`oracle` must be a `kt_extras.SamplerOracle`, got {oracle!r}."
                + other_oracle(oracle)
            )
        refuse_unknown(unknown, type(self))
        check_executions(executions_per_trial)
        check_cross_validation(cross_validation, executions_per_trial, oracle)
        self._cross_validation = cross_validation
        self._folds: Folds | None = None  # of the running search
        if cross_validation is not None:
            executions_per_trial = cross_validation.number
            oracle.fold_pruner = cross_validation.pruner
        max_model_size = check_count("max_model_size", max_model_size, minimum=1)
        check_overrides(optimizer=optimizer, loss=loss, metrics=metrics)
        check_strategy(distribution_strategy)
        check_function("constraint", constraint, "(hp, model)")
        check_hypermodel(hypermodel, needed=type(self).run_trial is Tuner.run_trial)
        if oracle.scheduler is not None:
            check_one_execution(executions_per_trial)
            oracle.restore_states()
        self._constraint = constraint
        check_integer("reuse_models", reuse_models, minimum=0)
        check_trials_at_once(trials_at_once)
        self._trials_at_once = trials_at_once
        self._prebuilt: BuiltModel | None = None
        # In the scope of a strategy the variables of a model are copied to several devices.
        self._costs = MeasuredCosts(oracle.goals)
        self._pool = ModelPool(0 if distribution_strategy is not None else reuse_models)
        self._resumes_trial = False  # whether the state of the model will be restored
        self._stop_request = StopRequest()
        self._notes = Notes(visible=False)
        self._fits = FitReport(self._notes)
        self._time_report: TimeReport | None = None  # of the last search
        self._validated_on: Any = None  # a data set of batches that is not on record
        self._sets_verbose = False  # whether the user's own training does
        self._shows_epochs = False  # whether Keras' own progress bars are shown
        super().__init__(
            oracle,
            hypermodel,
            resume=resume,
            storage=storage,
            keep_checkpoints=keep_checkpoints,
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
        self._overwrites = bool(overwrite)
        self._role: Any = role_of(self, oracle, self._models, overwrite=self._overwrites)

    # What KerasTuner's tuners have.

    def search(self, *fit_args: Any, workers: int | None = None, **fit_kwargs: Any) -> None:
        """Run trials until the oracle has no more.

        The first Ctrl-C ends the search after the running epoch, a second one at once.  The running
        trial is run again when the search is continued.

        Args:
            *fit_args: As for `keras.Model.fit`.
            workers: How many processes train, which Ray starts; see `kt_extras.parallel.search`,
                whose other arguments may be given, too.  Defaults to None: this process trains.
            **fit_kwargs: As for `keras.Model.fit`.

        Raises:
            KeyboardInterrupt: The user has ended the search; everything is saved.
            OSError: The disk is full or fails, say; the running trial is run again later.
            TypeError: `keras.Model.fit` has no such argument, or it has the wrong type.
            ValueError: An argument is out of its range; the objective is a validation metric but
                there is nothing to validate on, or not when a scheduler compares trials.
            keras_tuner.errors.FatalValueError: No epoch reports the objective.
        """
        fit_kwargs = dict(search_arguments(self, fit_args, fit_kwargs))
        if workers is not None:
            search_in_workers(self, *fit_args, workers=workers, **fit_kwargs)
            return
        refuse_for_workers(fit_kwargs)
        verbose = verbosity(fit_kwargs.pop("verbose", None))
        fit_kwargs = plain_numbers(fit_kwargs)
        self._shows_epochs = verbose > 1
        self._notes = Notes(visible=verbose > 0)
        self._fits = FitReport(self._notes)
        if self._role.trains:
            self._check_fit_arguments(fit_args, fit_kwargs)
            if self._takes_verbose:
                fit_kwargs["verbose"] = 2 if verbose > 1 else 0

        note_data(self, fit_args, fit_kwargs)
        declare_with_data(self, fit_args, fit_kwargs)
        run = SearchRun(self, self._local_oracle, self._pool, self._at_once())

        def run_trials() -> None:
            with interruptible(visible=verbose > 0) as self._stop_request:
                run.run(self._stop_request, fit_args, fit_kwargs)

        with environment_explained(str(self.project_dir)), measured() as spent:
            loggers = loggers_among(fit_kwargs.get("callbacks"))
            try:
                self._role.search(run_trials, visible=verbose > 0, loggers=loggers)
            finally:
                self._folds = None
        if self._role.trains:
            self._time_report = run.time_report(spent, self._fits.fallbacks)
            for line in self._time_report.lines():
                self._notes.add(line)

    def stop(self) -> None:
        """End the running search once the trials that run have ended.

        It may be called by a callback, by a hook or by another thread.  Another call of `search`
        goes on.  Of several processes that share a database it ends the search of this one.

        Raises:
            RuntimeError: This is a worker of a chief, which decides.
        """
        refuse_without_records(self, "stop")
        (self.oracle if isinstance(self.oracle, RemoteOracle) else self._local_oracle).stop()

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
        run, kwargs = self._begin_run(trial, args, kwargs)
        results = []
        for execution in range(self.executions_per_trial):
            ours = run.callbacks(callbacks, execution)
            run.set_seed(execution)
            given_args, given = self._of_fold(execution, args, kwargs)
            results += self._results_of(run, trial, given_args, {**given, "callbacks": ours})
            run.raise_if_interrupted()
            if results and isinstance(results[-1], keras.callbacks.History):
                compat.forget_model(results[-1])
            if results and run.models_trained > 1:  # folds, say: what they say together counts
                results[-1] = final_metrics(results[-1], self.oracle.objective)[0]
            elif results and run.models_trained == 1:
                refuse_evaluation(results[-1])
            if run.stopped:
                break
        if self._models.keeps_any:
            run.write_weights(
                self._get_checkpoint_fname(trial.trial_id),
                self._get_build_config_fname(trial.trial_id),
            )
        return results

    def _of_fold(
        self, execution: int, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """Return the arguments of `fit` for an execution of a trial."""
        if self._cross_validation is None:
            return args, kwargs
        if self._folds is None:
            self._folds = self._cross_validation.folds(args, kwargs)
        return (), of_fold(self._folds, execution, args, kwargs)

    def _begin_run(
        self, trial: Trial, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[TrialRun, dict[str, Any]]:
        """Return what makes the callbacks of a trial, and the arguments of its `fit` by name."""
        run = TrialRun(
            self,
            trial,
            monitor=self._role.monitor,
            stop_request=self._stop_request,
            notes=self._notes,
            seed=self._training_seed,
            may_lack_objective=not self._trains_with_keras
            or may_lack_objective(self.oracle.objective, kwargs),
            shows_epochs=self._shows_epochs,
            scheduled=self._local_oracle.scheduler is not None,
            states=self._states,
            costs=self._costs.of_trial(trial),
        )
        given = dict(kwargs)
        if self._local_oracle.scheduler is not None:
            check_epochs(args, kwargs)
            given["epochs"] = self._local_oracle.scheduler.max_epochs
            given["initial_epoch"] = run.epochs_before
            self._resumes_trial = run.epochs_before > 0
        return run, given

    def _results_of(
        self, run: TrialRun, trial: Trial, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> list[Any]:
        """Build and train a model; return what its training returned, if it came to its end."""
        try:
            with self._fits.trial():
                result = self._build_and_fit_model(trial, *args, **kwargs)
            self._pool.give_back()
            return [result]
        except TrainingEnded:
            run.write_build_config(self._get_build_config_fname(trial.trial_id))
            self._pool.give_back()
            return []
        except ValueError as error:
            run.batches.explain(error)
            raise
        except TypeError as error:
            refuse_unexpected(error, set(kwargs), type(self))
            raise

    def _train(self, trial: Trial, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run a trial; without `verbose`, if its own training passes that to `fit` itself."""
        if not self._runs_with_keras:
            epochs = epochs_reported(trial) if self._states is not None else 0
            set_trial_seed(self._training_seed, trial, epochs_before=epochs)
        if not self._sets_verbose:
            try:
                return self.run_trial(trial, *args, **kwargs)
            except TypeError as error:
                if not passed_twice("verbose", error):
                    raise
                self._sets_verbose = True
        own = {name: value for name, value in kwargs.items() if name != "verbose"}
        return self.run_trial(trial, *args, **own)

    def _try_build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build a model that is to be trained in a trial."""
        set_missing_defaults(hp)
        if not self._pool.size:
            model = super()._try_build(hp)
            check_constraint(self._constraint, hp, model)
        else:
            model = self._pool.model_for(
                hp,
                self._build_checked,
                hypermodel=self.hypermodel,
                # A class may keep in its attributes what it needs in `fit`, so it has to build.
                resumes=self._resumes_trial and "build" in vars(self.hypermodel),
                takes_same_data=self._trains_with_keras and not self._changes_data,
            )
        return self._fits.lead(model)

    def _build_checked(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build a model as KerasTuner does, but leave the kept models as they are."""
        if self._prebuilt is not None and self._prebuilt.hp is hp:
            built, self._prebuilt = self._prebuilt, None
            if built.random is not None:
                set_random_state(built.random)
            return built.model
        compat.reset_names()
        model = self._build_hypermodel(hp)
        check_model(model, self.max_model_size)
        if not self._resumes_trial:  # a model that goes on was not rejected when it began
            check_constraint(self._constraint, hp, model)
        return model

    # The trials.

    def _at_once(self) -> AtOnce:
        """Return how many trials are trained at once."""
        one_by_one = (
            not self._calls_model_fit
            or self.executions_per_trial > 1
            or self.distribution_strategy is not None
            or asked_oracle(self, self._local_oracle) is None
            or self._shows_epochs
            or self._costs.takes_time
        )
        workers = self.oracle.workers if isinstance(self.oracle, RemoteOracle) else 1
        return (
            AtOnce(1) if one_by_one else chosen(self._trials_at_once, self._local_oracle, workers)
        )

    def on_trial_end(self, trial: Trial) -> None:
        """Called at the end of a trial."""
        if self.oracle is not self._local_oracle:
            add_message(trial)
        try:
            with section("saving"):
                self.oracle.end_trial(trial)
        finally:
            self._role.trial_ended(trial.trial_id)

    # In other processes.

    def _driver(self, fit_args: Sequence[Any], fit_kwargs: dict[str, Any]) -> SearchDriver:
        """Return what reports a search whose trials run in other processes.

        Args:
            fit_args: Positional arguments of `search`.
            fit_kwargs: Keyword arguments of `search`.
        """
        verbose = verbosity(fit_kwargs.pop("verbose", None))
        fit_kwargs = plain_numbers(fit_kwargs)
        self._notes = Notes(visible=verbose > 0)
        if not made_by_workers(fit_args, fit_kwargs):
            self._check_fit_arguments(fit_args, dict(fit_kwargs))
        note_data(self, fit_args, fit_kwargs)
        declare_with_data(self, fit_args, fit_kwargs)
        return SearchDriver(
            self,
            self._local_oracle,
            self._models,
            fit_args,
            fit_kwargs,
            verbose=verbose,
            begins_again=self._overwrites,
        )

    def _work_for(self, oracle: RemoteOracle, name: str, monitor: RemoteMonitor) -> None:
        """Train the trials of an oracle in another process.

        Args:
            oracle: Asks it.
            name: The name of this process.
            monitor: Says which trials are shown in TensorBoard.
        """
        self.oracle, self.tuner_id = oracle, name
        self._role = RayWorker(self, monitor)

    def _ask_to_stop(self) -> None:
        """End the training after the running epoch, as Ctrl-C does."""
        self._stop_request.is_set = True

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to train: neither live models nor a role."""
        state = {name: value for name, value in vars(self).items() if name not in _OF_THIS_PROCESS}
        strategy = state["distribution_strategy"]
        if type(strategy) is tf.distribute.MirroredStrategy:  # it cannot be sent, so is made anew
            state["distribution_strategy"] = tf.distribute.MirroredStrategy
        return {**state, "_kept": (self._pool.size, self._models.keep)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what another process has sent."""
        pool_size, keep = state.pop("_kept")
        self.__dict__.update(state)
        if state["distribution_strategy"] is tf.distribute.MirroredStrategy:
            self.distribution_strategy = tf.distribute.MirroredStrategy()
        self._pool, self._prebuilt = ModelPool(pool_size), None
        self._stop_request, self._notes = StopRequest(), Notes(visible=False)
        self._fits, self._restore_settings = FitReport(self._notes), None
        self._time_report = self._validated_on = self._folds = None
        self._models = self._models_kept(self._local_oracle, keep)
        self._role = role_of(self, self._local_oracle, self._models, overwrite=False)

    # Before the trials.

    def _check_fit_arguments(self, fit_args: Sequence[Any], fit_kwargs: dict[str, Any]) -> None:
        """Raise if no trial could train with these arguments of `search`."""
        if self._cross_validation is not None:
            if not self._runs_with_keras:
                raise ValueError(
                    "`cross_validation` has no effect on a `run_trial` of your own: split the rows "
                    "there, or train in `HyperModel.fit`, which gets the rows of each fold."
                )
            self._folds = self._cross_validation.folds(fit_args, fit_kwargs)
        if (scheduler := self._local_oracle.scheduler) is not None:
            check_epochs(fit_args, fit_kwargs)
            check_validation_freq(scheduler, self.oracle.objective, fit_kwargs)
        if self._runs_with_keras:
            check_callbacks(fit_kwargs.get("callbacks"))
        if self._calls_model_fit:
            check_fit(fit_args, fit_kwargs, type(self))
        if self._trains_with_keras and self._folds is None:
            check_validation(self.oracle.objective, fit_args, fit_kwargs)

    @property
    def _states(self) -> StateFiles | None:
        """Where the states of trials that pause are, None if trials never do."""
        scheduler = self._local_oracle.scheduler
        if scheduler is None or not scheduler.resumes:
            return None
        return StateFiles(Path(self.project_dir))

    @property
    def _runs_with_keras(self) -> bool:
        """Whether `run_trial` is not the user's own."""
        return type(self).run_trial is Tuner.run_trial

    @property
    def _trains_with_keras(self) -> bool:
        """Whether `model.fit` itself is called with the arguments of `search`."""
        fit = getattr(type(self.hypermodel), "fit", None)
        return self._runs_with_keras and fit in (keras_tuner.HyperModel.fit, TrainingSpace.fit)

    @property
    def _changes_data(self) -> bool:
        """Whether trials are trained on other data than those passed to `search`."""
        return isinstance(self.hypermodel, TrainingSpace) and self.hypermodel.changes_data

    @property
    def _calls_model_fit(self) -> bool:
        """Whether that `model.fit` is Keras' own."""
        own = type(self)._build_and_fit_model is not keras_tuner.Tuner._build_and_fit_model
        return self._trains_with_keras and self._model_fits_plainly and not own

    @property
    def _takes_verbose(self) -> bool:
        """Whether `verbose` can be passed to what trains."""
        own = self.hypermodel is None or accepts(self.hypermodel.fit, "verbose")
        return own and accepts(self.run_trial, "verbose")
