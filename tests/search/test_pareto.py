import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.search.pareto import (
    crowding_distance,
    hypervolume,
    hypervolume_contributions,
    hypervolume_subset,
    knee,
    non_dominated_fronts,
    pareto_order,
)

_VALUES = np.array([0.0, 1.0, 2.0, 3.5, math.inf])


@st.composite
def points(draw, min_size=0, max_size=12, infinite=True):
    """Losses with many ties, of shape (n, m), m from 1 to 4."""
    n, m = draw(st.integers(min_size, max_size)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.choice(_VALUES if infinite else _VALUES[:-1], size=(n, m))


@st.composite
def judged_points(draw):
    losses = draw(points())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return losses, rng.choice([0.0, 0.0, 0.5, 2.0], size=len(losses))


def dominates(first, second):
    return bool((first <= second).all() and (first < second).any())


def dominates_with(first, second, violations):
    if violations[0] != violations[1]:
        return violations[0] < violations[1]
    return dominates(first, second)


def volume_of_cells(losses, reference):
    """The sum over all cells of the grid through the coordinates of the points."""
    edges = [np.unique(np.append(c, r)) for c, r in zip(losses.T, reference, strict=True)]
    edges = [e[e <= r] for e, r in zip(edges, reference, strict=True)]
    total = 0.0
    for cell in itertools.product(*(range(len(e) - 1) for e in edges)):
        low = np.array([e[i] for e, i in zip(edges, cell, strict=True)])
        if (losses <= low).all(axis=1).any():
            total += math.prod(e[i + 1] - e[i] for e, i in zip(edges, cell, strict=True))
    return total


@given(judged_points())
def test_each_later_front_is_dominated_from_the_one_before(judged):
    losses, violations = judged
    fronts = non_dominated_fronts(losses, violations)
    for row, front in enumerate(fronts):
        above = [
            fronts[other]
            for other in range(len(losses))
            if dominates_with(losses[other], losses[row], violations[[other, row]])
        ]
        assert max(above, default=-1) == front - 1


@given(points())
def test_fronts_are_those_of_no_violations_when_none_are_given(losses):
    fronts = non_dominated_fronts(losses)
    assert fronts.tolist() == non_dominated_fronts(losses, np.zeros(len(losses))).tolist()


@given(judged_points())
def test_order_of_the_points_does_not_matter(judged):
    losses, violations = judged
    shuffled = np.random.default_rng(len(losses)).permutation(len(losses))
    for law in (non_dominated_fronts, pareto_order):
        shuffled_result = law(losses[shuffled], violations[shuffled])
        assert shuffled_result.tolist() == law(losses, violations)[shuffled].tolist()


@given(judged_points())
def test_ranks_keep_fronts_apart_and_count_those_before(judged):
    losses, violations = judged
    ranks, fronts = pareto_order(losses, violations), non_dominated_fronts(losses, violations)
    finite = np.isfinite(losses).all(axis=1)
    assert np.isinf(ranks[~finite]).all()
    ranks, fronts = ranks[finite], fronts[finite]
    assert (np.diff(fronts[np.argsort(ranks, kind="stable")]) >= 0).all()
    assert ranks.tolist() == [int((ranks < rank).sum()) for rank in ranks]


@given(points(infinite=False))
def test_rank_of_one_objective_is_that_of_its_losses(losses):
    losses = losses[:, :1]
    expected = [(losses[:, 0] < loss).sum() for loss in losses[:, 0]]
    assert pareto_order(losses).tolist() == expected


@given(points(min_size=1, infinite=False))
def test_ends_of_each_objective_are_not_crowded(losses):
    distances = crowding_distance(losses)
    for column in losses.T[np.ptp(losses, axis=0) > 0]:
        assert np.isinf(distances[(column == column.min()) | (column == column.max())]).all()


def test_crowding_is_that_of_the_paper_when_no_loss_is_repeated():
    losses = np.array([[0.0, 10.0], [1.0, 5.0], [2.0, 4.0], [8.0, 1.0], [10.0, 0.0]])
    expected = [math.inf, 0.2 + 0.6, 0.7 + 0.4, 0.8 + 0.4, math.inf]
    assert crowding_distance(losses) == pytest.approx(expected)


def test_equal_points_share_the_crowding_distance():
    losses = np.array([[0.0, 4.0], [1.0, 1.0], [1.0, 1.0], [4.0, 0.0]])
    assert crowding_distance(losses).tolist() == [math.inf, 1.0, 1.0, math.inf]


@given(points(max_size=6))
def test_hypervolume_is_the_sum_of_the_dominated_cells(losses):
    reference = np.full(losses.shape[1], 3.0)
    expected = volume_of_cells(losses, reference)
    assert hypervolume(losses, reference) == pytest.approx(expected, abs=1e-9)


@given(points(max_size=6))
def test_contribution_is_what_is_lost_without_the_point(losses):
    reference = np.full(losses.shape[1], 4.0)
    whole = hypervolume(losses, reference)
    without = [hypervolume(np.delete(losses, i, axis=0), reference) for i in range(len(losses))]
    contributions = hypervolume_contributions(losses, reference)
    assert contributions == pytest.approx([whole - rest for rest in without], abs=1e-9)


@given(points(max_size=7), st.integers(0, 8))
def test_each_chosen_point_adds_as_much_as_any_other_would(losses, k):
    reference = np.full(losses.shape[1], 4.0)
    chosen = hypervolume_subset(losses, k, reference).tolist()
    assert len(set(chosen)) == len(chosen) == min(k, len(losses))
    for step, row in enumerate(chosen):
        reached = [
            hypervolume(losses[[*chosen[:step], other]], reference)
            for other in set(range(len(losses))) - set(chosen[:step])
        ]
        assert hypervolume(losses[[*chosen[:step], row]], reference) >= max(reached) - 1e-9


@pytest.mark.parametrize("m", [2, 3, 4, 5])
def test_hypervolume_equals_that_of_optuna(m):
    peers = pytest.importorskip("optuna._hypervolume")
    rng = np.random.default_rng(m)
    losses, reference = rng.normal(size=(30, m)), np.full(m, 0.7)
    expected = peers.compute_hypervolume(losses[(losses < reference).all(axis=1)], reference)
    assert hypervolume(losses, reference) == pytest.approx(expected)


@given(points(min_size=1, infinite=False))
def test_knee_is_not_dominated_whatever_the_scales(losses):
    chosen = knee(losses)
    assert non_dominated_fronts(losses)[chosen] == 0
    assert knee(losses * 4.0 ** np.arange(losses.shape[1]) - 3.0) == chosen


def test_knee_is_the_corner_of_a_bent_front():
    front = np.array([[0.0, 100.0], [0.1, 20.0], [0.5, 15.0], [1.0, 0.0]])
    assert knee(front) == 1


def test_knee_of_points_on_a_line_is_the_best_in_the_first_objective():
    losses = np.linspace(0, 1, 8)
    assert knee(np.column_stack([losses[::-1], losses])) == 7
    assert knee(np.array([[2.0, 5.0]])) == 0
    assert knee(np.array([[2.0, 5.0], [1.0, 6.0]])) == 1


def test_knee_of_no_point_is_an_error():
    with pytest.raises(ValueError, match="at least one point"):
        knee(np.empty((0, 2)))


def test_losses_of_one_axis_are_an_error():
    with pytest.raises(ValueError, match=r"shape \(n, m\)"):
        non_dominated_fronts(np.zeros(3))


def test_ten_thousand_points_of_two_objectives_take_milliseconds():
    rng = np.random.default_rng(0)
    losses, violations = rng.random((10_000, 2)), np.maximum(rng.random(10_000) - 0.5, 0)
    begun = time.perf_counter()
    non_dominated_fronts(losses)
    pareto_order(losses, violations)
    assert time.perf_counter() - begun < 0.5


def test_ten_thousand_points_of_three_losses_are_ranked_quickly():
    losses = np.random.default_rng(0).dirichlet(np.ones(3), 10_000)
    began = time.perf_counter()
    pareto_order(losses)
    assert time.perf_counter() - began < 1  # 0.03 s on a machine that does nothing else
