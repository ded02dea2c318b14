"""How a trial ended: what its worker says, in the words of the ledger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.bridge.metrics import Metrics, encoded
from kt_extras.records.search_state import Event
from kt_extras.records.trial_record import Entry


@dataclass(frozen=True)
class Rest:
    """What becomes of a trial that has spent the epochs which its scheduler has given it.

    Args:
        state: `"paused"`, or `"pruned"` if it will not be resumed.
        diverged_too: Whether that holds for a trial whose loss is no number as well.
    """

    state: str
    diverged_too: bool


def verdict_on(entry: Entry, given: Trial, max_retries: int, rest: Rest | None = None) -> Event:
    """Return the event that closes a trial, pauses it, or puts it back to be run again.

    Args:
        entry: What is known of the trial; its score is settled if it was completed.
        given: The trial as its worker hands it back: `"INVALID"` for a crash, `"FAILED"` for what
            cannot run at all, `"IDLE"` for what was not wanted, anything else for a proper end.
        max_retries: How often a trial that crashed is run again.
        rest: What becomes of a trial that has spent its epochs; None if it has not.
    """
    if given.status == TrialStatus.IDLE:
        return closing(entry, "rejected", TrialStatus.FAILED)
    results = _unreported(given, entry)
    score = entry.trial.score
    finite = score is not None and math.isfinite(score)
    # What it had found when it was last paused stays good; its weights are there.
    end = TrialStatus.COMPLETED if entry.rested and finite else TrialStatus.FAILED
    if given.status == TrialStatus.FAILED:
        return closing(entry, "infeasible", end, results)
    if given.status != TrialStatus.INVALID and finite:
        state = "pruned" if entry.stop_asked else rest.state if rest else "completed"
        return closing(entry, state, TrialStatus.COMPLETED, results)
    if given.status != TrialStatus.INVALID and rest is not None and rest.diverged_too:
        return closing(entry, rest.state, TrialStatus.IDLE, results)
    if given.status != TrialStatus.INVALID:
        entry.trial.message = f"The objective came out as {score}."
    if entry.attempt <= max_retries:
        return closing(entry, "waiting", TrialStatus.INVALID, results)
    state = "failed" if given.status == TrialStatus.INVALID else "infeasible"
    return closing(entry, state, end, results)


def closing(entry: Entry, state: str, status: str, results: Mapping[str, float] = {}) -> Event:
    """Return the event of a trial's end."""
    trial = entry.trial
    scored = status == TrialStatus.COMPLETED and trial.score is not None
    return {
        "kind": "end",
        "trial": trial.trial_id,
        "state": state,
        "status": status,
        "score": float(trial.score) if scored else None,
        "best_step": int(trial.best_step or 0),
        "values": dict(trial.hyperparameters.values),
        "message": trial.message,
        "results": encoded(results),
    }


def _unreported(trial: Trial, entry: Entry) -> Metrics:
    """Return the metrics that a worker put into the trial without reporting them by epoch."""
    reported = {name for run in entry.executions for metrics in run.values() for name in metrics}
    return {
        name: float(history.get_last_value())
        for name, history in trial.metrics.metrics.items()
        if name not in reported
    }
