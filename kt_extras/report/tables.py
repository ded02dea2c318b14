"""The tables of the page: the space, the best trials, failures, and where the time went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kt_extras.analysis.html import duration, element, number, table, text
from kt_extras.analysis.search_data import SearchData, TrialData
from kt_extras.arguments import counted
from kt_extras.report.reasons import reasons
from kt_extras.search.space import describe

_TRIALS = 10  # of the best
_NUMBERS = 12  # trials that are named with a reason


def space(search: SearchData, best: Sequence[TrialData]) -> str:
    """Return the hyperparameters with their ranges, and their values in the best trial."""
    values = best[0].values if best else {}
    rows: list[tuple[Any, ...]] = [
        (
            dimension.name,
            describe(dimension),
            " and ".join(
                f"{c.parent} is {' or '.join(map(number, c.values))}" for c in dimension.conditions
            ),
            values.get(dimension.name),
        )
        for dimension in search.space.dimensions
    ]
    heads = ["hyperparameter", "range", "active if", "best trial"]
    if not any(row[2] for row in rows):  # no conditions
        heads, rows = [*heads[:2], heads[3]], [(*row[:2], row[3]) for row in rows]
    return table(heads, rows, caption="The space that was searched") if rows else ""


def best_trials(search: SearchData, best: Sequence[TrialData]) -> str:
    """Return the best trials with their values."""
    goals = [target.name for target in search.objectives]
    metrics = _metrics(search, best[:_TRIALS])
    heads = ["trial", *goals, *(["violation"] if search.constraints else []), *metrics]
    names = list(dict.fromkeys(n for n in search.space.names if any(n in t.values for t in best)))
    rows = []
    for trial in best[:_TRIALS]:
        first: list[Any] = [trial.number, *(_target(trial, name) for name in goals)]
        first += [trial.violation] if search.constraints else []
        first += [trial.metrics.get(name) for name in metrics]
        more = [trial.state, trial.epochs, duration(trial.seconds)]
        rows.append([*first, *more, *(trial.values.get(name) for name in names)])
    numeric = [*heads, "epochs", "time"]
    # A metric or a hyperparameter may have the name of another column.
    heads = [*heads, "state", "epochs", "time", *names]
    caption = f"The best {counted(len(rows), 'trial')} of {len(search.trials)}"
    return table(heads, rows, caption=caption, numeric=numeric)


def failures(search: SearchData) -> str:
    """Return why trials have failed, most frequent reasons first, with one message of each."""
    found = reasons(search)
    parts = []
    for reason in found:
        names = [str(trial.number) for trial in reason.trials[:_NUMBERS]]
        names += ["..."] if len(reason.trials) > _NUMBERS else []
        head = f"{counted(len(reason.trials), 'trial')} {reason.state}: {reason.line}"
        inner = text("summary", head) + text("p", f"Trials {', '.join(names)}", class_="note")
        message = reason.trials[0].message
        inner += element("pre", text("code", message), tabindex="0") if message else ""
        parts.append(element("details", inner))
    return "\n".join(parts)


def time_by_state(search: SearchData) -> str:
    """Return how many trials, epochs and seconds each state has taken."""
    rows = _sums(search, [trial.state for trial in search.trials])
    heads = ["state", "trials", "epochs", "time", "share"]
    return table(heads, rows, caption="Where the time went, by how trials ended", numeric=heads[1:])


def time_by_worker(search: SearchData) -> str:
    """Return how many trials, epochs and seconds each worker has trained, if there are several."""
    workers = [trial.worker or "this process" for trial in search.trials]
    if not search.trials or set(workers) == {"this process"}:
        return ""
    rows = _sums(search, workers)
    heads = ["worker", "trials", "epochs", "time", "share"]
    return table(heads, rows, caption="Where the time went, by worker", numeric=heads[1:])


def _sums(search: SearchData, keys: Sequence[str]) -> list[tuple[Any, ...]]:
    groups: dict[str, list[TrialData]] = {}
    for key, trial in zip(keys, search.trials, strict=True):
        groups.setdefault(key, []).append(trial)
    whole = sum(trial.seconds or 0.0 for trial in search.trials)
    rows = []
    for key, trials in groups.items():
        seconds = sum(trial.seconds or 0.0 for trial in trials)
        share = f"{seconds / whole:.0%}" if whole else None
        epochs = sum(trial.epochs for trial in trials)
        rows.append((key, len(trials), epochs, duration(seconds), share, seconds))
    rows.sort(key=lambda row: -row[-1])
    return [row[:-1] for row in rows]


def _metrics(search: SearchData, trials: Sequence[TrialData]) -> list[str]:
    """Return the other metrics of trials, a few."""
    goals = {target.name for target in search.objectives}
    names = dict.fromkeys(name for trial in trials for name in trial.metrics if name not in goals)
    return list(names)[:4]


def _target(trial: TrialData, name: str) -> float | None:
    return trial.objective_values.get(name, trial.score if not trial.objective_values else None)
