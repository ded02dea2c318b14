"""The plain model of a search: what was acknowledged, and what follows from arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.training import BEGIN, cost_of, next_weight

FINAL = {"completed", "pruned", "failed", "infeasible", "rejected"}
BAD = {"failed", "infeasible"}
FORGIVEN = 3  # deaths in the same part of a trial; after one more it is given up


class Violation(BaseException):
    """A law does not hold; no `Exception`, which code under test may catch."""


@dataclass(frozen=True)
class End:
    """An end of a trial that was acknowledged.

    Attributes:
        state: The value of a `TrialState`.
        score: As recorded.
        epochs: How many it had trained.
    """

    state: str
    score: float | None
    epochs: int


@dataclass(frozen=True)
class Reference:
    """A search that nobody disturbed.

    Attributes:
        outcome: For each trial its state, score and epochs.
        begins: The trials and the epochs at which a training began.
    """

    outcome: Mapping[str, End]
    begins: frozenset[tuple[str, int]]


@dataclass
class Model:
    """What a search must remember, whatever happens to its processes and its disk.

    Attributes:
        seed: The seed of the search, None before it is on record.
        seed_lost: Whether a repair has said that the seed is lost.
        repaired: Whether damaged records were repaired, after which other trials may be promoted.
        ends: The last acknowledged end of each trial.
        recorded: The last end of each trial that was seen on the disk; a power cut may take it.
        queue: Points that were enqueued, in order; None once some may be lost.
        disturbed: Whether the user has changed what the search finds: by an error in a trial, a
            point, or an edit.
        crashed: Trials in which the user's code has failed.
        polluted: Trials that were reported something else than arithmetic.
        cut_short: How many sessions have ended without giving their trial back.
        clock: Seconds on the search's clock when it was last seen on the disk.
        searched: Seconds for which processes have searched.
    """

    seed: int | None = None
    seed_lost: bool = False
    repaired: bool = False
    ends: dict[str, End] = field(default_factory=dict)
    recorded: dict[str, End] = field(default_factory=dict)
    queue: list[float] | None = field(default_factory=list)
    disturbed: bool = False
    crashed: set[str] = field(default_factory=set)
    polluted: set[str] = field(default_factory=set)
    cut_short: int = 0
    clock: float = 0.0
    searched: float = 0.0

    def power_cut(self) -> None:
        """Forget what was not synced; an end is."""
        if not self.ends:
            self.seed = None
        self.recorded, self.clock = {}, 0.0
        if self.queue:
            self.queue = None

    def begins(self, trial: str, epoch: int, reference: Reference) -> None:
        """Check that a training may begin at an epoch."""
        end = self.recorded.get(trial) or self.ends.get(trial)
        if end is None:
            return
        if end.state in FINAL:
            raise Violation(f"trial {trial} has ended, {end.state}, and is run again")
        if self.repaired and epoch == 0:
            return  # its state was removed when the records that are lost now said to
        known = (trial, epoch) in reference.begins and not self.disturbed
        if epoch != end.epochs and not known:
            raise Violation(
                f"trial {trial} was paused at epoch {end.epochs} and begins again at {epoch}"
            )

    def check(self, state: Any) -> None:
        """Check a state that was loaded from records."""
        records = state.trials
        if records and state.seed is None and not self.seed_lost:
            raise Violation("there are trials on record, but not the project and its seed")
        if self.seed is not None and records and state.seed != self.seed:
            raise Violation(f"the seed was {self.seed}, and {state.seed} is on record")
        for trial, end in {**self.recorded, **self.ends}.items():
            self._check_end(trial, end, records)
        weights: dict[tuple[str, int, int], float] = {}
        for trial, record in records.items():
            self._check_record(trial, record, records, weights)
        self._check_queue(state)

    def see(self, state: Any) -> None:
        """Check what is on the disk, and expect to find it there again."""
        self.check(state)
        if not self.clock <= state.clock <= self.searched + 0.01:
            raise Violation(
                f"the search's clock was {self.clock}, and is {state.clock} after "
                f"{self.searched} seconds"
            )
        self.clock = state.clock
        self.recorded = {
            trial: End(record.state.value, record.trial.score, record.trained)
            for trial, record in state.trials.items()
            if record.state.value in FINAL | {"paused"}
        }

    def _check_end(self, trial: str, end: End, records: Mapping[str, Any]) -> None:
        record = records.get(trial)
        if record is None or not record.counted:
            raise Violation(f"the end of trial {trial} ({end.state}) was acknowledged and is lost")
        now = record.state.value
        if end.state in FINAL and (now, record.trial.score) != (end.state, end.score):
            raise Violation(
                f"trial {trial} was {end.state} with {end.score}, and is {now} with "
                f"{record.trial.score}"
            )

    def _check_record(
        self,
        trial: str,
        record: Any,
        records: Mapping[str, Any],
        weights: dict[tuple[str, int, int], float],
    ) -> None:
        state = record.state.value
        given_up = record.attempt > FORGIVEN and self.cut_short > FORGIVEN
        if state in BAD and trial not in self.crashed and not given_up:
            raise Violation(f"trial {trial} is {state} ({record.trial.message!r})")
        if trial in self.polluted or any(x.parent in self.polluted for x in record.exploits):
            return
        for epoch, metrics in (record.executions[0] if record.executions else {}).items():
            expected = expected_cost(records, trial, epoch, weights)
            if metrics.get("cost") != expected and trial not in self.crashed:
                raise Violation(
                    f"trial {trial} reported {metrics} at epoch {epoch}, and {expected} is right"
                )

    def _check_queue(self, state: Any) -> None:
        if self.queue is None:
            return
        left = [point["x"] for point in state.enqueued]
        used = self.queue[: len(self.queue) - len(left)]
        if len(left) > len(self.queue) or left != self.queue[len(used) :]:
            raise Violation(f"{self.queue} were enqueued, and {left} are left")
        tried = iter(record.trial.values["x"] for record in state.trials.values())
        unchanged = all(not record.exploits for record in state.trials.values())
        if unchanged and not all(x in tried for x in used):
            raise Violation(f"of {self.queue}, {used} are gone and were not tried in order")


def expected_cost(
    records: Mapping[str, Any],
    trial: str,
    epoch: int,
    weights: dict[tuple[str, int, int], float],
) -> float:
    """Return the objective of an epoch of a trial, from the values on record alone."""
    generation = sum(exploit.epoch <= epoch for exploit in records[trial].exploits)
    return cost_of(expected_weight(records, trial, epoch + 1, generation, weights))


def expected_weight(
    records: Mapping[str, Any],
    trial: str,
    epochs: int,
    generation: int,
    weights: dict[tuple[str, int, int], float],
) -> float:
    """Return the weight of a trial after some epochs and exploits."""
    key = (trial, epochs, generation)
    if key not in weights:
        record, begin, weight = records[trial], 0, BEGIN
        exploits = record.exploits
        if generation:
            last = exploits[generation - 1]
            begin = last.epoch
            weight = expected_weight(records, last.parent, begin, last.generation, weights)
        values = record.trial.values
        if generation < len(exploits):
            values = exploits[generation].before
        for epoch in range(begin, epochs):
            weight = next_weight(weight, values, epoch)
        weights[key] = weight
    return weights[key]


def best_weight(records: Mapping[str, Any], trial: str) -> float:
    """Return the weight of the best epoch of a trial."""
    record, weights = records[trial], {}  # type: ignore[var-annotated]
    run = record.executions[0]
    costs = {step: metrics["cost"] for step, metrics in run.items()}
    best = min(costs, key=lambda step: (costs[step] if math.isfinite(costs[step]) else 9e9, step))
    generation = sum(exploit.epoch <= best for exploit in record.exploits)
    return expected_weight(records, trial, best + 1, generation, weights)
