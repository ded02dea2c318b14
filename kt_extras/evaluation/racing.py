"""The race of the best trials of a search, and what its result says of the winner.

How a trial is trained is the caller's affair, so it may also be read from a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kt_extras.evaluation.confirmation import Confirmation, ConfirmedTrial, CorrectedFor
from kt_extras.evaluation.selection import (
    cross_fitted,
    expected_optimism,
    pooled_variance,
    row_variance,
    survivors,
    t_interval,
)

SEEDS_IN_PARTS = 2  # for how many seeds the losses on parts of the validation data are wanted


@dataclass(frozen=True)
class Measured:
    """What one training has scored.

    Attributes:
        loss: On the validation data; `inf` if it is not finite.
        held_out: On data that nothing was chosen by, None without such data.
        parts: On equal parts of the validation data, empty if they were not measured.
    """

    loss: float
    held_out: float | None = None
    parts: Sequence[float] = ()


@dataclass(frozen=True)
class Raced:
    """A race that has ended.

    Attributes:
        results: What each trial has scored, one a seed.
        alive: The trials that were not dropped.
    """

    results: Mapping[str, Sequence[Measured]]
    alive: Sequence[str]


def raced(
    names: Sequence[str], train: Callable[[str, int], Measured], *, seeds: int, level: float
) -> Raced:
    """Train trials seed by seed, and drop those that are worse than the best.

    Args:
        names: Their ids.
        train: Trains one with the seed of that number, from 0.
        seeds: How many.
        level: With which probability one is dropped that is not worse, over all comparisons: each
            gets an equal share of it (Bonferroni).

    Raises:
        RuntimeError: No loss is finite.

    >>> losses = {"a": [1.0, 1.1, 0.9, 1.0], "b": [3.0, 3.2, 2.9, 3.1]}
    >>> race = raced(["a", "b"], lambda n, k: Measured(losses[n][k]), seeds=4, level=0.05)
    >>> race.alive, len(race.results["b"])
    (['a'], 2)
    """
    alive = list(names)
    results: dict[str, list[Measured]] = {name: [] for name in names}
    share = level / max(1, (len(names) - 1) * (seeds - 1))
    for number in range(seeds):
        for name in alive:
            results[name].append(train(name, number))
        losses = np.array([[one.loss for one in results[name]] for name in alive])
        stays = np.isfinite(losses).all(axis=1)
        if not stays.any():
            raise RuntimeError(f"No training of trials {alive} had a finite score.")
        stays[stays] = survivors(losses[stays], share)
        alive = [name for name, stayed in zip(alive, stays, strict=True) if stayed]
    return Raced(results, alive)


def concluded(
    race: Raced,
    searched: Mapping[str, float],
    *,
    objective: str = "val_loss",
    direction: Literal["min", "max"] = "min",
    generator: np.random.Generator,
) -> Confirmation:
    """Return what a race says.

    Args:
        race: It.
        searched: The losses of all trials of the search, those of the race first, best first.
        objective: Name of the objective. Defaults to "val_loss".
        direction: Its direction, in which scores are shown. Defaults to "min".
        generator: Of a simulation.
    """
    sign = -1.0 if direction == "max" else 1.0
    means = {name: float(np.mean(_losses(race, name))) for name in race.results}
    order = sorted(race.alive, key=means.__getitem__)
    order += sorted((name for name in means if name not in race.alive), key=means.__getitem__)
    finite = [one for one in (_losses(race, name) for name in means) if np.isfinite(one).all()]
    seed_variance, rows_variance = pooled_variance(finite), _rows_variance(race)
    losses = np.array([_losses(race, name) for name in race.alive])
    held_out = [[one.held_out for one in race.results[name]] for name in race.alive]
    how: CorrectedFor
    if held_out[0][0] is not None:
        how, corrected = "holdout", cross_fitted(losses, np.array(held_out, dtype=float))
    else:
        how = "seeds" if rows_variance is None else "seeds and rows"
        corrected = means[order[0]] + expected_optimism(
            np.array([*searched.values()]),
            top=len(means),
            seeds=losses.shape[1],
            seed_variance=seed_variance,
            rows_variance=rows_variance or 0.0,
            generator=generator,
        )
    return Confirmation(
        objective=objective,
        direction=direction,
        rows=tuple(_row(race, name, searched[name], sign) for name in order),
        original_score=sign * next(iter(searched.values())),
        corrected_score=sign * corrected,
        corrected_for=how,
        seed_deviation=math.sqrt(seed_variance),
        row_deviation=None if rows_variance is None else math.sqrt(rows_variance),
    )


def _losses(race: Raced, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([one.loss for one in race.results[name]], dtype=float)


def _rows_variance(race: Raced) -> float | None:
    """Return the variance that validation rows give to differences, None if not measured."""
    measured = ([one.parts for one in results if one.parts] for results in race.results.values())
    whole = [parts for parts in measured if len(parts) == SEEDS_IN_PARTS]
    return row_variance(np.array(whole)) if len(whole) > 1 else None


def _row(race: Raced, name: str, searched: float, sign: float) -> ConfirmedTrial:
    scores = sign * _losses(race, name)
    mean, error, low, high = t_interval(scores, 0.05)
    held_out = [one.held_out for one in race.results[name] if one.held_out is not None]
    return ConfirmedTrial(
        trial_id=name,
        search_score=sign * searched,
        scores=tuple(scores.tolist()),
        mean=mean,
        standard_error=error,
        interval=(low, high),
        holdout_mean=sign * float(np.mean(held_out)) if held_out else None,
        dropped=name not in race.alive,
    )
