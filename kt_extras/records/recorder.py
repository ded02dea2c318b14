"""Writes the events of a search to its store, and `trial.json` for KerasTuner's readers."""

from __future__ import annotations

import json
import time
import uuid
import warnings
import weakref
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

from kt_extras.arguments import plain
from kt_extras.atomic_files import replace_file, tidy
from kt_extras.bridge.declarations import empty_like
from kt_extras.bridge.goals import goals_record
from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.event_check import check
from kt_extras.records.events import (
    Event,
    ProjectOpened,
    SpaceDeclared,
    TrialAbandoned,
    to_record,
)
from kt_extras.records.members import member_of
from kt_extras.records.replay import Source, checked, replay
from kt_extras.records.search_state import SearchState
from kt_extras.records.snapshot import snapshot_events
from kt_extras.search.outcome import Goals
from kt_extras.storage.errors import LostTurnError, StorageError
from kt_extras.storage.journal import FORMAT
from kt_extras.storage.lock import ProjectInUseError, new_member, this_process
from kt_extras.storage.store import Store, open_store

MARK = "shared.txt"  # a file that shows whether two directories are the same one


class Recorder:
    """Checks every event, writes it, and then applies it to the state.

    Nothing is written or removed outside a session.  Without a directory the search lives in
    memory alone.

    Args:
        objective: With its direction known.
        hyperparameters: The declared space; grows as hyperparameters are found.
        seed: Recorded, for a session that is begun without one.
        goals: What is wanted of outcomes, if that is more than one low loss.  Defaults to None.

    Attributes:
        state: All that is known of the search.
        directory: The project's, None until it is known.
        storage: The URL of a database to write to, None for a journal in the directory.
        model: Recorded, to tell whether another model is searched later.
        taken: Whether another recorder of this process has ended the session.
    """

    def __init__(
        self,
        objective: keras_tuner.Objective,
        hyperparameters: keras_tuner.HyperParameters,
        seed: int,
        goals: Goals | None = None,
    ) -> None:
        self.state = SearchState(objective, hyperparameters, goals)
        self._objective, self._goals = str(objective), goals_record(goals)
        self.directory: Path | None = None
        self.seed = seed
        self.storage: str | None = None
        self.model: str | None = None
        self._store: Store | None = None
        self.member = new_member()  # the name of this process where several share a search
        self.is_member = False  # whether others may search too, each in its turns
        self._in_turn = False
        self._news: list[Event] = []  # of others, which the oracle does not know yet
        self._written: list[Event] = []  # in the last turn
        self._repeats: list[Event] = []  # those that were written in a turn that was lost
        self._in_session = False
        self._until_needed = False  # whether another recorder of this process may end the session
        self.taken = False
        self._taken_up = False  # whether `state` began with the records that there are
        self._unknown: str | None = None  # why `state` may not be what the records lead to
        self._warned = False
        self._follows = False  # whether `state` is that of another process, which writes
        self._directory_mark: str | None = None
        self._tidied = False  # whether the project's folders were looked through
        self._began = time.monotonic()  # the time at which the search's clock was 0

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs of the records: neither file nor connection."""
        outside = {"_store": None, "_in_session": False, "_until_needed": False, "taken": False}
        return {**vars(self), **outside, "is_member": False, "_in_turn": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open the records that another process has named, outside a session."""
        vars(self).update(state, member=new_member())
        if self.directory is not None:
            self.open_project(self.directory)

    def open_project(self, directory: Path) -> None:
        """Use the store of a project.

        Args:
            directory: The project's.
        """
        self.close_session()
        self.directory = directory
        self._store = open_project_store(self.storage, directory)
        # A session that nobody closes ends with its oracle, whoever else holds the store.
        weakref.finalize(self, self._store.release).atexit = False
        self._taken_up = self._tidied = False

    def exists(self) -> bool:
        """Tell whether there is a search to go on with."""
        return self._store is not None and self._store.exists()

    def clear(self, remove_files: Callable[[], None] = lambda: None) -> None:
        """Remove what an earlier search has recorded.

        Args:
            remove_files: Removes its other files. Defaults to a function that removes none.

        Raises:
            kt_extras.storage.lock.ProjectInUseError: It is still being searched.
        """
        if self._store is not None:
            try:
                self._acquire(self._store)
                self._store.delete()
                remove_files()
            finally:
                self._store.release()

    # Writing.

    @property
    def writes(self) -> bool:
        """Whether an event can be written now: in a session, or in memory alone."""
        return self._store is None or self._in_session

    def write(self, event: Event, *, sync: bool = False) -> None:
        """Write an event, then apply it to the state.

        Args:
            event: What happens; its time is set here.
            sync: Whether to wait until it is on the disk. Defaults to False.

        Raises:
            ValueError: It cannot happen; nothing is written or changed.
            kt_extras.storage.StorageError: An earlier event could not be written.  Nothing is
                written until `open_session` or `load` has read what is on the disk.
        """
        while True:
            try:
                with self.turn():
                    if self._store is not None:
                        self._write_project()
                    self._write(event, sync=sync)
                    break
            except LostTurnError:
                if self._in_turn:
                    raise  # what is written here was decided in that turn
        if self._store is not None and sync and self._store.outgrown():
            self._sum_up(self._store)

    def declare(self, event: SpaceDeclared) -> None:
        """Write that hyperparameters were declared; outside a session, apply it alone.

        The next session reads the records anew, and has to declare it again.
        """
        if self.writes:
            self.write(event)
            return
        check(event, self.state)
        self.state.apply(event)
        self._unknown = "hyperparameters were declared that are not written"

    def abandon(self, trial: str) -> None:
        """Write that a worker gives a trial back; if that fails, the next session writes it.

        Its `trial.json` is removed then, as a sign that the process has not died.
        """
        try:
            self.write(TrialAbandoned(trial=trial))
        except BaseException:
            path, record = self._trial_file(trial), self.state.trials.get(trial)
            if path is not None and record is not None and record.state is TrialState.RUNNING:
                with suppress(OSError):  # then it counts as a death
                    path.unlink(missing_ok=True)
            raise

    def save_trial(self, trial: Trial) -> None:
        """Write `trial.json`, the file that KerasTuner's readers look at, if that is possible."""
        path = self._trial_file(trial.trial_id)
        if path is None:
            return
        try:
            replace_file(path, json.dumps(trial.get_state(), default=plain))
        except OSError as error:
            if not self._warned:
                warnings.warn(
                    f"{path} cannot be written ({error}); the search goes on without such files, "
                    "which KerasTuner's own readers look at.",
                    stacklevel=2,
                )
            self._warned = True

    def seconds(self) -> float:
        """Return the time that the search has taken, over all sessions."""
        return time.monotonic() - self._began

    def _write(self, event: Event, *, sync: bool = False) -> None:
        fields = plain(vars(event))  # a sampler or a space may hold NumPy's numbers
        event = replace(event, **{**fields, "t": round(self.seconds(), 3)})
        for written in self._repeats:
            if replace(written, t=event.t) == event:
                self._repeats.remove(written)
                return
        check(event, self.state)
        if self._store is not None:
            self._check_session()
            self._unknown = "an event may have been written in part"
            try:
                self._store.append(to_record(event), sync=sync)
            except LostTurnError:
                self._unknown = None  # nothing was written
                raise
            self._taken_up = True
        self.state.apply(event)
        self._unknown = None
        if self._in_turn:
            self._written.append(event)

    def _trial_file(self, name: str) -> Path | None:
        return self.directory and self.directory / f"trial_{name}" / "trial.json"

    def _check_session(self) -> None:
        """Raise unless no one else can write, and the state is what the records lead to."""
        if self.taken:
            raise ProjectInUseError(str(self.directory), "another oracle of this process")
        if not self._in_session:
            raise RuntimeError("`open_session` must be called before anything is written.")
        if self.is_member and not self._in_turn:
            raise RuntimeError("A turn must be held while anything is written.")
        if self._unknown is not None:
            raise StorageError(
                f"Nothing more is written to {self.directory}, since {self._unknown}.  Search "
                "again: that reads what is on the disk, and goes on from there."
            )

    def _write_project(self) -> None:
        """Write the first record, and another one if that has changed, or a repair has lost it."""
        state, objective = self.state, self._objective
        if state.format is not None:
            self._check_objective(state)
        mark = self._directory_mark if self.is_member else state.directory
        same = state.format == FORMAT and state.objective_recorded == objective
        same = same and mark == state.directory and state.goals_recorded == self._goals
        if same and state.seed is not None:
            return
        seed = self.seed if state.seed is None else state.seed
        model = self.model if state.model is None else state.model
        opened = ProjectOpened(
            format=FORMAT,
            objective=objective,
            seed=seed,
            model=model,
            directory=mark,
            **self._goals,
        )
        self._write(opened)

    # Reading.

    def load(self) -> None:
        """Build the state anew from the records of the project.

        Raises:
            kt_extras.storage.DamagedJournalError: A record cannot be read, or cannot have happened.
            ValueError: There are scores of another objective.
        """
        if self._store is not None and self.directory is not None:
            state = self._new_state()
            replay(self._store.read(), state, Source(self.directory, self.storage))
            self._check_objective(state)
            self.state, self._taken_up, self._unknown = state, True, None
            self._follows = False
            self.taken = False
        self._began = time.monotonic() - self.state.clock

    def follow(self) -> list[Event]:
        """Take up what another process has written since the last call, and return it.

        Trials that run there are not taken for interrupted ones.  `load` or `open_session` must be
        called before anything is written here.

        Raises:
            kt_extras.storage.DamagedJournalError: A record cannot be read, or cannot have happened.
        """
        if self._store is None or self.directory is None or not self._store.exists():
            return []
        records = self._store.news() if self._follows else self._store.read()
        if not self._follows:
            self.state, self._follows = self._new_state(), True
        source, events = Source(self.directory, self.storage), []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a record may be written just now
            for number, record in enumerate(records, 1):
                event = checked(record, self.state, source, number)
                self.state.apply(event)
                events.append(event)
        if events:
            self._began = time.monotonic() - self.state.clock
        return events

    # Turns.

    def join(self) -> None:
        """Share the project with other processes, if its store can; each writes in its turns."""
        join = getattr(self._store, "join", None)
        if join is not None:
            join(self.member)
            self.is_member = True

    @contextmanager
    def turn(self, *, again: bool = False) -> Iterator[None]:
        """Keep others from writing, and apply what they have written; `take_news` returns that.

        It does nothing where this process is the only one that writes, or has its turn already.

        Args:
            again: Whether it repeats the last turn, which was lost; what was written in that is not
                written again. Defaults to False.

        Raises:
            kt_extras.storage.LostTurnError: Others have written since the connection was lost; the
                block must be run again.
        """
        store: Any = self._store
        if not self.is_member or self._in_turn:
            yield
            return
        self._repeats = [*self._written] if again else []
        self._written = [*self._repeats]
        try:
            self._in_turn = True
            if store.begin_turn() and self._in_session and self._unknown is None:
                self._apply_news(store)
            yield
        finally:
            self._in_turn, self._repeats = False, []
            store.end_turn()

    def take_news(self) -> list[Event]:
        """Return what others have written, each event once."""
        news, self._news = self._news, []
        return news

    def living(self, members: Collection[str]) -> set[str]:
        """Return those of some processes that share the search and live."""
        store: Any = self._store
        return set(store.living(members))

    def has_others(self) -> bool:
        """Return whether other processes share the search now."""
        store: Any = self._store
        return self.is_member and bool(store.has_others())

    def _apply_news(self, store: Store) -> None:
        source = Source(self.directory or Path(), self.storage)
        self._unknown = "what others have written was taken up in part"
        for number, record in enumerate(store.news(), 1):
            event = checked(record, self.state, source, number)
            self.state.apply(event)
            self._news.append(event)
        self._unknown, self._taken_up = None, True
        self._began = min(self._began, time.monotonic() - self.state.clock)

    # Sessions.

    def open_session(self, ongoing: Container[str] = (), *, until_needed: bool = False) -> bool:
        """Keep others from writing, and let the clock go on.

        Args:
            ongoing: Ids of trials that run in this process.
            until_needed: Whether another oracle of this process may end the session, and this one
                ends those of others; no search is taken up that `load` has not read. Defaults to
                False.

        Returns:
            Whether the state was built anew: another process has gone on with the search, or what
            is on the disk was not known.

        Raises:
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
            RuntimeError: The project holds another search.
        """
        if self._store is None:
            self._began = time.monotonic() - self.state.clock
            return False
        known = self._taken_up or not self._store.exists() or self.has_others()
        if until_needed and not known:
            raise RuntimeError(
                f"The project {self.directory} holds another search.  Call `reload()` to go on "
                "with it, choose another `project_name`, or pass `overwrite=True` to the tuner."
            )
        try:
            begins = not self._in_session
            if not self.is_member:
                self._acquire(self._store, until_needed=until_needed)
            elif not until_needed:
                self._check_alone_here()
            self._tidy_once()
            anew = self._catch_up(self._store)
            if begins and self.is_member:
                self._check_directory()
            self._in_session, self.taken, self._until_needed = True, False, until_needed
            _in_session.add(self)
            self._began = time.monotonic() - self.state.clock
            if begins:
                self._give_back(() if anew else ongoing)
            self._news = []
        except BaseException:
            self.close_session()
            raise
        return anew

    def sum_up(self) -> None:
        """Write a snapshot of what the session has written, so that the search is loaded fast."""
        is_old = getattr(self._store, "snapshot_is_old", None)  # of a journal
        if self._store is not None and self._in_session and is_old is not None and is_old():
            self._sum_up(self._store)

    def _sum_up(self, store: Store) -> None:
        store.compact(map(to_record, snapshot_events(self.state)))

    def close_session(self) -> None:
        """Let other processes write."""
        self._in_session = self.is_member = self._in_turn = False
        _in_session.discard(self)
        if self._store is not None:
            self._store.release()

    def _give_back(self, ongoing: Container[str]) -> None:
        """Write which trials were given back where `abandon` could not."""
        for name in self.state.interrupted():
            path = self._trial_file(name)
            sign = path is not None and path.parent.is_dir() and not path.exists()
            known = name in ongoing or name in self.state.given_back
            if sign and not known and self._is_lost(name):
                self.write(TrialAbandoned(trial=name))

    def _is_lost(self, name: str) -> bool:
        """Return whether no other process may train a trial."""
        worker = self.state.trials[name].worker
        if not self.is_member or worker is None:
            return True
        return not self.living({member_of(worker)} - {self.member})

    def _tidy_once(self) -> None:
        """Remove what killed processes have left, at the first session alone: it reads folders."""
        if self.directory is not None and not self._tidied:
            tidy(self.directory)
        self._tidied = True

    def _acquire(self, store: Store, *, until_needed: bool = False) -> None:
        """Lock the project, if need be after the ends of sessions of other oracles here."""
        try:
            store.acquire()
        except ProjectInUseError:
            others = [other for other in _in_session if other._place == self._place]
            for other in others:
                if other is not self and (until_needed or other._until_needed):
                    other.close_session()
                    other.taken = True
            store.acquire()

    def _check_directory(self) -> None:
        """Raise if the files of the search are in another directory than those of its processes."""
        path = (self.directory or Path()) / MARK
        if not path.exists():
            replace_file(path, uuid.uuid4().hex)
        self._directory_mark = path.read_text().strip()
        if self.state.directory not in {None, self._directory_mark} and self.has_others():
            raise ValueError(
                f"`directory` must be the same for all processes that share a search, since the "
                f"weights and states of its trials are there, but {self.directory} is not the one "
                "that the others use.  Pass a directory that all can reach."
            )

    def _check_alone_here(self) -> None:
        """Raise if a tuner of this process searches the project: one would wait for the other."""
        for other in _in_session:
            if other is not self and other._place == self._place and not other._until_needed:
                raise ProjectInUseError(str(self.directory), this_process())

    def _catch_up(self, store: Store) -> bool:
        """Read what is recorded, unless the state is what that leads to; return whether it was."""
        if not self._taken_up and not store.exists():
            if self._unknown is None:
                return False
            self.state, self._unknown = self._new_state(), None
            return True
        known = self._taken_up and self._unknown is None
        if known and next(iter(store.news()), None) is None:
            return False
        self.load()
        return True

    @property
    def _place(self) -> tuple[str | None, Path | None]:
        return self.storage, self.directory and self.directory.resolve()

    def _new_state(self) -> SearchState:
        space = empty_like(self.state.hyperparameters)
        return SearchState(self.state.objective, space, self.state.goals)

    def _check_objective(self, state: SearchState) -> None:
        """Scores of two objectives cannot be compared; before the first score nothing is lost."""
        pairs: list[tuple[str, Any, Any]] = [
            ("objective", self._objective, state.objective_recorded),
            ("objectives", _names(self._goals), _names(state.goals_recorded)),
        ]
        if self.has_others():
            for argument in ("constraints", "weights"):
                now, recorded = self._goals.get(argument), state.goals_recorded.get(argument)
                pairs.append((argument, now or None, recorded or None))
        for argument, now, recorded in pairs:
            if now != recorded and (state.totals.best is not None or self.has_others()):
                raise ValueError(
                    f"`{argument}` is now {now}, but {self.directory} holds scores of {recorded}.  "
                    "Choose another `project_name`, or pass `overwrite=True`."
                )


def _names(goals: Mapping[str, Any]) -> list[str]:
    return [f"{one['name']} ({one['direction']})" for one in goals.get("objectives", [])]


_in_session: weakref.WeakSet[Recorder] = weakref.WeakSet()  # the recorders that hold a session


def open_project_store(storage: str | None, directory: Path) -> Store:
    """Return the store of a project.

    Args:
        storage: The URL of a database, None for a journal in the directory.
        directory: The project's.
    """
    if storage is None:
        return open_store(None, directory)
    from kt_extras.records.query_tables import SearchTables  # SQLAlchemy is optional

    return open_store(storage, directory, SearchTables())
