"""A KerasTuner tuner that records its search: the project, and what is known once trials have run.

How trials are run is the job of `kt_extras.tuners.tuner`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.engine.tuner import maybe_distribute

from kt_extras import compat
from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.search_data import SearchData
from kt_extras.arguments import check_directory, check_flag, check_integer, check_project_name
from kt_extras.bridge.space_discovery import declare_space
from kt_extras.checkpoints.random_state import random_state_kept
from kt_extras.checkpoints.weight_files import Keep
from kt_extras.oracles.added_trial import Score
from kt_extras.oracles.arguments import Points, Values
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.plan import expected_epochs, plan_table, planned_rows
from kt_extras.records.failures_said import BestList, no_score_text
from kt_extras.training.global_state import settings_kept
from kt_extras.training.time_spent import section
from kt_extras.tuners.compile_overrides import compile_with
from kt_extras.tuners.model_fingerprint import FirstModel, model_change
from kt_extras.tuners.project_files import remove_search_files
from kt_extras.tuners.roles import is_worker, refuse_without_records, warn_without_records
from kt_extras.tuners.search_monitor import resumption
from kt_extras.tuners.trained_models import TrainedModels
from kt_extras.views.search_views import SearchViews

Resume = Literal["auto", "never", "must"]


class RecordedTuner(SearchViews, keras_tuner.Tuner):
    """Opens the project of a search, and returns its results, models and plan.

    Args:
        oracle: A `kt_extras.SamplerOracle`.
        hypermodel: As for `keras_tuner.Tuner`.
        resume: As for `kt_extras.Tuner`.
        storage: As for `kt_extras.Tuner`.
        keep_checkpoints: As for `kt_extras.Tuner`.
        directory: As for `keras_tuner.Tuner`.
        project_name: As for `keras_tuner.Tuner`.
        overwrite: As for `keras_tuner.Tuner`.
        **kwargs: As for `keras_tuner.Tuner`.

    Raises:
        ValueError: The directory holds a search that KerasTuner itself has made, or `resume` does
            not allow what it holds.
    """

    def __init__(
        self,
        oracle: SamplerOracle,
        hypermodel: Any,
        *,
        resume: Resume,
        storage: str | None,
        keep_checkpoints: Keep,
        directory: str | os.PathLike[str] | None,
        project_name: str | os.PathLike[str] | None,
        overwrite: bool,
        **kwargs: Any,
    ) -> None:
        check_directory(directory)
        check_project_name(project_name)
        check_flag("overwrite", overwrite)
        if is_worker(self):  # the project belongs to the chief
            overwrite, resume = False, "auto"
        project = str(project_name or "untitled_project")
        oracle.use_storage(storage)
        oracle._set_project_dir(str(directory or "."), project)
        directory = Path(directory or ".").absolute()  # wherever the process goes
        _check_resume(resume, project, oracle.is_recorded(), overwrite)
        if overwrite:
            oracle.read_past()  # of which this project may be one
            oracle.forget_recorded(partial(remove_search_files, directory / project))
        self._declared = oracle.hyperparameters.copy()  # before the model declares its own
        self._local_oracle = oracle  # on a worker, `self.oracle` is a client of the chief's
        self._models = self._models_kept(oracle, keep_checkpoints)
        self._model: str | None = None  # what tells it from others
        self._model_fits_plainly = False  # whether its `fit` is that of Keras
        self._restore_settings: Callable[[], None] | None = None
        super().__init__(
            oracle,
            hypermodel,
            directory=directory,
            project_name=project_name,
            overwrite=False,  # KerasTuner would remove all that is in the directory
            **kwargs,
        )

    # What KerasTuner's tuners have.

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

        They are loaded with `load_model`, which a subclass may override.

        Args:
            num_models: How many, best first; fewer if there are not as many with a score.

        Raises:
            FileNotFoundError: `keep_checkpoints` is lower than `num_models`.
        """
        check_integer("num_models", num_models, minimum=0)
        trials = self.oracle.get_best_trials(num_models)
        if type(self).load_model is RecordedTuner.load_model:  # another one has files of its own
            self._models.check(trials)
        return self._best_list(map(self.load_model, trials))

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """Return the hyperparameters of the best trials, as they were in their best epochs.

        Args:
            num_trials: How many, best first; fewer if there are not as many with a score.
        """
        check_integer("num_trials", num_trials, minimum=0)
        found = map(self._models.hyperparameters, self.oracle.get_best_trials(num_trials))
        return self._best_list(found)

    def _best_list(self, items: Iterable[Any]) -> list[Any]:
        """Return a list that says, if its process has the records, why it has no more items."""
        return list(items) if is_worker(self) else BestList(items, self._local_oracle.trial_records)

    def results_summary(self, num_trials: int = 10) -> None:
        """Print the best trials, and why there is none if all have failed.

        Args:
            num_trials: How many, best first; with several objectives those of the front first, each
                with the values of all objectives.
        """
        super().results_summary(num_trials)
        if not is_worker(self) and len(self.objectives) > 1:
            for trial in best_first(self.search_data())[:num_trials]:
                values = ", ".join(
                    f"{name} {value:.5g}" for name, value in trial.objective_values.items()
                )
                print(f"Trial {trial.trial_id}: {values}")  # noqa: T201
        if text := no_score_text(self._local_oracle.trial_records()):
            print(text)  # noqa: T201

    def save(self) -> None:
        """Do nothing: the oracle's journal is always up to date."""

    def reload(self) -> None:
        """Load the search in the project's directory."""
        if is_worker(self):  # the chief has the records
            return
        self.oracle.reload()
        changes = self.oracle.redeclare(self._declared_now())
        before = self.oracle.note_model(self._model)
        print(resumption(self.oracle, self.project_name, changes))  # noqa: T201 - as KerasTuner does
        if before is not None:
            print(model_change(before, self._model))  # noqa: T201

    # What they do not have.

    def plan(self) -> list[dict[str, int]]:
        """Print what the scheduler intends, and return it.

        Returns:
            One row a rung, ready for `pandas.DataFrame`: its `bracket`, the `epochs` that a trial
            has trained when it reaches it, the `trials` that do, and the `new_epochs` that they
            train to come from the rung below.  Where trials are promoted before all have reached
            a rung, more are trained: the last line that is printed has an estimate with its range.

        Raises:
            ValueError: There is no scheduler, or nothing but time or epochs limits the search.
        """
        rows = planned_rows(self._local_oracle)
        expected = expected_epochs(self._local_oracle)
        print(plan_table(rows, expected))  # noqa: T201 - the purpose of this method
        return rows

    def enqueue(self, values: Points) -> None:
        """Try points that are known to be good before the sampler suggests any.

        A point that an earlier run of the script has enqueued is not tried again.  A worker of a
        chief, which runs the same script, leaves that to the chief.

        Args:
            values: A dictionary of the values of some or all hyperparameters, moved to the nearest
                grid point; the rest are drawn at random.  Or a `keras_tuner.HyperParameters`, as
                `get_best_hyperparameters` returns it, or a list of either.

        Raises:
            TypeError: It is none of these.
            ValueError: A name or value that the space does not have; then no point is enqueued.
        """
        if not is_worker(self):
            self._local_oracle.enqueue(values)

    def add_trial(self, values: Values, score: Score, curve: Sequence[float] | None = None) -> str:
        """Put a trial on record that was trained elsewhere.

        Samplers learn from it, and pruners from its curve; schedulers pass it over, and it does
        not count for `max_trials`.  There are no weights of it: `refit` trains its model.  A trial
        that is on record already, with the same values, score and curve, is not added again, as
        when the script is run again.  A worker of a chief leaves it to the chief.

        Args:
            values: A dictionary of the values of all active hyperparameters, or a
                `keras_tuner.HyperParameters`.
            score: Its score, in the objective's own scale; or a dictionary of its metrics, with all
                objectives and what is bounded by constraints.
            curve: The objective after each epoch.  Defaults to None: not known.

        Returns:
            The id of the trial; an empty text on a worker.

        Raises:
            TypeError: `values` is no dictionary, or `curve` no list.
            ValueError: A name or value that the space does not have, or one that is missing; or
                the score is not a finite number.
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        return "" if is_worker(self) else self._local_oracle.add_trial(values, score, curve)

    def search_data(self) -> SearchData:
        """Return the search as plain data, as it is now.

        Raises:
            RuntimeError: This is a worker of a chief, which has the records.
        """
        refuse_without_records(self, "search_data")
        return self._local_oracle.search_data()

    def history(self, trial_id: str | int) -> dict[str, list[Any]]:
        """Return the metrics of every epoch of a trial, ready for `pandas.DataFrame`.

        See `kt_extras.LoadedSearch.history`.

        Raises:
            KeyError: There is no such trial.
            RuntimeError: This is a worker of a chief, which has the records.
        """
        refuse_without_records(self, "history")
        return super().history(trial_id)

    def _rows(self) -> list[dict[str, Any]]:
        """Return the rows of `results`; none, with a warning, on a worker of a chief."""
        warn_without_records(self, "results")
        return [] if is_worker(self) else super()._rows()

    # Models.

    def _models_kept(self, oracle: SamplerOracle, keep: Keep) -> TrainedModels:
        """Return what keeps the weights of the best trials."""
        build = partial(RecordedTuner._try_build, self)  # a subclass asks its `constraint` too
        return TrainedModels(self, oracle, keep, build)

    def _try_build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build a model after a call of `clear_session`, which drops the user's settings."""
        self._restore_settings = compat.session_settings()
        return super()._try_build(hp)

    def _build_hypermodel(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build a model with the user's settings."""
        if self._restore_settings is not None:
            self._restore_settings()
            self._restore_settings = None
        with section("building"):
            return super()._build_hypermodel(hp)

    def _override_compile_args(self, model: keras.Model) -> None:
        """Compile a model with copies of the tuner's optimizer, loss and metrics, if given."""
        with maybe_distribute(self.distribution_strategy):
            compile_with(model, optimizer=self.optimizer, loss=self.loss, metrics=self.metrics)

    # Before the trials.

    def _populate_initial_space(self) -> None:
        """Find the hyperparameters that the model declares, unless there is a search to go on with.

        KerasTuner looks for one in the project's directory alone; it may be in a database.
        """
        if self._local_oracle.is_recorded():
            self.reload()
        elif self.hypermodel is not None:
            self._declare_space(self.oracle)
            self._local_oracle.note_model(self._model)
        if not is_worker(self):
            self._local_oracle.read_past()
            self._local_oracle.check_prior()

    def _declare_space(self, oracle: keras_tuner.Oracle) -> None:
        """Declare to an oracle what the model declares, in every branch; no model is used."""
        hp = oracle.get_space()
        self.hypermodel.declare_hyperparameters(hp)
        oracle.update_space(hp)
        with settings_kept(), random_state_kept():
            declares = getattr(self.hypermodel, "build_and_declare", self.hypermodel.build)
            build = FirstModel(declares)
            declare_space(build, oracle.get_space, oracle.update_space)
        self._model, self._model_fits_plainly = build.fingerprint, build.trains_plainly

    def _declared_now(self) -> keras_tuner.HyperParameters:
        """Return the space as this program declares it, whatever the journal holds."""
        scratch = keras_tuner.Oracle(
            objective="loss",
            seed=1,  # not used; without it KerasTuner draws one from Python's `random`
            hyperparameters=self._declared.copy(),
            allow_new_entries=self.oracle.allow_new_entries,
            tune_new_entries=self.oracle.tune_new_entries,
        )
        if self.hypermodel is not None:
            self._declare_space(scratch)
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
    def _training_seed(self) -> int | None:
        """The seed of the training of trials, None unless the user has given a seed."""
        return self._local_oracle.seed if self._local_oracle.seed_given else None


def _check_resume(resume: str, project: str, exists: bool, overwrite: bool) -> None:
    """Raise if the project holds, or does not hold, what `resume` demands."""
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
