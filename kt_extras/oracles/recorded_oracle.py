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

from kt_extras.bridge.space_change import differences
from kt_extras.bridge.spaces import to_space
from kt_extras.oracles.added_trial import Score, added_trial, recorded_as
from kt_extras.oracles.arguments import Points, Values, enqueued_points
from kt_extras.oracles.drivers import has_chief
from kt_extras.oracles.shared_oracle import SharedOracle
from kt_extras.records.events import (
    DataSeen,
    Event,
    ModelEvaluated,
    PastKnown,
    PointEnqueued,
    SpaceDeclared,
    TrialRepeated,
)
from kt_extras.records.past_searches import PastSource
from kt_extras.search import Point
from kt_extras.search.past import Past
from kt_extras.search.space import describe
from kt_extras.storage.errors import LostTurnError

_P = ParamSpec("_P")
_T = TypeVar("_T")


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


class RecordedOracle(SharedOracle):
    """Records a search: opens its project, holds sessions, and takes up what is on the disk.

    Args:
        *args: As for `SharedOracle`.
        **kwargs: As for `SharedOracle`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._redeclared: keras_tuner.HyperParameters | None = None  # to be written
        self._data_noted: list[DataSeen] = []  # to be written
        self._past_sources: list[PastSource] = []
        self._past_read: dict[str, Past] = {}  # to be written
        self._enqueued_before: list[Point] = []  # by earlier runs of the script

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
        with self._changed, self.writing(), self._recorder.turn():
            self._learn()
            if len(self.space):  # otherwise nothing is declared yet, and the trial will tell
                for point in points:
                    self.space.complete(point, np.full(len(self.space), 0.5))
        for point in points:
            with self._changed, self.writing():
                self._recorder.write(PointEnqueued(values=point))

    def add_trial(self, values: Values, score: Score, curve: Sequence[float] | None = None) -> str:
        """Put a trial on record that was trained elsewhere.

        Samplers learn from it, and pruners from its curve; schedulers pass it over, and it does
        not count for `max_trials`.  A trial that is on record already, with the same values, score
        and curve, is not added again, as when the script is run again.

        Args:
            values: A dictionary of the values of all active hyperparameters, or a
                `keras_tuner.HyperParameters`.
            score: Its score, in the objective's own scale; or a dictionary of its metrics, with all
                objectives and what is bounded by constraints.
            curve: The objective after each epoch.  Defaults to None: not known.

        Returns:
            The id of the trial.

        Raises:
            TypeError: `values` is no dictionary, or `curve` no list.
            ValueError: A name or value that the space does not have, or one that is missing; or
                the score is not a finite number.
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        with self._changed, self.writing(), self._recorder.turn():
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

    def note_data(self, seen: Sequence[DataSeen]) -> None:
        """Note which data are used; it is written when the next trial is asked for.

        Args:
            seen: Each part of them.
        """
        self._data_noted = [*seen]

    def record(self, event: Event) -> None:
        """Record what is no part of the search itself, and wait until it is on the disk.

        Args:
            event: It.

        Raises:
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        with self._changed, self.writing():
            self._recorder.write(event, sync=True)

    @property
    def data_seen(self) -> Sequence[DataSeen]:
        """The data that were used, each once for a part."""
        return self._state.seen

    @property
    def evaluations(self) -> Sequence[ModelEvaluated]:
        """Evaluations of models on test sets, oldest first."""
        return self._state.evaluations

    @property
    def repeats(self) -> Sequence[TrialRepeated]:
        """Trainings of trials with other seeds, oldest first."""
        return self._state.repeats

    def abandon(self, tuner_id: str) -> None:
        """Take back the trial of a worker that will not end it; it is run again first."""
        with self._changed, self._recorder.turn():
            self._learn()
            trial = self.ongoing_trials.pop(tuner_id, None)
            if trial is not None and self._recorder.writes:
                self._recorder.abandon(trial.trial_id)
                self._note_change()

    # Where it is written.

    @property
    def storage(self) -> str | None:
        """URL of the database that holds the records, None for a journal in the directory."""
        return self._recorder.storage

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
            self._recorder.sum_up()
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

    @contextmanager
    def writing(self) -> Iterator[None]:
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

    def _record_data(self) -> None:
        """Record the data of `note_data` that are not on record yet."""
        noted, self._data_noted = self._data_noted, []
        known = [(one.part, one.sample) for one in self._state.seen]
        for one in noted:
            if (one.part, one.sample) not in known:
                self._recorder.write(one)

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
