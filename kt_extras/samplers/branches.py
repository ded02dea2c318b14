"""The branches of a conditional space, and how many trials each gets.

A branch fixes the values of all parents, the hyperparameters on which others depend.  Two values of
a parent belong to one branch if they activate the same children.  The choice of the branch of the
next trial is a bandit problem with rising rewards: a branch improves the longer it is searched, so
its average loss says little about the lowest loss it can reach.  The choice has two parts.

*Fractions.*  The branch of rank r gets trials in proportion to 1 / r.  Sequential halving (Karnin
et al., ICML 2013) spends its budget in this way over its rounds.  Here the fractions hold at any
time, so a search may end after any trial, and every branch keeps getting trials.

*Ranks.*  Branches are ranked by an extrapolation of their lowest losses.  For order statistics
y_0 <= y_1 <= ... the lower end of a distribution is near y_0 - (y_k - y_0) (Robson & Whitlock,
Biometrika 1964, with k = 1; de Haan, JASA 1981, lets k grow with n).  The lowest losses of a branch
that has converged are close together, so its extrapolation is hardly below its best loss.
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

# A parent beyond one of these two limits is left to the density model.
_MAX_BRANCHES = 64
_MAX_VALUES = 64  # of one parent
_DIGITS = 9  # decimal places to which coordinates are compared


@dataclass(frozen=True)
class Branch:
    """One combination of values of the parents of a space.

    Args:
        space: The whole space.
        parents: The coordinates that each parent may have in this branch, by column.
        columns: The columns to search in this branch: those of dimensions that can be active and
            have more than one value.
        certain: Whether all of `columns` are active in every point of the branch.
    """

    space: Space
    parents: Mapping[int, tuple[float, ...]]
    columns: tuple[int, ...]
    certain: bool

    def holds(self, unit: FloatArray) -> BoolArray:
        """Return which rows of ``(n, d)`` coordinates lie in the branch.

        A row in which a parent is NaN does not.
        """
        inside = np.ones(len(unit), dtype=bool)
        for column, allowed in self.parents.items():
            inside &= np.isin(np.round(unit[:, column], _DIGITS), allowed)
        return inside

    def moved_inside(self, unit: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Return ``(n, d)`` coordinates moved into the branch.

        A parent whose value is not of the branch gets one that is, at random.
        """
        unit = unit.copy()
        for column, allowed in self.parents.items():
            lower, upper = self.space.dimensions[column].cells(unit[:, column])
            unit[:, column] = 0.5 * (lower + upper)
            outside = ~np.isin(np.round(unit[:, column], _DIGITS), allowed)
            unit[outside, column] = rng.choice(allowed, size=int(outside.sum()))
        return unit


@functools.lru_cache(maxsize=64)
def branches(space: Space) -> tuple[Branch, ...]:
    """Return the branches of a space; a space without conditions has a single one.

    >>> from kt_extras.search import Choice, Condition, Float
    >>> svm = (Condition("model", ("svm",)),)
    >>> space = Space([Choice("model", ("mlp", "knn", "svm")), Float("c", 0, 1, conditions=svm)])
    >>> [branch.columns for branch in branches(space)]
    [(0,), (1,)]
    """
    partial: list[_Partial] = [({}, {})]
    undecided: set[str] = set()
    for column, dimension in enumerate(space.dimensions):
        if not (conditions := _conditions_on(dimension, space)):
            continue
        more = [new for old in partial for new in _divided(old, column, dimension, conditions)]
        depends = any(condition.parent in undecided for condition in dimension.conditions)
        if depends or dimension.size > _MAX_VALUES or len(more) > _MAX_BRANCHES:
            undecided.add(dimension.name)
        else:
            partial = more
    return tuple(_branch(space, *branch, undecided) for branch in partial)


def branch_of(unit: FloatArray, among: Sequence[Branch]) -> IntArray:
    """Return the index of the branch of each row of ``(n, d)`` coordinates, -1 if it is in none."""
    index = np.full(len(unit), -1, dtype=np.int64)
    for number, branch in enumerate(among):
        index[branch.holds(unit)] = number
    return index


def potential(losses: FloatArray) -> float:
    """Return the extrapolated lowest loss of a branch; `inf` if no loss is finite.

    >>> round(potential(np.array([0.5, 0.3, 0.9, 0.4])), 6)  # 0.3 - (0.5 - 0.3)
    0.1
    """
    ordered = np.sort(losses[np.isfinite(losses)])
    if len(ordered) == 0:
        return math.inf
    k = min(math.isqrt(len(ordered)), len(ordered) - 1)
    best, worse = map(float, ordered[[0, k]])  # NumPy would warn if a difference is infinite
    return best - (worse - best)


def next_branch(counts: IntArray, potentials: FloatArray) -> int:
    """Return the branch that has the fewest trials compared with its fraction of them.

    Args:
        counts: Shape ``(branches,)``: number of trials of each branch, running ones included.
        potentials: Shape ``(branches,)``: `potential` of each branch.

    >>> next_branch(np.array([7, 2, 1]), np.array([0.1, 0.3, 0.2]))  # targets 6, 2, 3 of 11
    2
    """
    ranks = np.empty(len(counts))
    ranks[np.argsort(potentials, kind="stable")] = np.arange(1, len(counts) + 1)
    fractions = 1.0 / ranks
    return int(np.argmax(fractions / fractions.sum() * (counts.sum() + 1) - counts))


#: A branch while it is built: one value of each parent, and the coordinates of all its values.
_Partial = tuple[Point, dict[int, tuple[float, ...]]]


def _conditions_on(dimension: Dimension, space: Space) -> list[Condition]:
    return [c for d in space.dimensions for c in d.conditions if c.parent == dimension.name]


def _divided(
    branch: _Partial, column: int, dimension: Dimension, conditions: list[Condition]
) -> list[_Partial]:
    """Divide a branch by the values of a parent that meet the same conditions.

    A branch in which the parent is inactive stays one.
    """
    point, parents = branch
    active = dimension.name not in point and all(c.holds(point) for c in dimension.conditions)
    if not active or dimension.size > _MAX_VALUES:
        return [branch]
    classes: dict[tuple[bool, ...], list[Value]] = {}
    for value in dimension.values():
        classes.setdefault(tuple(value in c.values for c in conditions), []).append(value)
    return [
        (
            {**point, dimension.name: values[0]},
            {**parents, column: tuple(round(dimension.to_unit(v), _DIGITS) for v in values)},
        )
        for values in classes.values()
    ]


def _branch(
    space: Space, point: Point, parents: dict[int, tuple[float, ...]], undecided: set[str]
) -> Branch:
    def can_be_active(dimension: Dimension) -> bool:
        return all(c.parent in undecided or c.holds(point) for c in dimension.conditions)

    columns = tuple(
        column
        for column, dimension in enumerate(space.dimensions)
        if can_be_active(dimension) and len(parents.get(column, (0, 0))) > 1 and dimension.size > 1
    )
    names = [space.dimensions[column].name for column in columns]
    certain = not undecided and len(set(names)) == len(names)
    return Branch(space, parents, columns, certain)
