"""A search and a trial as a notebook shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.search_data import SearchData, TrialData
from kt_extras.arguments import counted
from kt_extras.plots.data import history
from kt_extras.report.html import duration, element, number, text
from kt_extras.report.sparkline import sparkline
from kt_extras.report.words import states

_TRIALS = 5  # of the best
_LETTERS = 300  # of a message


def search_html(search: SearchData) -> str:
    """Return a search as HTML: how far it is, the best score so far, and the best trials."""
    best = best_first(search)
    goals = ", ".join(f"{o.name} ({o.direction})" for o in search.objectives)
    head = f"{counted(len(search.trials), 'trial')} in {duration(search.seconds)}"
    head += f": {states(search)}" if search.trials else ""
    parts = [
        element("p", text("strong", search.name) + text("span", f", objective {goals}")),
        text("p", head),
    ]
    scores = [value for value in history(search)["best"] if value is not None]
    if len(scores) > 1 and len(search.objectives) == 1:
        name = search.objective.name
        parts.append(sparkline(scores, label=f"best {name} so far: {number(scores[-1])}"))
    if best:
        names = [target.name for target in search.objectives]
        rows = [
            [
                trial.number,
                *(trial.targets.get(name, trial.score) for name in names),
                trial.epochs,
                values_text(trial.values),
            ]
            for trial in best[:_TRIALS]
        ]
        parts.append(_table(["trial", *names, "epochs", "hyperparameters"], rows))
    return element("div", "".join(parts))


def trial_html(trial: TrialData, search: SearchData | None = None) -> str:
    """Return a trial as HTML: how it ended, its hyperparameters, its metrics and its curve.

    Args:
        trial: The trial.
        search: Its search, whose objective the curve shows.  Defaults to None: the first metric.
    """
    head = f", {trial.state}, {counted(trial.epochs, 'epoch')}"
    head += f", {duration(trial.seconds)}" if trial.seconds is not None else ""
    parts = [element("p", text("strong", f"Trial {trial.number}") + text("span", head))]
    if trial.message:
        message = trial.message.strip()
        parts.append(text("p", message[:_LETTERS] + ("..." if len(message) > _LETTERS else "")))
    name = _shown(trial, None if search is None else search.objective.name)
    if name is not None and len(curve := trial.curve(name)[1]) > 1:
        parts.append(sparkline(curve.tolist(), label=f"{name} by epoch"))
    if trial.values:
        parts.append(_table(["hyperparameter", "value"], trial.values.items()))
    found = {**trial.metrics, **trial.targets} or _score(trial)
    if found:
        parts.append(_table(["metric", "value"], found.items()))
    return element("div", "".join(parts))


def values_text(values: Mapping[str, Any]) -> str:
    """Return hyperparameters in a line.

    >>> values_text({"units": 32, "rate": 0.0012345678})
    'units=32, rate=0.0012346'
    """
    return ", ".join(f"{name}={number(value)}" for name, value in values.items())


def _table(heads: Sequence[str], rows: Any) -> str:
    left = {"style": "text-align: left"}
    head = element("tr", "".join(text("th", name, scope="col", **left) for name in heads))
    body = "".join(
        element("tr", "".join(text("td", number(cell), **left) for cell in row)) for row in rows
    )
    return element("table", element("thead", head) + element("tbody", body))


def _shown(trial: TrialData, objective: str | None) -> str | None:
    """Return the metric whose curve is shown."""
    names = [name for run in trial.executions[:1] for name in run["metrics"]]
    return objective if objective in names else next(iter(names), None)


def _score(trial: TrialData) -> dict[str, float]:
    return {} if trial.score is None else {"score": trial.score}
