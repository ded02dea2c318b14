"""What the members of a population have trained with, for the charts and tables of TensorBoard."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import Point, Space
from kt_extras.search.dimensions import Dimension


def hyperparameter_curves(
    record: TrialRecord, space: Space, mutable: Collection[str] | None
) -> dict[str, list[tuple[int, float]]]:
    """Return the epochs and values of each hyperparameter that may change during a training.

    A string that is no longer among the options has no place among them, and so no point.

    Args:
        record: A member of the population.
        space: All hyperparameters known so far.
        mutable: Names of those that may change, None for all.
    """
    curves: dict[str, list[tuple[int, float]]] = {}
    for epoch in range(record.trained):
        values = values_at(record, epoch)
        for dimension in space.active(values):
            value = values.get(dimension.name)
            may_change = mutable is None or dimension.name in mutable
            if value is not None and may_change and _has_height(value, dimension):
                point = (epoch, height(value, dimension))
                curves.setdefault(dimension.name, []).append(point)
    return curves


def lineage_of(entries: Sequence[TrialRecord]) -> list[tuple[int, str, str, str]]:
    """Return one row per exploit: its epoch, the member, its parent, and the changed values."""
    rows = []
    for record in entries:
        for taken in record.exploits:
            changes = (f"{name}={value}" for name, value in taken.after.items())
            rows.append((taken.epoch, record.trial.trial_id, taken.parent, ", ".join(changes)))
    return sorted(rows)


def values_at(record: TrialRecord, epoch: int) -> Point:
    """Return the hyperparameters with which a trial trained an epoch, counted from 0."""
    later = record.exploits[record.generation_at(epoch) :]
    return dict(later[0].before if later else record.trial.values)


def height(value: Any, dimension: Dimension) -> float:
    """Return a value as a height in a chart: that of a string is its place among the options.

    >>> from kt_extras.search import Choice
    >>> height("adam", Choice("optimizer", ("sgd", "adam"))), height(0.5, Choice("x", (0.5, 2)))
    (1.0, 0.5)
    """
    if isinstance(value, str):
        return float(dimension.values().index(value))
    return float(value)


def _has_height(value: Any, dimension: Dimension) -> bool:
    return not isinstance(value, str) or dimension.contains(value)
