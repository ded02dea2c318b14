"""The choice of a schedule, and its numbers, as conditional hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Union

from kt_extras.schedules.arguments import check_rate, check_steps
from kt_extras.schedules.composed import cosine_restarts, step_decay
from kt_extras.schedules.cyclical import Cyclical
from kt_extras.schedules.inverse_square_root import InverseSquareRoot
from kt_extras.schedules.one_cycle import OneCycle
from kt_extras.schedules.rates import Rate
from kt_extras.schedules.scaled import Scaled
from kt_extras.schedules.stable_decay import WarmUpStableDecay
from kt_extras.schedules.warm_up import WarmUp

if TYPE_CHECKING:
    import keras_tuner

#: The families that `tunable` knows.
FAMILIES = (
    "cosine",
    "constant",
    "step",
    "restarts",
    "inverse_square_root",
    "stable_decay",
    "one_cycle",
    "cyclical",
)
_WITHOUT_WARM_UP = ("one_cycle", "cyclical")  # which begin low by themselves
_Range = Union[float, tuple[float, float]]  # noqa: UP007 - Python 3.10


def tunable(
    hp: keras_tuner.HyperParameters,
    steps_per_epoch: int,
    epochs: int,
    *,
    learning_rate: _Range = (1e-4, 1e-1),
    families: Sequence[str] = FAMILIES,
    prefix: str = "",
) -> Scaled:
    """Put the family of the schedule and its numbers in the search space.

    All families share the hyperparameter `learning_rate`, the highest rate they reach.  Everything
    else is a fraction of the training, so a value means the same whatever the batch size.

    With ASHA and BOHB, `epochs` is their `max_epochs`, not the epochs that a trial happens to run:
    a trial that is paused and promoted goes on along one schedule, and all trials
    that are compared at a rung have come equally far on theirs.  The same holds for PBT.

    Args:
        hp: What `build(hp)` was given.
        steps_per_epoch: Batches in an epoch, `math.ceil(rows / batch_size)`.
        epochs: The length of the longest training, from 1.
        learning_rate: Range of the highest rate, `(low, high)`, searched on a log scale; or
            a number, if it is fixed. Defaults to `(1e-4, 1e-1)`.
        families: Some of `kte.schedules.FAMILIES`; if only one, it is not a hyperparameter.
            Defaults to `FAMILIES`.
        prefix: Put before each name: `schedule`, `learning_rate`, `warmup`, ... Defaults to `""`.

    Returns:
        The schedule, as a `Scaled` one: the highest rate is its scale, which PBT can change while
        it runs.

    Raises:
        ValueError: An argument out of its range.

    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> schedule = tunable(hp, steps_per_epoch=10, epochs=5, families=["cosine", "one_cycle"])
    >>> sorted(hp.values)
    ['learning_rate', 'schedule', 'warmup']
    >>> float(schedule(50))
    0.0
    """
    if not hasattr(hp, "conditional_scope"):
        raise TypeError(f"`hp` must be the `keras_tuner.HyperParameters` of `build`, got {hp!r}.")
    total = check_steps("steps_per_epoch", steps_per_epoch) * check_steps("epochs", epochs)
    families = _check_families(families)
    family = families[0]
    if len(families) > 1:
        family = hp.Choice(f"{prefix}schedule", list(families))
    peak = _peak(hp, f"{prefix}learning_rate", learning_rate)
    warmup = None
    if warmed := [name for name in families if name not in _WITHOUT_WARM_UP]:
        with _only(hp, prefix, families, warmed):
            warmup = hp.Float(f"{prefix}warmup", 0.0, 0.2)
    steps = min(round((warmup or 0.0) * total), total - 1)
    schedule: Rate = 1.0
    for name in families:  # all are declared, so that the space is known from the first trial on
        with _only(hp, prefix, families, [name]):
            made = _FAMILIES[name](hp, prefix)
        if name == family:
            schedule = made(1.0, total - steps)
    return Scaled(WarmUp(schedule, steps) if steps else schedule, peak)


def _check_families(families: Sequence[str]) -> list[str]:
    listed = isinstance(families, Collection) and not isinstance(families, str) and families
    if not listed or any(name not in FAMILIES for name in families):
        raise ValueError(
            f"`families` must be a list of some of {', '.join(FAMILIES)}, got {families!r}."
        )
    return list(dict.fromkeys(families))


def _peak(hp: keras_tuner.HyperParameters, name: str, given: _Range) -> float:
    """Return the highest rate, which is a hyperparameter if a range was given."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        return check_rate("learning_rate", given)
    rates = [check_rate("learning_rate", rate) for rate in given]
    if len(rates) != 2 or rates[0] >= rates[1]:
        raise ValueError(
            "`learning_rate` must be a number or a pair `(low, high)` with low < high, got "
            f"{given!r}."
        )
    low, high = rates
    return float(hp.Float(name, low, high, sampling="log", default=math.sqrt(low * high)))


