"""The columns of pictures of how trials were trained."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Any

from kt_extras.analysis.search_data import SearchData, TrialData, data_of
from kt_extras.arguments import check_integer
from kt_extras.plots.data.columns import Columns, check_metric, columns
from kt_extras.plots.data.populations import trained


def curves(search: Any, metric: str | None = None, *, execution: int = 0) -> Columns:
    """Return a metric of each trial by epoch.

    Args:
        search: A search, as for `kt_extras.plots.history`.
        metric: Name of a metric.  Defaults to None: the objective, or the first metric of the
            trials if the objective was not measured in each epoch.
        execution: Which training run of each trial, from 0.  Defaults to 0.

    Returns:
        A row for each epoch, counted from 0, in the columns `trial`, `state`, `epoch` and `value`.

    Raises:
        ValueError: No trial has measured the metric.
    """
    data = data_of(search)
    check_integer("execution", execution, minimum=0)
    name = metric_of(data, metric)
    rows = [
        (trial.number, trial.state, step, value)
        for trial in data.trials
        for run in trial.executions[execution : execution + 1]
        for step, value in zip(run["steps"], run["metrics"].get(name, ()), strict=False)
        if value is not None
    ]
    return columns(["trial", "state", "epoch", "value"], rows)


def metric_of(data: SearchData, metric: str | None) -> str:
    """Return the metric whose curves are shown."""
    known = {name: None for t in data.trials for run in t.executions for name in run["metrics"]}
    if metric is not None:
        if known:
            check_metric(metric, known)
        return metric
    name = data.objective.name
    return name if name in known or not known else next(iter(known))


def rungs(search: Any) -> Columns:
    """Return how many trials have reached each budget of a scheduler, and were promoted from it.

    Args:
        search: A search with a scheduler (ASHA, PASHA, BOHB, Hyperband), as for
            `kt_extras.plots.history`.

    Returns:
        The columns `bracket`, `budget` in epochs, `reached`: how many trials of the bracket have
        trained so long, and `promoted`: how many of them were given more epochs.  Empty if no trial
        has a budget.
    """
    data = data_of(search)
    brackets: dict[int, list[TrialData]] = {}
    for trial in data.trials:
        if trial.bracket >= 0 and trial.budget is not None:
            brackets.setdefault(trial.bracket, []).append(trial)
    rows: list[Sequence[Any]] = []
    for bracket, members in sorted(brackets.items()):
        pairs = [(trained(trial), trial.budget or 0) for trial in members]
        for budget in sorted({budget for _, budget in pairs}):
            reached = sum(epochs >= budget for epochs, _ in pairs)
            rows.append((bracket, budget, reached, sum(most > budget for _, most in pairs)))
    return columns(["bracket", "budget", "reached", "promoted"], rows)


def timeline(search: Any) -> Columns:
    """Return when each trial was trained, and by which worker.

    Args:
        search: A search, as for `kt_extras.plots.history`.

    Returns:
        A row for each trial that was trained here, in the columns `worker`, `lane`, `trial`,
        `state`, `began` and `ended`.  Times are seconds on the search's clock, which stands still
        between sessions; a trial that runs ends now, and one that was resumed began when it was
        resumed last.  Trials of one worker that ran at the same time have different lanes, from 0.
    """
    data = data_of(search)
    spans: dict[str, list[tuple[float, float, TrialData]]] = {}
    for trial in data.trials:
        if trial.bracket < 0 or (trial.ended is None and trial.state == "waiting"):
            continue
        ended = max(data.seconds, trial.began) if trial.ended is None else trial.ended
        spans.setdefault(trial.worker or "", []).append((trial.began, ended, trial))
    rows = [
        (worker or None, lane, trial.number, trial.state, began, ended)
        for worker in sorted(spans, key=_natural)
        for lane, began, ended, trial in _lanes(spans[worker])
    ]
    return columns(["worker", "lane", "trial", "state", "began", "ended"], rows)


def _lanes(
    spans: list[tuple[float, float, TrialData]],
) -> Iterator[tuple[int, float, float, TrialData]]:
    """Yield spans with the lowest lane that is free when each begins."""
    busy: list[tuple[float, int]] = []  # until when, and the lane
    free: list[int] = []
    count = 0
    for began, ended, trial in sorted(spans, key=lambda span: (span[0], span[2].number)):
        while busy and busy[0][0] <= began:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            lane, count = count, count + 1
        heapq.heappush(busy, (ended, lane))
        yield lane, began, ended, trial


def _natural(worker: str) -> tuple[int, str]:
    """Return a key that sorts `worker_10` behind `worker_9`."""
    digits = "".join(filter(str.isdigit, worker))
    return (int(digits) if digits else -1, worker)
