"""Several losses at once: domination, fronts, crowding, knees and the volume that is dominated.

All losses are minimised.  A point dominates another one if it is nowhere worse and somewhere
better, so equal points do not dominate each other.

References:
    Deb, Pratap, Agarwal, Meyarivan: A fast and elitist multiobjective genetic algorithm: NSGA-II.
        IEEE Transactions on Evolutionary Computation 6(2), 2002.
    Zhang, Tian, Cheng, Jin: An efficient approach to nondominated sorting for evolutionary
        multiobjective optimization.  IEEE Transactions on Evolutionary Computation 19(2), 2015.
    While, Bradstreet, Barone: A fast way of calculating exact hypervolumes.  IEEE Transactions on
        Evolutionary Computation 16(1), 2012.
    Das: On characterizing the "knee" of the Pareto curve based on normal-boundary intersection.
        Structural Optimization 18, 1999.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left, bisect_right

import numpy as np

from kt_extras.arrays import FloatArray, IntArray


def non_dominated_fronts(losses: FloatArray, violations: FloatArray | None = None) -> IntArray:
    """Return the front of each point: 0 for those that no other one dominates, and so on.

    A point of front k + 1 is dominated by one of front k.  Of constraints (Deb et al. 2002,
    section VI): a feasible point dominates an infeasible one, and of two infeasible points that
    with the lower violation dominates the other one, whatever their losses; these count between
    equal violations.

    Args:
        losses: Shape ``(n, m)``, `inf` for a failed trial; not NaN.
        violations: Shape ``(n,)``: by how much each point violates the constraints in total, 0 for
            a feasible one.  Defaults to None: all are feasible.

    Returns:
        Shape ``(n,)``.

    >>> losses = np.array([[1.0, 4.0], [2.0, 2.0], [3.0, 3.0], [1.0, 4.0]])
    >>> non_dominated_fronts(losses).tolist()
    [0, 0, 1, 0]
    >>> non_dominated_fronts(losses, np.array([0.0, 0.5, 0.0, 0.1])).tolist()
    [0, 2, 0, 1]
    """
    losses = _matrix(losses)
    if violations is None:
        return _fronts(losses)
    violations = np.asarray(violations, dtype=float)
    feasible = violations <= 0
    fronts = np.zeros(len(losses), dtype=np.int64)
    fronts[feasible] = _fronts(losses[feasible])
    rest = np.flatnonzero(~feasible)
    _, levels = np.unique(violations[rest], return_inverse=True)
    sizes = np.ones(int(levels.max(initial=-1)) + 1, dtype=np.int64)  # fronts of each violation
    for members in _groups(levels, least=2):
        fronts[rest[members]] = _fronts(losses[rest[members]])
        sizes[levels[members[0]]] += fronts[rest[members]].max()
    first = int(fronts.max(initial=-1, where=feasible)) + 1
    fronts[rest] += first + (np.cumsum(sizes) - sizes)[levels]
    return fronts


def crowding_distance(losses: FloatArray) -> FloatArray:
    """Return how far the neighbours of each point of a front are away (Deb et al. 2002, III-B).

    It is the sum over the objectives of the distance between the next lower and the next higher
    loss, divided by the range of the losses; `inf` for the lowest and the highest loss.  Points
    that are equal in an objective share the distance.  An objective in which all are equal does
    not count.

    Args:
        losses: Shape ``(n, m)``, finite.

    Returns:
        Shape ``(n,)``.

    >>> crowding_distance(np.array([[0.0, 4.0], [1.0, 1.0], [4.0, 0.0]])).tolist()
    [inf, 2.0, inf]
    """
    losses = _matrix(losses)
    distances = np.zeros(len(losses))
    spread = np.ptp(losses, axis=0) > 0 if len(losses) else np.zeros(losses.shape[1], dtype=bool)
    if not spread.any():
        return np.full(len(losses), math.inf)
    for column in losses.T[spread]:
        values, index, counts = np.unique(column, return_inverse=True, return_counts=True)
        ends = np.concatenate([[-math.inf], values, [math.inf]])
        gaps = (ends[2:] - ends[:-2]) / (values[-1] - values[0]) / counts
        distances += gaps[index]
    return distances


def pareto_order(losses: FloatArray, violations: FloatArray | None = None) -> FloatArray:
    """Return the rank of each point, as one loss that stands for all objectives.

    Points are ordered by front, and within a front by crowding distance, the largest first.

    Args:
        losses: Shape ``(n, m)``; not NaN.
        violations: As for `non_dominated_fronts`.  Defaults to None.

    Returns:
        Shape ``(n,)``: for each point the number of those before it, so that ties share a rank;
        `inf` for one with an infinite loss.

    >>> losses = np.array([[1.0, 1.5], [0.0, 4.0], [2.0, 2.0], [4.0, 0.0], [math.inf, 0.0]])
    >>> pareto_order(losses).tolist()
    [2.0, 0.0, 3.0, 0.0, inf]
    """
    losses = _matrix(losses)
    ranks = np.full(len(losses), math.inf)
    known = np.flatnonzero(np.isfinite(losses).all(axis=1))
    if not len(known):
        return ranks
    losses = losses[known]
    fronts = non_dominated_fronts(losses, None if violations is None else violations[known])
    crowding = np.full(len(losses), math.inf)
    for members in _groups(fronts, least=3):
        crowding[members] = crowding_distance(losses[members])
    order = np.lexsort((-crowding, fronts))
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = (np.diff(fronts[order]) != 0) | (crowding[order[1:]] != crowding[order[:-1]])
    places = np.flatnonzero(begins)[np.cumsum(begins) - 1]
    ranks[known[order]] = places
    return ranks


def knee(losses: FloatArray) -> int:
    """Return the number of the point of a front from which any gain costs most elsewhere.

    Each objective is divided by its range on the front.  The knee is the point furthest below the
    line through the two extremes (Das 1999), or, of more objectives, below the plane through the
    ends of their ranges; of several such points that with the lowest loss in the first objective,
    then in the second, and so on.

    Args:
        losses: Shape ``(n, m)`` with n at least 1: the points of a front, finite.

    Raises:
        ValueError: There is no point.

    >>> knee(np.array([[0.0, 4.0], [1.0, 1.0], [4.0, 0.0]]))
    1
    """
    losses = _matrix(losses)
    if not len(losses):
        raise ValueError("`losses` must have at least one point, got none.")
    low, spread = losses.min(axis=0), np.ptp(losses, axis=0)
    total = ((losses - low) / np.where(spread > 0, spread, 1.0)).sum(axis=1)
    return int(np.lexsort((*losses.T[::-1], np.round(total, 9)))[0])


def hypervolume(losses: FloatArray, reference: FloatArray) -> float:
    """Return the volume between the points and a reference point that they dominate.

    It is exact: by a sweep for two objectives, and by exclusive volumes (While et al. 2012) for
    more of them.

    Args:
        losses: Shape ``(n, m)``.
        reference: Shape ``(m,)``, finite; a point that is not below it everywhere adds nothing.

    >>> hypervolume(np.array([[1.0, 2.0], [2.0, 1.0], [5.0, 0.0]]), np.array([3.0, 3.0]))
    3.0
    """
    losses, reference = _matrix(losses), np.asarray(reference, dtype=float)
    return _volume(losses[(losses < reference).all(axis=1)], reference)


def hypervolume_contributions(losses: FloatArray, reference: FloatArray) -> FloatArray:
    """Return by how much the hypervolume would shrink without each of the points.

    Args:
        losses: Shape ``(n, m)``.
        reference: Shape ``(m,)``, finite.

    Returns:
        Shape ``(n,)``; 0 for a point that is dominated, equal to another one, or not below the
        reference point.

    >>> losses = np.array([[1.0, 2.0], [2.0, 1.0], [2.5, 2.5]])
    >>> hypervolume_contributions(losses, np.array([3.0, 3.0])).tolist()
    [1.0, 1.0, 0.0]
    """
    losses, reference = _matrix(losses), np.asarray(reference, dtype=float)
    inside = np.flatnonzero((losses < reference).all(axis=1))
    shares = np.zeros(len(losses))
    for row in inside:
        shares[row] = _exclusive(losses[row], losses[inside[inside != row]], reference)
    return shares


def hypervolume_subset(losses: FloatArray, k: int, reference: FloatArray) -> IntArray:
    """Choose points that together have a large hypervolume, one after the other.

    Each is the one that adds most to those before it, which reaches at least 1 - 1 / e of the
    largest volume of k points (Nemhauser et al. 1978).

    Args:
        losses: Shape ``(n, m)``.
        k: How many points; all if there are fewer.
        reference: Shape ``(m,)``, finite.

    Returns:
        The numbers of the points in the order in which they are chosen.

    >>> losses = np.array([[0.0, 3.9], [1.9, 1.9], [2.0, 1.0], [3.9, 0.0]])
    >>> hypervolume_subset(losses, 2, np.array([4.0, 4.0])).tolist()
    [2, 1]
    """
    reference = np.asarray(reference, dtype=float)
    losses = np.minimum(_matrix(losses), reference)
    bounds = (reference - losses).prod(axis=1)
    queue = [(-bound, row, 0) for row, bound in enumerate(bounds.tolist())]
    heapq.heapify(queue)
    chosen = list[int]()
    while queue and len(chosen) < k:
        # What a point adds never grows with the others, so an older figure is an upper bound.
        _, row, known = heapq.heappop(queue)
        if known == len(chosen):
            chosen.append(row)
        else:
            added = _exclusive(losses[row], losses[chosen], reference) if bounds[row] > 0 else 0.0
            heapq.heappush(queue, (-added, row, len(chosen)))
    return np.array(chosen, dtype=np.int64)


def _matrix(losses: FloatArray) -> FloatArray:
    losses = np.asarray(losses, dtype=float)
    if losses.ndim != 2:
        raise ValueError(f"`losses` must have the shape (n, m), got {losses.shape}.")
    return losses


def _groups(fronts: IntArray, least: int) -> list[IntArray]:
    """Return the points of each front that has at least so many."""
    order = np.argsort(fronts, kind="stable")
    _, begins, sizes = np.unique(fronts[order], return_index=True, return_counts=True)
    large = sizes >= least
    return [order[i : i + n] for i, n in zip(begins[large], sizes[large], strict=True)]


def _fronts(losses: FloatArray) -> IntArray:
    """Return the front of each point, by sorting them and searching the fronts for each in turn.

    Among distinct points in lexicographic order none is dominated by a later one, and one that is
    not dominated in a front is not in any later front, either (Zhang et al. 2015).
    """
    order = np.lexsort(losses.T[::-1])
    ordered = losses[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    distinct = ordered[new]
    if distinct.shape[1] == 1:
        found = list(range(len(distinct)))
    elif distinct.shape[1] == 2:
        found = _fronts_of_two(distinct[:, 1].tolist())
    elif distinct.shape[1] == 3:
        found = _fronts_of_three(distinct[:, 1:].tolist())
    else:
        found = _fronts_of_many(distinct[:, 1:])
    fronts = np.empty(len(order), dtype=np.int64)
    fronts[order] = np.array(found, dtype=np.int64)[np.cumsum(new) - 1]
    return fronts


def _fronts_of_two(second: list[float]) -> list[int]:
    lowest = list[float]()  # of each front, in increasing order
    found = []
    for loss in second:
        front = bisect_right(lowest, loss)
        lowest[front : front + 1] = [loss]
        found.append(front)
    return found


def _fronts_of_three(rest: list[list[float]]) -> list[int]:
    # Of each front the second losses in increasing order, and the third ones, which decrease: those
    # of the points that no other one of the front beats in both.
    stairs, found = list[tuple[list[float], list[float]]](), []
    for second, third in rest:
        low, high = 0, len(stairs)
        while low < high:
            middle = (low + high) // 2
            seconds, thirds = stairs[middle]
            last = bisect_right(seconds, second) - 1
            if last >= 0 and thirds[last] <= third:
                low = middle + 1
            else:
                high = middle
        if low == len(stairs):
            stairs.append(([], []))
        seconds, thirds = stairs[low]
        begin = end = bisect_left(seconds, second)
        while end < len(thirds) and thirds[end] >= third:
            end += 1
        seconds[begin:end], thirds[begin:end] = [second], [third]
        found.append(low)
    return found


def _fronts_of_many(rest: FloatArray) -> list[int]:
    members, sizes, found = list[FloatArray](), list[int](), []
    for row in rest:
        low, high = 0, len(members)
        while low < high:
            middle = (low + high) // 2
            front = members[middle][: sizes[middle]]
            if (front <= row).all(axis=1).any():
                low = middle + 1
            else:
                high = middle
        if low == len(members):
            members.append(np.empty((4, rest.shape[1])))
            sizes.append(0)
        if sizes[low] == len(members[low]):
            members[low] = np.concatenate([members[low], np.empty_like(members[low])])
        members[low][sizes[low]] = row
        sizes[low] += 1
        found.append(low)
    return found


def _volume(points: FloatArray, reference: FloatArray) -> float:
    """Return the hypervolume of points that are below the reference everywhere."""
    if not len(points):
        return 0.0
    if len(reference) == 1:
        return float(reference[0] - points.min())
    # The highest last loss first: then all later points reach as far as this one along the last
    # axis, and the exclusive volume is that without the last axis times the length of it.
    points = points[np.lexsort(points.T)[::-1]]
    if len(reference) == 2:
        return _area(points, reference)
    lengths = reference[-1] - points[:, -1]
    first, end = points[:, :-1], reference[:-1]
    shares = (_exclusive(first[row], first[row + 1 :], end) for row in range(len(points)))
    return math.fsum(length * share for length, share in zip(lengths, shares, strict=True))


def _area(points: FloatArray, reference: FloatArray) -> float:
    """Return the area above points that are sorted by their second loss, the highest first."""
    upward = points[::-1]
    left = np.minimum.accumulate(upward[:, 0])
    heights = np.diff(np.append(upward[:, 1], reference[1]))
    return float(((reference[0] - left) * heights).sum())


def _exclusive(point: FloatArray, others: FloatArray, reference: FloatArray) -> float:
    """Return the volume that a point dominates and the others do not."""
    alone = float((reference - point).prod())
    limited = np.maximum(others, point)
    if len(reference) > 2 and len(limited) > 1:
        limited = limited[_fronts(limited) == 0]
    return max(alone - _volume(limited, reference), 0.0)
