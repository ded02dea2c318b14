"""`show`: what was searched, what was found, what runs and what failed."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.search_data import SearchData, TrialData
from kt_extras.analysis.tables import json_text
from kt_extras.arguments import counted
from kt_extras.commands.projects import add_project, loaded
from kt_extras.commands.text_table import duration, text_table, wrapped
from kt_extras.search.space import describe

_STATES = (
    "completed",
    "pruned",
    "paused",
    "infeasible",
    "failed",
    "rejected",
    "running",
    "waiting",
)
_OPEN = ("running", "waiting")
_BAD = ("infeasible", "failed")
_FAILURES = 5  # that are shown

Row = dict[str, Any]


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    one = commands.add_parser(
        "show",
        help="show what a search has found, also while it runs",
        description="Show what was searched, the best trials, those that run, and failures.",
    )
    add_project(one)
    one.add_argument(
        "--trials", type=int, default=10, metavar="N", help="how many of the best (default: 10)"
    )
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    if given.trials < 0:
        raise ValueError(f"`--trials` must be an integer from 0, got {given.trials}.")
    search = loaded(given)[0].search_data()
    if given.json:
        sys.stdout.write(f"{json_text(summary(search, given.trials))}\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(search, given.trials)))


def summary(search: SearchData, best: int) -> Row:
    """Return what `show` says, as JSON can hold it.

    Args:
        search: The search.
        best: How many of the best trials.
    """
    return {
        "name": search.name,
        "objectives": [target._asdict() for target in search.objectives],
        "constraints": list(search.constraints),
        "seed": search.seed,
        "seconds": search.seconds,
        "trials": len(search.trials),
        "states": states_of(search),
        "epochs": sum(trial.epochs for trial in search.trials),
        "hyperparameters": {d.name: describe(d) for d in search.space.dimensions},
        "best": [
            {**_outcome(trial, search), **_effort(trial), "values": trial.values}
            for trial in best_first(search)[:best]
        ],
        "running": [_open_row(t, search) for t in search.trials if t.state in _OPEN],
        "failures": [
            {"number": t.number, "state": t.state, "message": t.message}
            for t in search.trials
            if t.state in _BAD
        ],
    }


def states_of(search: SearchData) -> dict[str, int]:
    """Return how many trials there are in each state that there is."""
    found = Counter(trial.state for trial in search.trials)
    return {state: found[state] for state in _STATES if found[state]}


def wanted(search: SearchData) -> str:
    """Return what is searched for, in words.

    >>> from kt_extras.analysis.search_data import Target
    >>> from kt_extras.search import Space
    >>> wanted(SearchData("digits", Space([]), (Target("val_loss", "min"),), ()))
    'minimises val_loss'
    """
    verbs = {"min": "minimises", "max": "maximises"}
    text = ", ".join(f"{verbs[target.direction]} {target.name}" for target in search.objectives)
    return f"{text}; {', '.join(search.constraints)}" if search.constraints else text


def _lines(search: SearchData, best: int) -> Iterator[str]:
    yield from wrapped(f"{search.name}: {wanted(search)}")
    states = ", ".join(f"{count} {state}" for state, count in states_of(search).items())
    epochs = counted(sum(trial.epochs for trial in search.trials), "epoch")
    trials = counted(len(search.trials), "trial") + (f" ({states})" if states else "")
    yield from wrapped(f"{trials}, {epochs}, {duration(search.seconds)}")
    yield from _part("Hyperparameters", [_declared(d) for d in search.space.dimensions])
    yield from _part("Best trials", [_row(t, search) for t in best_first(search)[:best]])
    running = [_open_row(trial, search) for trial in search.trials if trial.state in _OPEN]
    yield from _part("Running or waiting", running)
    bad = [trial for trial in search.trials if trial.state in _BAD]
    if bad:
        yield from ("", "Failures")
    for trial in bad[-_FAILURES:]:
        said = next(iter((trial.message or "").strip().splitlines()), "no message")
        yield from wrapped(f"trial {trial.number} ({trial.state}): {said}", indent="    ")
    if len(bad) > _FAILURES:
        yield f"and {counted(len(bad) - _FAILURES, 'earlier one')}"


def _part(title: str, rows: list[Row]) -> Iterator[str]:
    if rows:
        yield from ("", title)
        yield from text_table(rows)


def _declared(dimension: Any) -> Row:
    row: Row = {"name": dimension.name, "range": describe(dimension)}
    if dimension.conditions:
        row["if"] = " and ".join(
            f"{one.parent} is {' or '.join(map(str, one.values))}" for one in dimension.conditions
        )
    return row


def _row(trial: TrialData, search: SearchData) -> Row:
    outcome, effort = _outcome(trial, search), _effort(trial)
    values = {**dict.fromkeys(search.space.names), **trial.values}  # inactive ones in their places
    named = {f"values.{n}" if n in outcome or n in effort else n: v for n, v in values.items()}
    return {**outcome, **named, **effort}


def _outcome(trial: TrialData, search: SearchData) -> Row:
    row: Row = {"trial": trial.number, "state": trial.state}
    if len(search.objectives) > 1:
        row |= {
            target.name: trial.objective_values.get(target.name) for target in search.objectives
        }
    else:
        row["score"] = trial.score
    if search.constraints:
        row["violation"] = trial.violation
    return row


def _effort(trial: TrialData) -> Row:
    return {"best_epoch": trial.best_epoch, "epochs": trial.epochs, "seconds": trial.seconds}


def _open_row(trial: TrialData, search: SearchData) -> Row:
    """Return what is known of a trial that has not ended."""
    last = trial.curve(search.objective.name, len(trial.executions) - 1)[1]
    return {
        "trial": trial.number,
        "state": trial.state,
        "epochs": trial.epochs,
        "until": trial.budget,
        search.objective.name: float(last[-1]) if len(last) else None,
        "seconds": round(search.seconds - trial.began, 1) if trial.ended is None else None,
        "worker": trial.worker,
    }
