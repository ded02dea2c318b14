"""The table of takeovers in a population, ready for `pandas.DataFrame`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kt_extras.records.trial_record import TrialRecord


def lineage_rows(trials: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """Return one row a takeover, in the order of epochs and members."""
    numbers = {record.trial.trial_id: record.number for record in trials}
    rows = [
        {
            "epoch": taken.epoch,
            "member": record.number,
            "parent": numbers[taken.parent],
            "before": dict(taken.before),
            "after": dict(taken.after),
        }
        for record in trials
        for taken in record.exploits
    ]
    return sorted(rows, key=lambda row: (row["epoch"], row["member"]))
