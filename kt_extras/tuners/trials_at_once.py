"""How many trials a search trains at once."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from kt_extras import compat
from kt_extras.arguments import check_integer
from kt_extras.oracles.budget import Budget
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.plan import planned_trials
from kt_extras.samplers import Grid, Random, Sobol
from kt_extras.samplers.exhaustive import innermost

_MANY = 16  # a model takes the least time in a stack of 8 to 32
_BY_TIME = 8  # where time limits the search, and the sampler looks at results
_BEGUN = 64


class AtOnce(NamedTuple):
    """How many trials run at once.

    Attributes:
        trials: How many are trained as one program at most.
        begun: How many are begun before the first of them is trained, if that is more: the more,
            the larger are the groups of one architecture.
        always: Whether models are trained together even if they gain nothing by it.
    """

    trials: int
    begun: int = 0
    always: bool = False


def check_trials_at_once(value: Any) -> None:
    """Raise unless `trials_at_once` is "auto" or a number from 1.

    Raises:
        TypeError: It is no integer.
        ValueError: It is below 1, or another string, or needs Keras 3.
    """
    if value == "auto":
        return
    check_integer("trials_at_once", value, minimum=1, hint="or pass 'auto'")
    if value > 1 and not compat.KERAS_3:
        raise ValueError(
            f"`trials_at_once` must be 1 or 'auto' on Keras 2, got {value}: only Keras 3 can "
            "compute a training step of many models at once."
        )


def chosen(given: int | Literal["auto"], oracle: SamplerOracle, workers: int = 1) -> AtOnce:
    """Return how many trials of a search run at once in one process.

    Args:
        given: What the user has given.
        oracle: The oracle of the search.
        workers: How many processes share it; none takes more than its part of the trials.
            Defaults to 1.
    """
    if not compat.KERAS_3:
        return AtOnce(1)
    independent = _is_independent(innermost(oracle.sampler)) and not oracle.is_informed
    trials = _best_for(oracle, independent=independent) if given == "auto" else given
    # Where no trial depends on what others have shown, it costs nothing to begin more of them.
    alone = oracle.scheduler is None and oracle.pruner is None and oracle.budget == Budget()
    begun = max(_BEGUN, 2 * trials) if independent and alone and trials > 1 else 0
    planned = planned_trials(oracle) if workers > 1 else None
    if planned is not None:
        share = max(math.ceil(planned / workers), 1)
        trials, begun = min(trials, share), min(begun, share)
    return AtOnce(trials, begun, always=given != "auto")


def _best_for(oracle: SamplerOracle, *, independent: bool) -> int:
    """Return how many trials at once find most in a search.

    What ends a search by its epochs, or by what trials show, is asked after each trial.

    A sampler that looks at results loses some of what it finds with a number of trials, and gains
    more than that in a given time (`benchmarks/batch_regret.py`).
    """
    if replace(oracle.budget, max_time=None) != Budget():
        return 1
    if independent or (oracle.scheduler is not None and oracle.scheduler.revives):
        return _MANY
    by_time = oracle.max_trials is None and oracle.budget.max_time is not None
    return _BY_TIME if by_time and oracle.scheduler is None else 1


def _is_independent(sampler: Any) -> bool:
    """Tell whether suggestions do not depend on what trials have shown."""
    return isinstance(sampler, (Random, Sobol)) or (
        isinstance(sampler, Grid) and not sampler.refine
    )
