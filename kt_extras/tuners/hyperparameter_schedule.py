"""The schedule of hyperparameters that a population has found, and callbacks that replay it."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kt_extras.arguments import check_integer
from kt_extras.model_reuse.replay import ReplayHyperparameters, Target
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import Point


@dataclass(frozen=True)
class HyperparameterSchedule:
    """The values of the hyperparameters in each epoch of a training.

    Args:
        starts: Epochs, counted from 0, in which new values took effect; the first is 0.
        points: The values of the active hyperparameters, one point for each start.
        epochs: Number of epochs of the training to its best one.
        mutable: Names of the hyperparameters that could change.

    >>> schedule = HyperparameterSchedule((0, 4), ({"rate": 0.1}, {"rate": 0.02}), 8, ("rate",))
    >>> schedule.at(3), schedule.at(4)
    ({'rate': 0.1}, {'rate': 0.02})
    >>> schedule.column("rate")
    [0.1, 0.1, 0.1, 0.1, 0.02, 0.02, 0.02, 0.02]
    """

    starts: tuple[int, ...]
    points: tuple[Point, ...]
    epochs: int
    mutable: tuple[str, ...]

    def at(self, epoch: int) -> Point:
        """Return the values in an epoch, counted from 0."""
        check_integer("epoch", epoch, minimum=0)
        parts = zip(reversed(self.starts), reversed(self.points), strict=True)
        return next(point for start, point in parts if start <= epoch)

    def column(self, name: str) -> list[Any]:
        """Return the values of one hyperparameter, one for each epoch."""
        return [self.at(epoch).get(name) for epoch in range(self.epochs)]

    def to_json(self) -> str:
        """Return the schedule as JSON, which `from_json` reads.

        >>> schedule = HyperparameterSchedule((0,), ({"rate": 0.1},), 8, ("rate",))
        >>> HyperparameterSchedule.from_json(schedule.to_json()) == schedule
        True
        """
        parts = [
            {"from_epoch": start, "values": dict(point)}
            for start, point in zip(self.starts, self.points, strict=True)
        ]
        return json.dumps({"epochs": self.epochs, "mutable": list(self.mutable), "schedule": parts})

    @classmethod
    def from_json(cls, text: str) -> HyperparameterSchedule:
        """Read what `to_json` has written.

        Raises:
            ValueError: It has not written that.
        """
        try:
            read = json.loads(text)
            return cls(
                tuple(part["from_epoch"] for part in read["schedule"]),
                tuple(part["values"] for part in read["schedule"]),
                read["epochs"],
                tuple(read["mutable"]),
            )
        except (TypeError, ValueError, KeyError):
            raise ValueError(
                f"`text` must be what `to_json` has written, got {reprlib.repr(text)}."
            ) from None

    def callbacks(
        self, targets: Mapping[str, Target] | None = None
    ) -> list[keras.callbacks.Callback]:
        """Return Keras callbacks that replay the schedule in a plain `fit`.

        Args:
            targets: As for `kt_extras.model_reuse.replay.ReplayHyperparameters`: what each
                hyperparameter sets, where its name does not say so.  Defaults to None.

        Returns:
            An empty list if no value changes.  After the last epoch of the schedule its last values
            are kept.
        """
        first = self.points[0]
        known = {name for point in self.points for name in point}
        for name in targets or {}:
            if name not in known:
                raise ValueError(f"`targets` must name some of {sorted(known)}, got {name!r}.")
        names = sorted({n for point in self.points for n in point if point[n] != first.get(n)})
        return [ReplayHyperparameters(self.at, names, targets)] if names else []


def schedule_of(
    oracle: SamplerOracle, member: int | None, mutable: Sequence[str]
) -> HyperparameterSchedule:
    """Return the schedule that led to a member's best epoch.

    Before an exploit it is the schedule of the parent, whose weights the member copied.

    Raises:
        RuntimeError: No member has a score yet.
        KeyError: There is no such member.
    """
    records = {record.number: record for record in oracle.trial_records()}
    if member is None:
        leaders = oracle.get_best_trials()
        if not leaders:
            raise RuntimeError("No member has a score yet; call `search` first.")
        member = oracle.trial_record(leaders[0].trial_id).number
    if member not in records:
        raise KeyError(f"`member` must be one of {sorted(records)}, got {member!r}.")
    by_id = {record.trial.trial_id: record for record in records.values()}
    best = records[member].trial.best_step or 0
    parts = _path(records[member], by_id, records[member].generation_at(best))
    return HyperparameterSchedule(tuple(parts), tuple(parts.values()), best + 1, tuple(mutable))


def _path(
    record: TrialRecord, records: Mapping[str, TrialRecord], generation: int
) -> dict[int, Point]:
    """Return the points on the way to a state of a member, by the epochs in which they began.

    Args:
        record: The member.
        records: All members, by their ids.
        generation: Number of the member's exploits before that state.
    """
    if not generation:
        first = record.exploits[0].before if record.exploits else record.trial.values
        return {0: dict(first)}
    last = record.exploits[generation - 1]
    before = _path(records[last.parent], records, last.generation)
    return {**before, last.epoch: dict(last.after)}
