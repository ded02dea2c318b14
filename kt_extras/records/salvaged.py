"""The fold of what is left of damaged records.

Records that cannot have happened without the lost ones are left out.  A trial whose beginning is
lost begins as its end says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import keras_tuner

from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.event_check import check
from kt_extras.records.events import (
    EpochReported,
    Event,
    PastTrial,
    ProjectOpened,
    Record,
    SnapshotCompleted,
    TrialBegun,
    TrialEnded,
    from_record,
    to_record,
)
from kt_extras.records.search_state import SearchState
from kt_extras.records.trial_record import TrialRecord
from kt_extras.storage.errors import StorageError

Numbered = tuple[int, Record]


class Salvaged:
    """What comes of the records that are left.

    Args:
        left: The whole records with their numbers, in order.
        opened: The record of the objective, if it is not the first of them.
        objective: The objective that it names.

    Attributes:
        records: The records that can be applied.
        state: What they lead to.
        left_out: The others.
    """

    def __init__(
        self, left: Sequence[Numbered], opened: Record, objective: keras_tuner.Objective
    ) -> None:
        self._left = left
        self._ends = dict(_ends(left))
        self._in_parts = any("until" in record for _, record in left)  # trials may pause
        first = [] if left and left[0][1].get("kind") == ProjectOpened.kind else [opened]
        refused: set[int] = set()
        while True:
            self.state = SearchState(objective, keras_tuner.HyperParameters())
            self.records: list[Record] = []
            self.left_out: list[Numbered] = []
            for record in first:
                self._add(from_record(record), record)
            place = self._apply_all(refused)
            if place is None:
                return
            refused.add(place)

    @property
    def worth(self) -> tuple[int, int, int]:
        """How much is saved: ended trials, epochs, records."""
        epochs = (len(run) for trial in self.state.trials.values() for run in trial.executions)
        return len(self.state.ended), sum(epochs), len(self.records)

    def with_gaps(self) -> set[str]:
        """Return the ids of trials that lack an epoch between others, their best one, or an end.

        A trial without an end may have been running when the search stopped.
        """
        return {
            name
            for name, trial in self.state.trials.items()
            if trial.state is TrialState.RUNNING or _has_gaps(trial)
        }

    def _apply_all(self, refused: set[int]) -> int | None:
        """Apply all records; return the place of one that cannot be, though it passes its check."""
        for place, (number, record) in enumerate(self._left):
            event = None if place in refused else _event(record)
            possible = None if event is None else self._possible(event)
            if possible is None:
                self.left_out.append((number, record))
                continue
            try:
                self._add(possible, record if possible is event else to_record(possible))
            except (LookupError, TypeError, ValueError, AttributeError):
                return place
        return None

    def _possible(self, event: Event) -> Event | None:
        """Return an event as it can have happened, None if it cannot."""
        self._begin(event)
        self._begin_again(event)
        return next((way for way in self._ways(event) if self._can_be(way)), None)

    def _begin(self, event: Event) -> None:
        """Begin the trial of an event if its own beginning is lost, and its end is not."""
        name = getattr(event, "trial", None)
        if name in self.state.trials or name not in self._ends or isinstance(event, _BEGINNINGS):
            return
        values, until = self._ends[name].values, None
        if self._in_parts:
            steps = [r["step"] for _, r in self._left if r.get("trial") == name and "step" in r]
            until = 1 + max(filter(_is_count, steps), default=0)
        begun = TrialBegun(trial=name, values=values, until=until, t=event.t)
        if self._can_be(begun):
            self._add(begun, to_record(begun))

    def _begin_again(self, event: Event) -> None:
        """Begin another attempt at a trial whose epoch is reported twice, if that is lost.

        Else the epoch would count as one of another execution.
        """
        record = self.state.trials.get(getattr(event, "trial", ""))
        if not isinstance(event, EpochReported) or record is None or not record.executions:
            return
        goes_on = event.step > max(record.executions[-1], default=-1)
        one_execution = record.epoch_budget is not None or event.trial in self.state.waiting
        if goes_on or not one_execution:
            return
        kept = min(event.step, record.paused_at_epoch)
        values = dict(record.trial.values)
        begun = TrialBegun(trial=event.trial, values=values, kept=kept, t=event.t)
        if self._can_be(begun):
            self._add(begun, to_record(begun))

    def _ways(self, event: Event) -> Iterator[Event]:
        """Yield an event as it was recorded, and as it may be without what is lost before it."""
        yield event
        known = self.state.trials
        if isinstance(event, TrialBegun):
            yield replace(event, enqueued=False, dropped=0)
            yield replace(event, enqueued=False, dropped=0, kept=0)
        if isinstance(event, SnapshotCompleted):
            ended = [name for name in event.ended if name in known]
            waiting = [name for name in event.waiting if name in known]
            yield replace(event, ended=ended, waiting=waiting)

    def _can_be(self, event: Event) -> bool:
        try:
            check(event, self.state)
        except (LookupError, TypeError, ValueError, AttributeError):
            return False
        return True

    def _add(self, event: Event, record: Record) -> None:
        self.state.apply(event)
        self.records.append(record)


_BEGINNINGS = (TrialBegun, PastTrial)


def _ends(left: Sequence[Numbered]) -> Iterator[tuple[str, TrialEnded]]:
    """Yield the ids of trials with their first ends."""
    for _, record in reversed(left):
        event = _event(record)
        if type(event) is TrialEnded and isinstance(event.trial, str):
            yield event.trial, event


def _event(record: Record) -> Event | None:
    """Return the event of a record, None if it has none."""
    try:
        return from_record(record)
    except (StorageError, TypeError):
        return None


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _has_gaps(trial: TrialRecord) -> bool:
    runs, best = trial.executions, trial.trial.best_step
    if any(sorted(run) != list(range(len(run))) for run in runs):
        return True
    return trial.trial.score is not None and len(runs) == 1 and best not in runs[0]
