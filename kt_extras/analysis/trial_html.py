"""A trial as a notebook shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kt_extras.analysis.html import duration, element, number, text
from kt_extras.analysis.sparkline import sparkline
from kt_extras.arguments import counted

_LETTERS = 300  # of a message


def trial_html(trial: Any, objective: str | None = None) -> str:
    """Return a trial as HTML: how it ended, its hyperparameters, its metrics and its curve.

    Args:
        trial: A `kt_extras.analysis.search_data.TrialData`, which calls this.
        objective: Name of the metric whose curve is shown.  Defaults to None: the first objective.
    """
    head = f", {trial.state}, {counted(trial.epochs, 'epoch')}"
    head += f", {duration(trial.seconds)}" if trial.seconds is not None else ""
    parts = [element("p", text("strong", f"Trial {trial.number}") + text("span", head))]
    if trial.message:
        message = trial.message.strip()
        parts.append(text("p", message[:_LETTERS] + ("..." if len(message) > _LETTERS else "")))
    name = _shown(trial, objective or next(iter(trial.objective_values), None))
    if name is not None and len(curve := trial.curve(name)[1]) > 1:
        parts.append(sparkline(curve.tolist(), label=f"{name} by epoch"))
    if trial.values:
        parts.append(table(["hyperparameter", "value"], trial.values.items()))
    found = {**trial.metrics, **trial.objective_values} or _score(trial)
    if found:
        parts.append(table(["metric", "value"], found.items()))
    return element("div", "".join(parts))


def values_text(values: Mapping[str, Any]) -> str:
    """Return hyperparameters in a line.

    >>> values_text({"units": 32, "rate": 0.0012345678})
    'units=32, rate=0.0012346'
    """
    return ", ".join(f"{name}={number(value)}" for name, value in values.items())


def table(heads: Sequence[str], rows: Any) -> str:
    """Return a table whose cells are escaped, with the style that it needs in a notebook."""
    left = {"style": "text-align: left"}
    head = element("tr", "".join(text("th", name, scope="col", **left) for name in heads))
    body = "".join(
        element("tr", "".join(text("td", number(cell), **left) for cell in row)) for row in rows
    )
    return element("table", element("thead", head) + element("tbody", body))


def _shown(trial: Any, objective: str | None) -> str | None:
    """Return the metric whose curve is shown."""
    names = [name for run in trial.executions[:1] for name in run["metrics"]]
    return objective if objective in names else next(iter(names), None)


def _score(trial: Any) -> dict[str, float]:
    return {} if trial.score is None else {"score": trial.score}
