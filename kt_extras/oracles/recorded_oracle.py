"""A KerasTuner oracle whose state follows from recorded events.

Its job is what a search knows and where that is written: sessions, loading, and the attributes that
KerasTuner's own code reads.  What happens next is decided by `kt_extras.oracles.oracle`.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial

from kt_extras.arguments import check_flag, check_integer
from kt_extras.bridge.declarations import checked
from kt_extras.bridge.objective import ObjectiveLike, names_of, resolve_objective
from kt_extras.bridge.space_change import differences
from kt_extras.bridge.spaces import to_space
from kt_extras.bridge.trial_state import TrialState
from kt_extras.oracles.arguments import (
    Points,
    check_count,
    check_hyperparameters,
    enqueued_points,
    refuse_overridden,
)
from kt_extras.records.events import PointEnqueued, SpaceDeclared, TrialAbandoned
from kt_extras.records.failures_said import BestList
from kt_extras.records.recorder import Recorder
from kt_extras.records.scores import best_epochs, best_trials
from kt_extras.records.search_state import SearchState, Totals
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import History, Space


class RecordedOracle(keras_tuner.Oracle):
    """Records a search, and answers what is known of it.

    Args:
        objective: A metric's name as it stands in the logs, a `keras_tuner.Objective`, or a list.
        max_trials: Maximum number of trials to begin; None for no limit.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space, or None;
            copied.
        seed: An integer from 0, or None for one that is drawn from Python's `random`, so that
            `keras.utils.set_random_seed` before it repeats the search.
        **kwargs: As for `keras_tuner.Oracle`.

    Attributes:
        seed: The seed of the search: the one that was given, or recorded, or drawn.
        seed_given: Whether the user has given it.
    """

    hyperparameters: keras_tuner.HyperParameters  # KerasTuner's own attribute

    def __init__(
        self,
        objective: ObjectiveLike,
        *,
        max_trials: int | None,
        hyperparameters: keras_tuner.HyperParameters | None,
        seed: int | None,
        **kwargs: Any,
    ) -> None:
        refuse_overridden(type(self))
        check_hyperparameters(hyperparameters)
        for name in ("allow_new_entries", "tune_new_entries"):
            check_flag(name, kwargs.get(name, True))
        max_trials = check_count("max_trials", max_trials, minimum=1)
        seed = check_count("seed", seed, minimum=0)
        super().__init__(
            objective=resolve_objective(objective),
            max_trials=max_trials,
            hyperparameters=hyperparameters.copy() if hyperparameters else None,
            seed=1,  # not used; without it KerasTuner draws one from Python's `random`
            **kwargs,
        )
        # What the user gives overrides what the model declares, and is no mistake.
        self._unchecked = {hp.name for hp in self.hyperparameters.space}
        self.hyperparameters = checked(self.hyperparameters, self._unchecked)
        self.seed = random.randrange(2**31) if seed is None else seed
        self.seed_given = seed is not None
        self._redeclared: keras_tuner.HyperParameters | None = None  # to be written
        self._recorder = Recorder(self.objective, self.hyperparameters, self.seed)
        # One lock for all that reads or changes state; waiting workers sleep on it.
        self._changed = threading.Condition(threading.RLock())

    # What is known.

    @property
    def space(self) -> Space:
        """The search space as the samplers see it."""
        with self._changed:
            self._sync_space()
            return self._state.history.space

    @property
    def history(self) -> History:
        """The trials as samplers, pruners and schedulers see them; not to be changed."""
        return self._state.history

    @property
    def totals(self) -> Totals:
        """Counts of trials and epochs, and the best score."""
        return self._state.totals

    def trial_records(self) -> Sequence[TrialRecord]:
        """Return every trial with its curves, in the order in which they began."""
        with self._changed:
            return list(self._state.trials.values())

    def trial_record(self, trial_id: str) -> TrialRecord:
        """Return what is known of one trial."""
        return self._state.trials[trial_id]

    def reached(self) -> dict[int, list[str]]:
        """Return which trials have trained as long as a scheduler may ask for, by epochs."""
        epochs, names = self._state.history.epochs, list(self._state.trials)
        return {
            rung: [names[number] for number in np.flatnonzero(epochs >= rung)]
            for rung in sorted(self._state.rungs)
        }

    def seconds(self) -> float:
        """Return the time that the search has taken, over all sessions."""
        return self._recorder.seconds()

    def remaining_trials(self) -> int | None:
        """Return how many trials `max_trials` leaves; None if it is None."""
        if self.max_trials is None:
            return None
        begun = len(self._state.trials) - self._state.totals.rejected
        return max(0, self.max_trials - begun)

    def get_best_trials(self, num_trials: int = 1) -> list[Trial]:
        """Return the trials with the best scores, best first; never one that failed.

        A trial that was paused and runs again has the score that it had when it was paused.
        """
        with self._changed:
            if num_trials is not None:  # which KerasTuner takes for all of them
                check_integer("num_trials", num_trials, minimum=0)
            best = best_trials(self.trials.values(), self.objective, num_trials)
            return BestList(best, self.trial_records)

    def score_trial(self, trial: Trial) -> None:
        """Set the score and the best epoch: the mean over executions of each one's best.

        Args:
            trial: A completed trial; one whose score is set keeps it.

        Raises:
            ValueError: No epoch has reported the objective.
        """
        if trial.score is not None:
            return
        record = self._state.trials[trial.trial_id]
        best = best_epochs(record, self.objective)
        if not best:
            seen = sorted({name for run in record.executions for m in run.values() for name in m})
            raise ValueError(
                f"`objective` {names_of(self.objective)} was never reported; the metrics that "
                f"were are {seen}.  Choose one of these, or report the objective."
            )
        values, steps = zip(*best, strict=True)
        trial.score, trial.best_step = float(np.mean(values)), round(float(np.mean(steps)))

    # Changes from outside a trial.

    def watch(self, trial: Trial) -> None:
        """Let a trial that has come from a chief warn of hyperparameters declared in two ways."""
        trial.hyperparameters = checked(trial.hyperparameters, self._unchecked)

    def update_space(self, hyperparameters: keras_tuner.HyperParameters) -> None:
        """Add the hyperparameters that are not known yet."""
        with self._changed:
            super().update_space(hyperparameters)

    def redeclare(self, hyperparameters: keras_tuner.HyperParameters) -> list[str]:
        """Replace the declared space, as after an edit of the program.

        Results are kept; a value that lies outside its new range counts as unknown.
        Hyperparameters that a trial has declared while it ran stay.  It is written when the next
        session is opened.

        Args:
            hyperparameters: All that are declared before the first trial.

        Returns:
            A line for each difference.
        """
        with self._changed:
            self._redeclared = hyperparameters
            return self._declare_anew()

    def note_model(self, model: str | None) -> str | None:
        """Note which model is searched, for the records.

        Args:
            model: Its fingerprint, None if it has none.

        Returns:
            What is recorded, if that is another one.
        """
        self._recorder.model, recorded = model, self._state.model
        return recorded if model is not None and recorded not in {None, model} else None

    def enqueue(self, values: Points) -> None:
        """Have points tried before the sampler is asked again.

        Args:
            values: A dictionary of the values of some or all hyperparameters, moved to the nearest
                grid point; the rest are drawn at random.  Or a `keras_tuner.HyperParameters`, or a
                list of either.

        Raises:
            TypeError: It is none of these.
            ValueError: A name or value that the space does not have; then no point is enqueued.
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        points = enqueued_points(values)
        with self._changed, self._writing():
            if len(self.space):  # otherwise nothing is declared yet, and the trial will tell
                for point in points:
                    self.space.complete(point, np.full(len(self.space), 0.5))
            for point in points:
                self._recorder.write(PointEnqueued(values=point))

    def abandon(self, tuner_id: str) -> None:
        """Take back the trial of a worker that will not end it; it is run again first."""
        with self._changed:
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is not None and self._recorder.writes:
                self._recorder.write(TrialAbandoned(trial=trial.trial_id))

    def wait_for_change(self, timeout: float) -> None:
        """Sleep until a trial ends, `timeout` seconds at most."""
        with self._changed:
            self._changed.wait(timeout)

    # Where it is written.

    def use_storage(self, storage: str | None) -> None:
        """Keep the records in a database instead of the project's directory.

        Args:
            storage: Its URL, such as `sqlite:///runs.db`; None for a journal in the directory.
        """
        self._recorder.storage = storage

    def is_recorded(self) -> bool:
        """Tell whether the project holds a search to go on with."""
        return self._recorder.exists()

    def forget_recorded(self, remove_files: Callable[[], None] = lambda: None) -> None:
        """Remove the records of an earlier search of the same project.

        Args:
            remove_files: Removes its other files. Defaults to a function that removes none.
        """
        self._recorder.clear(remove_files)

    def open_session(self) -> None:
        """Keep other processes from searching the project, and let the search's clock go on.

        What this program has declared otherwise than it is recorded is written.

        Raises:
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        with self._changed:
            self._open_session()

    def close_session(self) -> None:
        """Let other processes search the project; the clock stands still until the next session."""
        self._recorder.close_session()

    @contextmanager
    def session(self, tuner_id: str | None = None) -> Iterator[None]:
        """Hold a session; if the block raises, the trial of a worker is given back.

        Args:
            tuner_id: The worker. Defaults to None, for several workers.

        Raises:
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        try:
            self.open_session()
            yield
        except BaseException:
            with suppress(Exception):  # the first error is the one to see
                self.abandon(tuner_id or "")
            raise
        finally:
            self.close_session()

    def save(self) -> None:
        """Do nothing: every change is in the journal before the call that made it returns."""

    def reload(self) -> None:
        """Take up the search that is recorded in the project's directory.

        Trials that were running when it ended are run again first.  Nothing is written.

        Raises:
            kt_extras.storage.journal.DamagedJournalError: A record cannot be read, or cannot have
                happened.
            ValueError: The directory holds scores of another objective.
        """
        with self._changed:
            self._recorder.load()
            self.ongoing_trials.clear()
            self._take_up()

    # For the oracle that decides.

    @property
    def _state(self) -> SearchState:
        return self._recorder.state

    def _open_session(self, *, until_needed: bool = False) -> None:
        try:
            if self._recorder.open_session(until_needed=until_needed):
                self.ongoing_trials.clear()
            self._take_up()
            self._begin_session()
        except BaseException:
            self.close_session()
            raise

    def _begin_session(self) -> None:
        """Called when a session has been opened."""

    def _ensure_session(self) -> None:
        """Open a session that ends with this oracle, for a tuner of KerasTuner, which opens none.

        If another oracle of this process has taken the project, only `open_session` and `reload`
        take it back.
        """
        if not (self._recorder.writes or self._recorder.taken):
            self._open_session(until_needed=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold a session for the moment of a write, unless there is one."""
        if self._recorder.writes:
            yield
            return
        with self.session():
            yield

    def _running(self, trial_id: str) -> TrialRecord:
        record = self._state.trials.get(trial_id)
        if record is None:
            raise KeyError(
                f"`trial_id` must be one of the {len(self.trials)} known trials, got {trial_id!r}."
            )
        if record.state is not TrialState.RUNNING:
            raise ValueError(f"Trial {trial_id!r} is not running: it is {record.state}.")
        return record

    def _sync_space(self, found_by: str | None = None) -> None:
        """Record hyperparameters that were declared since the last call, perhaps by a trial."""
        if len(self.hyperparameters.space) != self._state.declared:
            config = self.hyperparameters.get_config()
            self._recorder.declare(SpaceDeclared(hyperparameters=config, trial=found_by))

    def _declare_anew(self) -> list[str]:
        """Replace the declared space by the one of `redeclare`, if that is another one."""
        if self._redeclared is None:
            return []
        now = keras_tuner.HyperParameters()
        now.merge(self._redeclared.space)
        found = [p for p in self.hyperparameters.space if p.name in self._state.found]
        now.merge(found, overwrite=False)
        changes = differences(self._state.history.space, to_space(now))
        if changes:
            config = now.get_config()
            self._recorder.declare(SpaceDeclared(hyperparameters=config, anew=True))
            self.hyperparameters = self._state.hyperparameters
        if self._recorder.writes:
            self._redeclared = None
        return changes

    def _show(self, trial: Trial) -> None:
        """Add a trial to KerasTuner's attributes."""
        if trial.trial_id not in self.trials:
            self.start_order.append(trial.trial_id)
        self.trials[trial.trial_id] = trial

    def _take_up(self) -> None:
        """Go on with the state that the records lead to, in the space that is declared now.

        A trial that no worker has, since its beginning was interrupted, waits to be run again.
        """
        declared, self.hyperparameters = self.hyperparameters, self._state.hyperparameters
        self.trials.clear()
        self.start_order.clear()
        for record in self._state.trials.values():
            self._show(record.trial)
        if self._state.seed is not None and not self.seed_given:
            self.seed = self._state.seed
        self.end_order = list(self._state.ended)
        self._state.recover({trial.trial_id for trial in self.ongoing_trials.values()})
        self._declare_anew()
        self.hyperparameters.merge(declared, overwrite=False)

    def _set_project_dir(self, directory: str, project_name: str) -> None:
        """Set the directory of the project; called by the tuner.

        Raises:
            ValueError: `directory` is not a local path.
        """
        if "://" in str(directory):
            raise ValueError(
                f"`directory` must be on a local disk, where files can be locked and appended to, "
                f"got {directory!r}.  Keep the records elsewhere with `storage=`."
            )
        directory = str(Path(directory).absolute())  # wherever the process goes
        super()._set_project_dir(directory, project_name)
        self._recorder.open_project(Path(directory) / project_name)
