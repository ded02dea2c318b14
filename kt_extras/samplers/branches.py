"""The branches of a conditional space, and how many trials each deserves.

A branch settles every choice on which other hyperparameters depend; two values of a parent are in
one branch if they switch on the same children.  Deciding between branches is a bandit problem with
rising rewards: a branch improves the longer it is searched, so its average says little about its
best.  Two ideas answer that.

*Shares.*  The branch of rank r gets trials in proportion to 1 / r.  Sequential halving (Karnin et
al., ICML 2013) spends its budget in this way over its rounds; keeping to the shares at all times
makes it anytime, and no branch ever starves.

*Ranks.*  Branches are compared not by their best losses but by where these seem to be heading.
For order statistics y_0 <= y_1 <= ... the lower end of a distribution is near y_0 - (y_k - y_0)
(Robson & Whitlock, Biometrika 1964, with k = 1; de Haan, JASA 1981, lets k grow with n).  The best
losses of a branch that has converged are close together, so it promises little more.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kt_extras.arrays import BoolArray, FloatArray, IntArray
from kt_extras.search.dimensions import Condition, Dimension, Point, Value
from kt_extras.search.space import Space

_MOST_BRANCHES = 64  # parents beyond that are left to the density model
_MOST_VALUES = 64  # of a parent; a finer one is left to the density model too
_DIGITS = 9  # coordinates are compared so


@dataclass(frozen=True)
class Branch:
    """One way to settle the parents of a space.

    Args:
        space: The whole space.
        settled: The coordinates that each parent may have in this branch, by column.
        columns: What is left to search: the columns that can be active here and have a choice.
        certain: Whether all of `columns` are active in every point of the branch.
    """

    space: Space
    settled: Mapping[int, tuple[float, ...]]
    columns: tuple[int, ...]
    certain: bool

    def holds(self, unit: FloatArray) -> BoolArray:
        """Tell which rows of ``(n, d)`` coordinates lie in the branch; unknown parents do not."""
        inside = np.ones(len(unit), dtype=bool)
        for column, allowed in self.settled.items():
            inside &= np.isin(np.round(unit[:, column], _DIGITS), allowed)
        return inside

    def settle(self, unit: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return ``(n, d)`` coordinates moved into the branch; parents that fit stay."""
        unit = unit.copy()
        for column, allowed in self.settled.items():
            lower, upper = self.space.dimensions[column].cells(unit[:, column])
            unit[:, column] = 0.5 * (lower + upper)
            astray = ~np.isin(np.round(unit[:, column], _DIGITS), allowed)
            unit[astray, column] = rng.choice(allowed, size=int(astray.sum()))
        return unit


@functools.lru_cache(maxsize=64)
def branches(space: Space) -> tuple[Branch, ...]:
    """Return the branches of a space; a space without conditions is a single one.

    >>> from kt_extras.search import Choice, Condition, Float
    >>> svm = (Condition("model", ("svm",)),)
    >>> space = Space([Choice("model", ("mlp", "knn", "svm")), Float("c", 0, 1, conditions=svm)])
    >>> [branch.columns for branch in branches(space)]
    [(0,), (1,)]
    """
    grown: list[_Growing] = [({}, {})]
    unsettled: set[str] = set()
    for column, dimension in enumerate(space.dimensions):
        if not (tests := _tests(dimension, space)):
            continue
        more = [new for old in grown for new in _grow(old, column, dimension, tests)]
        unsure = any(condition.parent in unsettled for condition in dimension.conditions)
        if unsure or dimension.size > _MOST_VALUES or len(more) > _MOST_BRANCHES:
            unsettled.add(dimension.name)
        else:
            grown = more
    return tuple(_branch(space, *growing, unsettled) for growing in grown)


def branch_of(unit: FloatArray, among: Sequence[Branch]) -> IntArray:
    """Return the index of the branch of each row of ``(n, d)`` coordinates, -1 if unknown."""
    index = np.full(len(unit), -1, dtype=np.int64)
    for number, branch in enumerate(among):
        index[branch.holds(unit)] = number
    return index


def potential(losses: FloatArray) -> float:
    """Return the loss that a branch seems to be heading for; `inf` if it has none yet.

    >>> round(potential(np.array([0.5, 0.3, 0.9, 0.4])), 6)  # 0.3 - (0.5 - 0.3)
    0.1
    """
    ordered = np.sort(losses[np.isfinite(losses)])
    if len(ordered) == 0:
        return math.inf
    k = min(math.isqrt(len(ordered)), len(ordered) - 1)
    return float(ordered[0] - (ordered[k] - ordered[0]))


def most_owed(counts: IntArray, potentials: FloatArray) -> int:
    """Return the branch that is furthest behind its share.

    Args:
        counts: Shape ``(branches,)``: the trials that each has had, running ones included.
        potentials: Shape ``(branches,)``: lower is better, `inf` if nothing is known.

    >>> most_owed(np.array([7, 2, 1]), np.array([0.1, 0.3, 0.2]))  # owed 6, 2, 3 of 11
    2
    """
    ranks = np.empty(len(counts))
    ranks[np.argsort(potentials, kind="stable")] = np.arange(1, len(counts) + 1)
    shares = 1.0 / ranks
    return int(np.argmax(shares / shares.sum() * (counts.sum() + 1) - counts))


_Growing = tuple[Point, dict[int, tuple[float, ...]]]  # one value a parent, all its coordinates


def _tests(dimension: Dimension, space: Space) -> list[Condition]:
    return [c for d in space.dimensions for c in d.conditions if c.parent == dimension.name]


def _grow(
    growing: _Growing, column: int, dimension: Dimension, tests: list[Condition]
) -> list[_Growing]:
    """Return one branch a class of values, or the old one where `dimension` is inactive."""
    point, settled = growing
    active = dimension.name not in point and all(c.holds(point) for c in dimension.conditions)
    if not active or dimension.size > _MOST_VALUES:
        return [growing]
    classes: dict[tuple[bool, ...], list[Value]] = {}
    for value in dimension.values():
        classes.setdefault(tuple(value in test.values for test in tests), []).append(value)
    return [
        (
            {**point, dimension.name: values[0]},
            {**settled, column: tuple(round(dimension.to_unit(v), _DIGITS) for v in values)},
        )
        for values in classes.values()
    ]


def _branch(
    space: Space, point: Point, settled: dict[int, tuple[float, ...]], unsettled: set[str]
) -> Branch:
    def can_be_active(dimension: Dimension) -> bool:
        return all(c.parent in unsettled or c.holds(point) for c in dimension.conditions)

    columns = tuple(
        column
        for column, dimension in enumerate(space.dimensions)
        if can_be_active(dimension) and len(settled.get(column, (0, 0))) > 1 and dimension.size > 1
    )
    names = [space.dimensions[column].name for column in columns]
    certain = not unsettled and len(set(names)) == len(names)
    return Branch(space, settled, columns, certain)
