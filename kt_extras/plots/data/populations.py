"""The columns of pictures of population based training."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

from kt_extras.analysis.search_data import SearchData, TrialData, data_of
from kt_extras.arguments import names_in
from kt_extras.plots.data.columns import Columns, check_name, columns, value_of
from kt_extras.search import Point


def lineage(search: Any) -> Columns:
    """Return which members of a population took over from which others.

    Args:
        search: A search by population based training, as for `kt_extras.plots.history`.

    Returns:
        A row for each takeover in the order of epochs, in the columns `epoch`, `trial`, `parent`,
        `before` and `after`: the number of the member, that of the other one, and its
        hyperparameters until then and from then on.
    """
    data = data_of(search)
    numbers = {trial.trial_id: trial.number for trial in data.trials}
    rows = [
        (taken.epoch, trial.number, numbers.get(taken.parent), taken.before, taken.after)
        for trial in data.trials
        for taken in trial.takeovers
    ]
    rows.sort(key=lambda row: row[:2])
    return columns(["epoch", "trial", "parent", "before", "after"], rows)


def schedule(search: Any, names: Sequence[str] | None = None) -> Columns:
    """Return the hyperparameters of each member of a population over the epochs.

    Args:
        search: A search by population based training, as for `kt_extras.plots.history`.
        names: Hyperparameters.  Defaults to None: those that some takeover has changed.

    Returns:
        A row for each change, in the columns `hyperparameter`, `trial`, `begin`, `end`, `value` and
        `led_to_best`: the member had the value from the epoch `begin` until the epoch `end`, and
        whether the training that led to the best score was this one.

    Raises:
        ValueError: There is no such hyperparameter.
    """
    data = data_of(search)
    given = names_in("names", names)
    for name in given or ():
        check_name("names", name, data)
    chosen = changed_names(data) if given is None else list(given)
    on_path = {(number, begin): end for number, begin, end in path_to_best(data)}
    rows = []
    for name in chosen:
        for trial in data.trials:
            for begin, end, point in _spans(trial):
                for first, last, led in _parts(trial.number, begin, end, on_path):
                    if name in point:
                        rows.append((name, trial.number, first, last, point[name], led))
    return columns(["hyperparameter", "trial", "begin", "end", "value", "led_to_best"], rows)


def changed_names(data: SearchData) -> list[str]:
    """Return the hyperparameters that differ from a parent's after a takeover of its state.

    A member copies all values of its parent; those that are explored are other ones than its own.
    """
    found = set()
    by_id = {trial.trial_id: trial for trial in data.trials}
    for trial in data.trials:
        for taken in trial.takeovers:
            parent = by_id.get(taken.parent)
            there = values_at(parent, taken.epoch - 1) if parent is not None else taken.before
            found |= {name for name, value in taken.after.items() if value != there.get(name)}
    return [name for name in dict.fromkeys(data.space.names) if name in found]


def path_to_best(data: SearchData) -> list[tuple[int, int, int]]:
    """Return the parts of trainings that led to the best score: the member, from and until when.

    A takeover goes on from the state of the parent, so before it the path is the parent's.
    """
    target = data.objective
    scored = [
        (trial.violation, score * target.sign, trial)
        for trial in data.trials
        if (score := value_of(trial, target, data)) is not None
    ]
    if not scored:
        return []
    by_id = {trial.trial_id: trial for trial in data.trials}
    member: TrialData | None = min(scored, key=lambda one: one[:2])[2]
    end = (member.best_epoch or 0) + 1 if member is not None else 0
    path: list[tuple[int, int, int]] = []
    while member is not None:
        epochs = [taken.epoch for taken in member.takeovers]
        last = bisect.bisect_left(epochs, end) - 1
        begin = epochs[last] if last >= 0 else 0
        path.append((member.number, begin, end))
        member = by_id.get(member.takeovers[last].parent) if last >= 0 else None
        end = begin
    return path[::-1]


def values_at(trial: TrialData, epoch: int) -> Point:
    """Return the hyperparameters with which a member trained an epoch, counted from 0."""
    for begin, end, point in _spans(trial):
        if begin <= epoch < end or (epoch < 0 and begin == 0):
            return point
    return dict(trial.takeovers[-1].after if trial.takeovers else trial.values)


def trained(trial: TrialData) -> int:
    """Return after how many epochs the first training run of a trial has ended."""
    steps = trial.executions[0]["steps"] if trial.executions else []
    return max(steps) + 1 if steps else 0


def _spans(trial: TrialData) -> list[tuple[int, int, Point]]:
    """Return the values of a member with the epochs from and until which it had them."""
    if not trial.takeovers:
        return [(0, trained(trial), dict(trial.values))]
    begins = [0, *(taken.epoch for taken in trial.takeovers)]
    ends = [*begins[1:], max(trained(trial), begins[-1])]
    points = [trial.takeovers[0].before, *(taken.after for taken in trial.takeovers)]
    return list(zip(begins, ends, points, strict=True))


def _parts(
    number: int, begin: int, end: int, on_path: dict[tuple[int, int], int]
) -> list[tuple[int, int, bool]]:
    """Divide a span where the path to the best member leaves it."""
    until = on_path.get((number, begin), begin)
    parts = [(begin, min(until, end), True), (max(until, begin), end, False)]
    return [part for part in parts if part[0] < part[1]]
