"""A whole search in as few events as possible, for a snapshot of the journal.

Applied to an empty ledger they give the ledger that they were taken from.  A trial that has ended
is one event, with its epochs in columns; one that has not keeps the events that it had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from kt_extras.bridge.metrics import columns, encoded
from kt_extras.records.search_state import Event, Ledger
from kt_extras.records.trial_end import closing
from kt_extras.records.trial_record import Entry
from kt_extras.search import Point
from kt_extras.storage.journal import FORMAT


def summary(ledger: Ledger) -> Iterator[Event]:
    """Yield the events.

    Args:
        ledger: What is to be summed up; not changed.
    """
    objective = ledger.objective_recorded
    yield {"kind": "project", "format": FORMAT, "objective": objective, "seed": ledger.seed}
    config = ledger.hyperparameters.get_config()
    yield {"kind": "space", "hyperparameters": config, "anew": True}
    for entry in ledger.entries.values():
        bracket = int(ledger.history.brackets[entry.number])
        if entry.state in {"running", "waiting"}:
            yield from _open(entry, ledger.history.points[entry.number], bracket)
        else:
            yield _past(entry, bracket)
    for values in ledger.enqueued:
        yield {"kind": "enqueue", "values": values}
    yield {
        "kind": "restore",
        "found": sorted(ledger.found),
        "ended": ledger.ended,
        "waiting": list(ledger.waiting),
        "totals": asdict(ledger.totals),
        "t": ledger.clock,
    }


def _past(entry: Entry, bracket: int) -> Event:
    end = closing(entry, entry.state, entry.trial.status, entry.results)
    return {
        **end,
        **_scheduled(entry, bracket),
        "kind": "past",
        "attempt": entry.attempt,
        "began": entry.began,
        "stop_asked": entry.stop_asked,
        "executions": [columns(run) for run in entry.executions],
        "t": entry.ended,
    }


def _scheduled(entry: Entry, bracket: int) -> Event:
    """Return what a scheduler has settled, nothing if there is none."""
    if entry.until is None:
        return {}
    return {
        "until": entry.until,
        "bracket": bracket,
        "rested": entry.rested,
        "spent": entry.spent,
        "takeovers": [asdict(taken) for taken in entry.takeovers],
    }


def _open(entry: Entry, point: Point, bracket: int) -> Iterator[Event]:
    name = entry.trial.trial_id
    began = {"trial": name, "values": dict(point), "attempt": entry.attempt, "t": entry.began}
    yield {"kind": "create", **began, **_scheduled(entry, bracket)}
    for run in entry.executions:
        for step, metrics in run.items():
            report = {"trial": name, "step": step, "metrics": encoded(metrics)}
            yield {"kind": "report", **report, "t": entry.began}
    if entry.stop_asked:
        yield {"kind": "stop", "trial": name}
    if entry.state == "waiting":
        yield {**closing(entry, "waiting", entry.trial.status, entry.results), "t": entry.ended}
