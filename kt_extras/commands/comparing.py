"""`compare`: searches side by side."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import Any

from kt_extras.analysis.search_data import SearchData
from kt_extras.analysis.tables import json_text
from kt_extras.commands.projects import add_project, loaded
from kt_extras.commands.showing import states_of, wanted
from kt_extras.commands.text_table import text_table

_AFTER = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)

Row = dict[str, Any]


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    one = commands.add_parser(
        "compare",
        help="compare searches",
        description="Show the best scores, trials, epochs and seconds of searches, and the best "
        "score after the first n trials that ended with one.",
    )
    add_project(one, several=True)
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    searches = [search.search_data() for search in loaded(given)]
    names = Counter(search.name for search in searches)
    shown = zip(given.projects, searches, strict=True)
    labels = [path if names[search.name] > 1 else search.name for path, search in shown]
    rows = [
        {"project": label, **row} for label, row in zip(labels, comparison(searches), strict=True)
    ]
    if given.json:
        sys.stdout.write(f"{json_text(rows)}\n")
        return
    lines = text_table(rows)
    if any(len(search.objectives) > 1 for search in searches):
        lines.append("Of several objectives the best scores are those of the first one.")
    if len({search.objective for search in searches}) > 1:
        lines.append("The objectives differ, so the scores cannot be compared.")
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def comparison(searches: list[SearchData]) -> list[Row]:
    """Return one row a search."""
    curves = [best_so_far(search) for search in searches]
    longest = max(map(len, curves), default=0)
    after = [count for count in _AFTER if count <= longest]
    return [
        {
            "searched": wanted(search),
            "best": curve[-1] if curve else None,
            "trials": len(search.trials),
            "completed": states_of(search).get("completed", 0),
            "pruned": states_of(search).get("pruned", 0),
            "failed": sum(states_of(search).get(bad, 0) for bad in ("failed", "infeasible")),
            "epochs": sum(trial.epochs for trial in search.trials),
            "seconds": round(search.seconds, 1),
            **{f"after {n}": curve[n - 1] if n <= len(curve) else None for n in after},
        }
        for search, curve in zip(searches, curves, strict=True)
    ]


def best_so_far(search: SearchData) -> list[float]:
    """Return the best score after each trial that has ended with one, in the order of their ends.

    Trials that violate constraints, and those that were trained elsewhere, are left out.
    """
    ended = [
        trial
        for trial in search.trials
        if trial.score is not None and trial.ended is not None and trial.bracket >= 0
    ]
    found, sign = list[float](), search.objective.sign
    for trial in sorted(ended, key=lambda trial: trial.ended or 0.0):
        if trial.score is not None and not trial.violation:
            best = found[-1] if found else trial.score
            found.append(min(best, trial.score, key=lambda score: sign * score))
    return found
