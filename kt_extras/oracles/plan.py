"""What a scheduler intends, as rows and as a table to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from kt_extras.arguments import counted
from kt_extras.oracles.estimate import Estimate, estimate
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.schedulers import ProgressiveHalving, SuccessiveHalving

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


def expected_epochs(oracle: SamplerOracle) -> Estimate | None:
    """Return how many epochs the search will train in all, given what it has trained so far.

    A plan is exact but for `SuccessiveHalving`, which promotes trials before a rung is complete,
    and `ProgressiveHalving`: what is expected there is that no further rung is opened.

    Returns:
        None if there is no scheduler, or nothing but time or epochs limits the search.
    """
    trials = planned_trials(oracle)
    if oracle.scheduler is None or trials is None:
        return None
    history = oracle.history.own()
    numbered = trials + oracle.totals.added + oracle.totals.rejected  # which `trials` has not
    if isinstance(oracle.scheduler, SuccessiveHalving):
        found = estimate(oracle.scheduler, history, numbered)
    elif isinstance(oracle.scheduler, ProgressiveHalving):
        found = estimate(oracle.scheduler.open_part(history), history, numbered)
        most = estimate(oracle.scheduler.whole, history, numbered)
        found = replace(found, high=max(found.high, most.high))
    else:
        planned = sum(rung.new_epochs for rung in oracle.scheduler.plan(trials))
        found = Estimate(planned, planned, planned)
    limit = oracle.budget.max_total_epochs
    if limit is None:
        return found
    return Estimate(min(found.low, limit), min(found.expected, limit), min(found.high, limit))


def plan_table(rows: Sequence[Mapping[str, int]], expected: Estimate | None = None) -> str:
    """Return rows as a table with a sum.

    Args:
        rows: As `planned_rows` returns them.
        expected: How many epochs will be trained.  Defaults to None: as many as planned.

    >>> rows = [{"bracket": 0, "epochs": 1, "trials": 9, "new_epochs": 9},
    ...         {"bracket": 0, "epochs": 3, "trials": 3, "new_epochs": 6}]
    >>> print(plan_table(rows))
    bracket  epochs  trials  new_epochs
          0       1       9           9
          0       3       3           6
    9 trials, 15 epochs in all
    >>> print(plan_table(rows, Estimate(17, 19, 23)).splitlines()[-1])
    9 trials, at least 15 epochs; about 19 are expected (17 to 23), since some are promoted early
    """
    lines = ["  ".join(_COLUMNS)]
    lines += ["  ".join(f"{row[name]:>{len(name)}}" for name in _COLUMNS) for row in rows]
    first = {row["bracket"]: row["trials"] for row in reversed(rows)}
    epochs = sum(row["new_epochs"] for row in rows)
    trials = counted(sum(first.values()), "trial")
    if expected is None or expected.high <= epochs:
        return "\n".join([*lines, f"{trials}, {counted(epochs, 'epoch')} in all"])
    likely = f"about {expected.expected} are expected ({expected.low} to {expected.high})"
    total = f"{trials}, at least {counted(epochs, 'epoch')}; {likely}"
    return "\n".join([*lines, f"{total}, since some are promoted early"])
