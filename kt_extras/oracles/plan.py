"""What a scheduler intends, as rows and as a table to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from kt_extras.arguments import counted
from kt_extras.oracles.oracle import SamplerOracle

_COLUMNS = ("bracket", "epochs", "trials", "new_epochs")


def planned_rows(oracle: SamplerOracle) -> list[dict[str, int]]:
    """Return one row a rung.

    Raises:
        ValueError: There is no scheduler, or it cannot tell.
    """
    if oracle.scheduler is None:
        raise ValueError(
            "There is no plan without a scheduler: each trial trains for the `epochs` that are "
            "passed to `search`, unless the pruner stops it."
        )
    rungs = oracle.scheduler.plan(oracle.max_trials)
    if not rungs:
        raise ValueError(
            "There is no plan without `max_trials`: the search goes on until its time or its "
            "epochs are spent."
        )
    return [asdict(rung) for rung in rungs]


def planned_trials(oracle: SamplerOracle) -> int | None:
    """Return how many trials a search will begin if nothing fails, None if that is not known."""
    if oracle.max_trials is not None or oracle.scheduler is None:
        return oracle.max_trials
    rungs = oracle.scheduler.plan(None)
    return sum({rung.bracket: rung.trials for rung in reversed(rungs)}.values()) or None


def planned_epochs(oracle: SamplerOracle) -> int | None:
    """Return how many epochs the scheduler intends, None if there is none or it cannot tell."""
    if oracle.scheduler is None:
        return None
    return sum(rung.new_epochs for rung in oracle.scheduler.plan(oracle.max_trials)) or None


def plan_table(rows: Sequence[Mapping[str, int]]) -> str:
    """Return rows as a table with a sum.

    >>> print(plan_table([{"bracket": 0, "epochs": 1, "trials": 9, "new_epochs": 9},
    ...                   {"bracket": 0, "epochs": 3, "trials": 3, "new_epochs": 6}]))
    bracket  epochs  trials  new_epochs
          0       1       9           9
          0       3       3           6
    9 trials, 15 epochs in all
    """
    lines = ["  ".join(_COLUMNS)]
    lines += ["  ".join(f"{row[name]:>{len(name)}}" for name in _COLUMNS) for row in rows]
    first = {row["bracket"]: row["trials"] for row in reversed(rows)}
    epochs = sum(row["new_epochs"] for row in rows)
    trials = sum(first.values())
    return "\n".join([*lines, f"{counted(trials, 'trial')}, {counted(epochs, 'epoch')} in all"])
