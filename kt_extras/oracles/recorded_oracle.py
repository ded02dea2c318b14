"""A KerasTuner oracle that records its search: sessions, loading, and changes from outside a trial.

What happens next is decided by `kt_extras.oracles.oracle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial

from kt_extras.bridge.space_change import differences
from kt_extras.bridge.spaces import to_space
from kt_extras.bridge.trial_state import TrialState
from kt_extras.oracles.added_trial import added_trial, recorded_as
from kt_extras.oracles.arguments import Points, Values, enqueued_points
from kt_extras.oracles.drivers import has_chief
from kt_extras.oracles.queried_oracle import QueriedOracle
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.oracles.workers import worker_of
from kt_extras.records.events import (
    Event,
    PastKnown,
    PointEnqueued,
    SpaceDeclared,
    TrialBegun,
    TrialEnded,
    TrialResumed,
)
from kt_extras.records.members import member_of, worker_in
from kt_extras.records.past_searches import PastSource
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import Point
from kt_extras.search.past import Past
from kt_extras.search.space import describe
from kt_extras.storage.errors import LostTurnError

_P = ParamSpec("_P")
_T = TypeVar("_T")
_POLL = 1.0  # seconds after which to look what other processes have recorded


def in_turn(method: Callable[_P, _T]) -> Callable[_P, _T]:
    """Let a method of an oracle decide in a turn, with all that others have recorded before.

    It is called again if the turn is lost with the connection and another process has written
    since; what it had written by then stays, and is not written again.
    """

    @wraps(method)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        oracle: Any = args[0]
        again = False
        while True:
            with oracle._changed:
                oracle._ensure_session()
                try:
                    with oracle._recorder.turn(again=again):
                        oracle._learn()
                        return method(*args, **kwargs)
                except LostTurnError:
                    again = True

    return call


class RecordedOracle(QueriedOracle):
    """Records a search: opens its project, holds sessions, and takes up what is on the disk.

    Args:
        *args: As for `QueriedOracle`.
        **kwargs: As for `QueriedOracle`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._redeclared: keras_tuner.HyperParameters | None = None  # to be written
        self._past_sources: list[PastSource] = []
        self._past_read: dict[str, Past] = {}  # to be written
        self._enqueued_before: list[Point] = []  # by earlier runs of the script
        self.is_shared = False  # see `share`
        self._taken: set[str] = set()  # trials that others have, and a worker here trains on
        self.changes = 0  # how often there may have been new work for workers that wait

    # Changes from outside a trial.

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

        A point that was on record when the project was loaded is not enqueued again, as when the
        script is run again.

        Args:
            values: A dictionary of the values of some or all hyperparameters, moved to the nearest
                grid point; the rest are drawn at random.  Or a `keras_tuner.HyperParameters`, or a
                list of either.

        Raises:
            TypeError: It is none of these.
            ValueError: A name or value that the space does not have; then no point is enqueued.
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        points = [one for one in enqueued_points(values) if one not in self._enqueued_before]
        with self._changed, self._writing(), self._recorder.turn():
            self._learn()
            if len(self.space):  # otherwise nothing is declared yet, and the trial will tell
                for point in points:
                    self.space.complete(point, np.full(len(self.space), 0.5))
        for point in points:
            with self._changed, self._writing():
                self._recorder.write(PointEnqueued(values=point))

    def add_trial(self, values: Values, score: float, curve: Sequence[float] | None = None) -> str:
        """Put a trial on record that was trained elsewhere.

        Samplers learn from it, and pruners from its curve; schedulers pass it over, and it does
        not count for `max_trials`.  A trial that is on record already, with the same values, score
        and curve, is not added again, as when the script is run again.

        Args:
            values: A dictionary of the values of all active hyperparameters, or a
                `keras_tuner.HyperParameters`.
            score: Its score, in the objective's own scale.
            curve: The objective after each epoch.  Defaults to None: not known.

        Returns:
            The id of the trial.

        Raises:
            TypeError: `values` is no dictionary, or `curve` no list.
            ValueError: A name or value that the space does not have, or one that is missing; or
                the score is not a finite number.
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        with self._changed, self._writing(), self._recorder.turn():
            self._learn()
            self._sync_space()
            event = added_trial(values, score, curve, self._state, self.seconds())
            if known := recorded_as(event, self._state.trials.values()):
                return known
            self._recorder.write(event, sync=True)
            record = self._state.trials[event.trial]
            self._show(record.trial)
            self.end_order.append(event.trial)
            self._recorder.save_trial(record.trial)
            return event.trial

    def read_past(self) -> None:
        """Read the earlier searches of `warm_start` that are not on record yet.

        They are recorded when the next trial is asked for; nothing is written.

        Raises:
            FileNotFoundError: There is no such search.
            ValueError: It has no trial with a score, or its objective is not known.
        """
        known = {past.source for past in self._state.history.past} | set(self._past_read)
        for source in self._past_sources:
            if source.name not in known:
                self._past_read[source.name] = source.read(self.objective)

    def abandon(self, tuner_id: str) -> None:
        """Take back the trial of a worker that will not end it; it is run again first."""
        with self._changed, self._recorder.turn():
            self._learn()
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is not None and self._recorder.writes:
                self._recorder.abandon(trial.trial_id)
                self._note_change()

    # Workers in other processes.

    def share(self) -> None:
        """Expect workers in other processes: which of them has a trial is recorded from now on.

        When too many trials have failed, that is kept as `failure_report`, which ends the search,
        since an error would end one worker alone.
        """
        self.is_shared = True

    def adopt(self, is_alive: Callable[[str], bool] = lambda _: True) -> list[str]:
        """Leave trials that were running when the records were read in the hands of their workers.

        Args:
            is_alive: Tells whether a worker may still train.  Defaults to a function for which all
                may.

        Returns:
            The names under which these workers train.
        """
        with self._changed:
            adopted = []
            for name in self._state.interrupted():
                record = self._state.trials[name]
                waits = name in self._state.waiting and name not in self._state.given_back
                if waits and record.worker is not None and is_alive(record.worker):
                    self._state.go_on(name)
                    self.ongoing_trials[record.worker] = record.trial
                    adopted.append(record.worker)
            return adopted

    def holds(self, tuner_id: str, trial_id: str) -> bool:
        """Tell whether a worker has a trial, and give it back one that it has lost but still waits.

        Args:
            tuner_id: The name under which it trains the trial.
            trial_id: The trial.
        """
        with self._changed:
            trial = self.ongoing_trials.get(tuner_id)
            if trial is not None:
                return trial.trial_id == trial_id
            record = self._state.trials.get(trial_id)
            if record is None or record.worker != tuner_id or trial_id not in self._state.waiting:
                return False
            return bool(self.adopt(tuner_id.__eq__))

    def lose(self, worker: str) -> list[str]:
        """Let the trials of a worker that has died be run again, before others.

        Args:
            worker: The worker.

        Returns:
            The ids of the trials.
        """
        with self._changed:
            names = {name for name in self.ongoing_trials if worker_of(name) == worker}
            lost = [self.ongoing_trials.pop(name).trial_id for name in sorted(names)]
            for trial_id in lost:
                self._state.interrupt(trial_id)
            self.tuner_ids.difference_update({worker, *names})
            self._note_change()
            return lost

    def follow(self) -> list[Event]:
        """Take up what another process has recorded since the last call, and return it.

        Call `reload` before anything is written here.
        """
        with self._changed:
            events = self._recorder.follow()
            if self.hyperparameters is not self._state.hyperparameters:  # the first call
                self.hyperparameters = self._state.hyperparameters
                self.trials.clear()
                self.start_order.clear()
            for record in self._state.trials.values() if not self.trials else ():
                self._show(record.trial)
            for event in events:
                if isinstance(event, TrialBegun):
                    self._show(self._state.trials[event.trial].trial)
            return events

    def wait_for_change(self, timeout: float, since: int | None = None) -> None:
        """Sleep until a trial ends, is lost or given back.

        Args:
            timeout: Seconds, at most.
            since: What `changes` was when the worker was told to wait, so that no change is missed.
                Defaults to None: now.
        """
        with self._changed:
            before = self.changes if since is None else since
            if self._recorder.is_member:  # other processes do not wake this one
                timeout = min(timeout, _POLL)
            self._changed.wait_for(lambda: self.changes != before, timeout)

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
            self._taken.clear()
            self._enqueued_before = list(self._state.ever_enqueued)
            self.ongoing_trials.clear()
            self._take_up()

    # For the oracle that decides.

    def _note_change(self) -> None:
        """Wake the workers that wait."""
        self.changes += 1
        self._changed.notify_all()

    def _open_session(self, *, until_needed: bool = False) -> None:
        try:
            if not (self.is_shared or has_chief()):
                self._recorder.join()
            ongoing = {trial.trial_id for trial in self.ongoing_trials.values()}
            with self._recorder.turn():
                if self._recorder.open_session(ongoing, until_needed=until_needed):
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

    # Processes that share a search by its database.

    def _worker(self, tuner_id: str) -> str | None:
        """Return the name under which the trial of a worker is recorded."""
        if self._recorder.is_member:
            return worker_in(self._recorder.member, tuner_id)
        return tuner_id if self.is_shared else None

    def _learn(self) -> None:
        """Take up what other processes have recorded since the last turn."""
        news = self._recorder.take_news()
        if not news:
            return
        if self.hyperparameters is not self._state.hyperparameters:
            declared, self.hyperparameters = self.hyperparameters, self._state.hyperparameters
            self.hyperparameters.merge(declared, overwrite=False)
        if self._state.seed is not None and not self.seed_given:
            self.seed = self._state.seed
        self.end_order = list(self._state.ended)
        for event in news:
            if isinstance(event, (TrialBegun, TrialResumed, TrialEnded)):
                self._show(self._state.trials[event.trial].trial)
            if isinstance(event, TrialEnded):
                self._ended_elsewhere(self._state.trials[event.trial])
        for tuner_id, trial in list(self.ongoing_trials.items()):
            record = self._state.trials[trial.trial_id]
            if record.worker != self._worker(tuner_id) or record.state is not TrialState.RUNNING:
                del self.ongoing_trials[tuner_id]
                self._taken.add(trial.trial_id)

    def _ended_elsewhere(self, record: TrialRecord) -> None:
        """Called when another process has ended a trial."""

    def _check_taken(self, trial_id: str) -> None:
        """Raise if another process has a trial that was this one's.

        Raises:
            TrialTakenError: It has.
        """
        record = self._state.trials.get(trial_id)
        if record is None or not self._recorder.is_member:
            return
        worker = record.worker
        if trial_id in self._taken or (worker and member_of(worker) != self._recorder.member):
            self._taken.discard(trial_id)
            raise TrialTakenError(trial_id)

    def _take_from_the_dead(self) -> None:
        """Let the trials of processes that have died be run again, and no others."""
        if not self._recorder.is_member:
            return
        own = {trial.trial_id for trial in self.ongoing_trials.values()} | self._taken
        others = {
            name: member_of(self._state.trials[name].worker or "")
            for name in self._state.interrupted()
            if name not in own
        }
        living = self._recorder.living(set(others.values()) - {"", self._recorder.member})
        for name, member in reversed(others.items()):
            if member not in living:
                self._state.interrupt(name)
            elif name in self._state.waiting and name not in self._state.given_back:
                self._state.go_on(name)

    def _others_train(self) -> bool:
        """Tell whether another process has a trial."""
        if not self._recorder.is_member:
            return False
        own = {trial.trial_id for trial in self.ongoing_trials.values()}
        return any(
            name not in own and name not in self._state.waiting
            for name in self._state.interrupted()
        )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold a session for the moment of a write, unless there is one."""
        if self._recorder.writes:
            yield
            return
        with self.session():
            yield

    def _declare_anew(self) -> list[str]:
        """Replace the declared space by the one of `redeclare`, if that is another one."""
        if self._redeclared is None:
            return []
        now = keras_tuner.HyperParameters()
        now.merge(self._redeclared.space)
        found = [p for p in self.hyperparameters.space if p.name in self._state.found]
        now.merge(found, overwrite=False)
        changes = differences(self._state.history.space, to_space(now))
        if changes and self._recorder.has_others():
            raise _other_space(changes)
        if changes:
            config = now.get_config()
            self._recorder.declare(SpaceDeclared(hyperparameters=config, anew=True))
            self.hyperparameters = self._state.hyperparameters
        if self._recorder.writes:
            self._redeclared = None
        return changes

    def _record_past(self) -> None:
        """Record the earlier searches of `warm_start` that are not on record yet."""
        self.read_past()
        known = {past.source for past in self._state.history.past}
        for name, past in self._past_read.items():
            if name not in known:
                points, ranks = list(past.points), list(past.ranks)
                self._recorder.write(PastKnown(source=name, points=points, ranks=ranks))

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
        self._take_from_the_dead()
        if self._recorder.has_others():
            known = self._state.history.space.dimensions
            names = [one.name for one in known]
            once = [one for one in to_space(declared).dimensions if names.count(one.name) == 1]
            if changed := [one for one in once if one not in known]:
                raise _other_space([f"{one.name}: {describe(one)} here" for one in changed])
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


def _other_space(changes: Sequence[str]) -> ValueError:
    lines = "".join(f"\n  {change}" for change in changes)
    return ValueError(
        "The hyperparameters must be the same for all processes that share a search, but this one "
        f"declares others:{lines}\nEnd the other processes first, or choose another `project_name`."
    )
