"""A KerasTuner oracle whose trials are trained in several processes.

They are workers of this process, which ask it for trials, or processes that share a database, each
with an oracle of its own that takes up what the others have recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_tuner.engine.trial import Trial

from kt_extras.bridge.trial_state import TrialState
from kt_extras.oracles.queried_oracle import QueriedOracle
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.oracles.workers import worker_of
from kt_extras.records.events import Event, TrialBegun, TrialEnded, TrialResumed
from kt_extras.records.members import member_of, worker_in
from kt_extras.records.trial_record import TrialRecord

_POLL = 1.0  # seconds after which to look what other processes have recorded


class SharedOracle(QueriedOracle):
    """Knows which worker has a trial, and which of them have died.

    Args:
        *args: As for `QueriedOracle`.
        **kwargs: As for `QueriedOracle`.

    Attributes:
        is_shared: Whether workers in other processes ask for trials.
        changes: How often there may have been new work for workers that wait.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_shared = False
        self._taken: set[str] = set()  # trials that others have, and a worker here trains on
        self.changes = 0

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

    def _note_change(self) -> None:
        """Wake the workers that wait."""
        self.changes += 1
        self._changed.notify_all()

    # Processes that share a database.

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

    def _show(self, trial: Trial) -> None:
        """Add a trial to KerasTuner's attributes."""
        if trial.trial_id not in self.trials:
            self.start_order.append(trial.trial_id)
        self.trials[trial.trial_id] = trial