def _only(
    hp: keras_tuner.HyperParameters, prefix: str, families: list[str], names: list[str]
) -> AbstractContextManager[None]:
    """Declare what follows for these families alone."""
    if len(families) == 1:
        return nullcontext()
    return hp.conditional_scope(f"{prefix}schedule", names)


# Each declares the numbers of a family and returns what makes the schedule of them, given the
# highest rate and the steps behind the warm-up.  A number of another family than the trial's is
# None, and nothing is made of it.
_Made = Callable[[float, int], Rate]


def _constant(hp: Any, prefix: str) -> _Made:
    del hp, prefix
    return lambda rate, _: rate


def _cosine(hp: Any, prefix: str) -> _Made:
    del hp, prefix
    return lambda rate, steps: cosine_restarts(rate, steps, cycles=1)


def _restarts(hp: Any, prefix: str) -> _Made:
    cycles = hp.Int(f"{prefix}restart_cycles", 2, 4)
    growth = hp.Choice(f"{prefix}restart_growth", [1, 2])

    def made(rate: float, steps: int) -> Rate:
        max_cycles = (
            steps if growth == 1 else (steps + 1).bit_length() - 1
        )  # of a step or more each
        return cosine_restarts(rate, steps, min(cycles, max_cycles), growth=growth)

    return made


def _step(hp: Any, prefix: str) -> _Made:
    drops = hp.Int(f"{prefix}step_drops", 1, 4)
    factor = hp.Float(f"{prefix}step_factor", 0.1, 0.5, sampling="log")
    return lambda rate, steps: step_decay(rate, math.ceil(steps / (drops + 1)), factor)


def _inverse_square_root(hp: Any, prefix: str) -> _Made:
    fraction = hp.Float(f"{prefix}inverse_timescale", 0.01, 1.0, sampling="log")
    return lambda rate, steps: InverseSquareRoot(rate, max(round(fraction * steps), 1))


def _stable_decay(hp: Any, prefix: str) -> _Made:
    fraction = hp.Float(f"{prefix}stable_decay", 0.1, 0.5)

    def made(rate: float, steps: int) -> Rate:
        decay = max(round(fraction * steps), 1)
        return WarmUpStableDecay(rate, 0, steps - decay, decay, shape="sqrt")

    return made


def _one_cycle(hp: Any, prefix: str) -> _Made:
    fraction = hp.Float(f"{prefix}cycle_rise", 0.1, 0.5, default=0.3)
    return lambda rate, steps: OneCycle(rate, max(steps, 2), pct_start=fraction)


def _cyclical(hp: Any, prefix: str) -> _Made:
    cycles = hp.Int(f"{prefix}cycles", 1, 8, sampling="log")
    ratio = hp.Float(f"{prefix}cycle_ratio", 3.0, 30.0, sampling="log")
    policy = hp.Choice(f"{prefix}cycle_policy", ["triangular", "triangular2"])
    return lambda rate, steps: Cyclical(
        rate / ratio, rate, math.ceil(steps / (2 * cycles)), policy=policy
    )


_FAMILIES: dict[str, Callable[[Any, str], _Made]] = {
    "constant": _constant,
    "cosine": _cosine,
    "cyclical": _cyclical,
    "inverse_square_root": _inverse_square_root,
    "one_cycle": _one_cycle,
    "restarts": _restarts,
    "stable_decay": _stable_decay,
    "step": _step,
}
