"""What the log of a search says of its trials."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kt_extras.arguments import counted
from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.failures_said import first_line
from kt_extras.records.trial_record import TrialRecord

COLUMNS = ("trial", "state", "score", "epochs", "seconds", "hyperparameters")


def trial_line(
    record: TrialRecord, objective: str, best: str, beside: Mapping[str, float] | None = None
) -> str:
    """Return what is to be said of a trial that has ended, in one line.

    Args:
        record: The trial.
        objective: Name of the objective.
        best: What the search has found so far, in words.
        beside: The values of other objectives by their names.  Defaults to None.
    """
    trial, state = record.trial, record.state
    what = f"trial {record.number} {state}"
    if state is TrialState.WAITING:
        what = f"trial {record.number} failed and will be run again"
    if trial.score is not None:
        what += f": {objective} {number(trial.score)}"
        what += "".join(f", {name} {number(value)}" for name, value in (beside or {}).items())
    elif trial.message:
        what += f": {first_line(trial.message)}"
    parts = [what, best, counted(record.epochs, "epoch")]
    parts += [] if record.seconds is None else [f"{record.seconds:.1f} s"]
    return ", ".join([*parts, *values_text(record.best_values)])


def cells(record: TrialRecord) -> tuple[str, ...]:
    """Return the row of a trial, in the order of `COLUMNS`."""
    score, seconds = record.trial.score, record.seconds
    if score is None and record.trial.message:
        said = first_line(record.trial.message)
    else:
        said = number(score)
    took = "-" if seconds is None else f"{seconds:.1f}"
    values = ", ".join(values_text(record.best_values))
    return (str(record.number), str(record.state), said, str(record.epochs), took, values)


def values_text(values: Mapping[str, Any]) -> list[str]:
    """Return hyperparameters as `name=value`.

    >>> values_text({"units": 32, "rate": 0.0012345678})
    ['units=32', 'rate=0.001235']
    """
    return [f"{name}={_plain(value)}" for name, value in values.items()]


def number(value: float | None) -> str:
    """Return a score in few digits, `-` if there is none.

    >>> number(0.123456789), number(None)
    ('0.12346', '-')
    """
    return "-" if value is None else f"{value:.5g}"


def html_table(caption: str, rows: Iterable[Sequence[str]]) -> str:
    """Return rows of `COLUMNS` with a caption, as HTML."""
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return (
        f"<table><caption style='text-align: left'>{html.escape(caption)}</caption>"
        f"<tr>{head}</tr>{body}</table>"
    )


def text_table(caption: str, rows: Sequence[Sequence[str]]) -> str:
    """Return rows of `COLUMNS` below a caption, as text.

    >>> print(text_table("2 trials", [("0", "completed", "0.5", "3", "1.2", "units=4")]))
    2 trials
    trial  state      score  epochs  seconds  hyperparameters
    0      completed  0.5    3       1.2      units=4
    """
    lines = [COLUMNS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    shown = ("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines)
    return "\n".join([caption, *(line.rstrip() for line in shown)])


def _plain(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.4g}"
    return str(value)
