"""Schedules that Keras has under another name, or in parts."""

from __future__ import annotations

import keras
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras.arguments import is_finite
from kt_extras.schedules.arguments import check_fraction, check_rate, check_steps
from kt_extras.schedules.warm_up import WarmUp


def step_decay(learning_rate: float, every: int, factor: float = 0.1) -> LearningRateSchedule:
    """Return a schedule that multiplies the rate by a factor at regular intervals.

    It is Keras' `ExponentialDecay(staircase=True)`.

    Args:
        learning_rate: The rate at step 0.
        every: Steps between two drops.
        factor: What is left of the rate at each drop, in (0, 1]. Defaults to `0.1`.

    Raises:
        ValueError: An argument out of its range.

    >>> schedule = step_decay(1.0, every=2, factor=0.5)
    >>> [float(schedule(step)) for step in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    return keras.optimizers.schedules.ExponentialDecay(
        check_rate("learning_rate", learning_rate),
        decay_steps=check_steps("every", every),
        decay_rate=check_rate("factor", check_fraction("factor", factor)),
        staircase=True,
    )


def cosine_restarts(
    learning_rate: float,
    total_steps: int,
    cycles: int,
    *,
    growth: float = 2.0,
    peak_decay: float = 1.0,
    alpha: float = 0.0,
    warmup_steps: int = 0,
) -> LearningRateSchedule:
    """Return a cosine with warm restarts whose last cycle ends with the training, and a warm-up.

    It is Keras' `CosineDecayRestarts` behind `WarmUp` (SGDR: Loshchilov and Hutter 2017, arXiv
    1608.03983).  With one cycle it is the usual cosine.

    Args:
        learning_rate: The rate at the peak of the first cycle.
        total_steps: Steps of the whole training, warm-up included.
        cycles: From 1, and so few that each lasts a step at least.
        growth: How much longer each cycle is than the one before, at least 1 (the paper's T_mult).
            Defaults to `2.0`.
        peak_decay: How much of its peak is left in the next cycle, in (0, 1]. Defaults to `1.0`.
        alpha: The lowest rate as a fraction of `learning_rate`, in [0, 1]. Defaults to `0.0`.
        warmup_steps: Steps of the linear rise, below `total_steps`. Defaults to `0`.

    Raises:
        ValueError: An argument out of its range.

    >>> schedule = cosine_restarts(1.0, total_steps=8, cycles=2, growth=1, warmup_steps=2)
    >>> [round(float(schedule(step)), 2) for step in range(8)]
    [0.0, 0.5, 1.0, 0.75, 0.25, 1.0, 0.75, 0.25]
    """
    learning_rate = check_rate("learning_rate", learning_rate)
    alpha = check_fraction("alpha", alpha)
    warmup_steps = check_steps("warmup_steps", warmup_steps, minimum=0)
    remaining = check_steps("total_steps", total_steps, minimum=warmup_steps + 1) - warmup_steps
    cycles = check_steps("cycles", cycles)
    if not (is_finite(growth) and growth >= 1):
        raise ValueError(f"`growth` must be at least 1, got {growth!r}; 2 doubles every cycle.")
    first = remaining / sum(float(growth) ** n for n in range(cycles))
    if not first >= 1:
        raise ValueError(
            f"`cycles` must leave at least one step to each cycle, got {cycles} in {remaining} "
            f"steps, the first of {first:.2g} steps; give fewer, or a smaller `growth`."
        )
    if cycles == 1:
        cosine = keras.optimizers.schedules.CosineDecay(learning_rate, remaining, alpha=alpha)
    else:
        cosine = keras.optimizers.schedules.CosineDecayRestarts(
            learning_rate,
            first_decay_steps=first,
            t_mul=float(growth),
            m_mul=check_rate("peak_decay", check_fraction("peak_decay", peak_decay)),
            alpha=alpha,
        )
    return WarmUp(cosine, warmup_steps) if warmup_steps else cosine
