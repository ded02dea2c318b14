"""A search as a notebook shows it."""

from __future__ import annotations

from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.html import duration, element, number, text
from kt_extras.analysis.search_data import SearchData
from kt_extras.analysis.sparkline import sparkline
from kt_extras.analysis.trial_html import table, values_text
from kt_extras.arguments import counted
from kt_extras.plots.data import history
from kt_extras.report.words import states

_TRIALS = 5  # of the best


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
        parts.append(
            sparkline(scores, label=f"best {name} so far: {number(scores[-1])}", steps=True)
        )
    if best:
        names = [target.name for target in search.objectives]
        rows = [
            [
                trial.number,
                *(trial.objective_values.get(name, trial.score) for name in names),
                trial.epochs,
                values_text(trial.values),
            ]
            for trial in best[:_TRIALS]
        ]
        parts.append(table(["trial", *names, "epochs", "hyperparameters"], rows))
    return element("div", "".join(parts))
