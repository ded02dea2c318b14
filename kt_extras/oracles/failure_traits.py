"""Values that failed trials have in common and others do not."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kt_extras.arguments import is_number
from kt_extras.search import Point

CLEAR = 0.5  # by how much the fractions of the two sets must differ to be worth a line


@dataclass(frozen=True)
class Trait:
    """A statement on one hyperparameter, and for how many trials it holds.

    Attributes:
        text: As in `"units>=64"`.
        here, there: Points of the first and of the second set for which it is true.
        contrast: The difference of the two fractions (Youden's J), 1 if it tells them apart.
    """

    text: str
    here: int
    there: int
    contrast: float


def traits(these: Sequence[Point], others: Sequence[Point], max_traits: int = 3) -> list[Trait]:
    """Return what is true of many of the first points and of few of the second.

    Args:
        these: Points, for instance those of failures.
        others: Points to compare with.  Without any nothing can be told apart.
        max_traits: Maximum number of traits, each of a different hyperparameter. Defaults to 3.

    Returns:
        The clearest first.

    >>> failures = [{"rate": 0.9, "act": "relu"}, {"rate": 0.7, "act": "tanh"}]
    >>> successes = [{"rate": 0.1, "act": "relu"}, {"rate": 0.2, "act": "tanh"}]
    >>> [trait.text for trait in traits(failures, successes)]
    ['rate>=0.7']
    """
    if not these or not others:
        return []
    names = dict.fromkeys(name for point in these for name in point)
    best = [max(_traits(name, these, others), key=lambda t: t.contrast) for name in names]
    clear = [trait for trait in best if trait.contrast >= CLEAR]
    return sorted(clear, key=lambda trait: -trait.contrast)[:max_traits]


def _traits(name: str, these: Sequence[Point], others: Sequence[Point]) -> Iterator[Trait]:
    """Yield statements on one hyperparameter; of equally clear ones the first is preferred."""

    def trait(text: str, holds: Callable[[Any], bool]) -> Trait:
        here = sum(name in point and holds(point[name]) for point in these)
        there = sum(name in point and holds(point[name]) for point in others)
        return Trait(text, here, there, here / len(these) - there / len(others))

    values = list(dict.fromkeys(point[name] for point in these if name in point))
    for value in values:
        yield trait(f"{name}={_shown(value)}", partial(operator.eq, value))
    if not all(map(is_number, values)):
        return
    low, high = min(values), max(values)
    for value in sorted(values):
        yield trait(f"{name}>={_shown(value)}", _between(value, math.inf))
        yield trait(f"{name}<={_shown(value)}", _between(-math.inf, value))
    yield trait(f"{_shown(low)}<={name}<={_shown(high)}", _between(low, high))


def _between(low: float, high: float) -> Callable[[Any], bool]:
    return lambda given: is_number(given) and low <= given <= high


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
