"""Mutation changes active hyperparameters alone; crossover keeps branches complete."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from kt_extras.samplers.mutation import cross, mutate, vary
from kt_extras.search import Boolean, Choice, Condition, Fixed, Float, Int, Space
from kt_extras.testing.samplers import check_point
from tests import strategies

AB = Choice("model", ("a", "b"))
IN_A, IN_B = (Condition("model", ("a",)),), (Condition("model", ("b",)),)
FORK = Space([AB, Float("x", 0, 1, conditions=IN_A), Float("y", 0, 1, conditions=IN_B)])
seeds = st.integers(0, 2**16)


def mutated(dimension, value, *, scale=0.1, draws=400):
    """Return the values that mutations of one value lead to."""
    rng, u = np.random.default_rng(0), dimension.to_unit(value)
    return [dimension.from_unit(mutate(dimension, u, rng, scale=scale)) for _ in range(draws)]


def varied(space, point, *, mutations=1.0, draws=200):
    rng, genome = np.random.default_rng(0), space.encode(point)
    return [
        space.decode(vary(genome, space, rng, mutations=mutations, scales=(0.01, 0.5)))
        for _ in range(draws)
    ]


@given(strategies.dimensions(), strategies.units, st.floats(1e-6, 10), seeds)
def test_mutated_value_is_another_value_of_the_dimension(dimension, u, scale, seed):
    assume(dimension.size > 1)
    new = mutate(dimension, u, np.random.default_rng(seed), scale=scale)
    assert 0 <= new <= 1
    assert dimension.contains(dimension.from_unit(new))
    if math.isfinite(dimension.size):
        assert dimension.from_unit(new) != dimension.from_unit(u)


@pytest.mark.parametrize(
    ("dimension", "value", "neighbours"),
    [
        (Int("n", 1, 1000), 500, {499, 501}),
        (Int("n", 1, 1000), 1, {2}),
        (Int("n", 1, 1000, sampling="log"), 1, {2}),
        (Int("n", 1, 1000, sampling="log"), 2, {1, 3}),
        (Int("n", 1, 10**9, sampling="log"), 10**9, {10**9 - 1}),
        (Int("n", 1, 1000, sampling="reverse_log"), 1000, {999}),
        (Int("n", 8, 256, step=2, sampling="log"), 64, {32, 128}),
        (Float("x", 0, 1, step=0.3), 0.9, {0.6}),
        (Choice("batch", (16, 32, 64), ordered=True), 32, {16, 64}),
        (Boolean("bias"), True, {False}),
    ],
)
def test_value_moves_to_a_neighbour_after_the_smallest_step(dimension, value, neighbours):
    assert set(mutated(dimension, value, scale=1e-12, draws=50)) == neighbours


def test_value_moves_beyond_its_neighbours_after_a_large_step():
    assert len(set(mutated(Int("n", 1, 1000), 500, scale=0.1))) > 100


def test_all_other_options_of_a_choice_are_equally_likely():
    options = tuple("vwxyz")
    found = mutated(Choice("act", options), "w", draws=2000)
    counts = [found.count(option) for option in options]
    assert counts.pop(1) == 0
    assert stats.chisquare(counts).pvalue > 0.01


def test_steps_are_normal_in_the_scale_of_the_dimension():
    exponents = np.log10(mutated(Float("rate", 1e-6, 1, sampling="log"), 1e-3, draws=1000))
    assert stats.kstest(exponents, stats.norm(-3, 6 * 0.1).cdf).pvalue > 0.01


def test_steps_are_reflected_at_the_ends():
    values = mutated(Float("x", 0, 1), 0.0, draws=1000)
    assert stats.kstest(values, stats.halfnorm(0, 0.1).cdf).pvalue > 0.01


def test_mutate_raises_for_a_dimension_with_one_value():
    with pytest.raises(ValueError, match="`dimension` must have more than one value, but 'x' has"):
        mutate(Fixed("x", 5), 0.5, np.random.default_rng(0), scale=0.1)


@given(st.lists(st.tuples(strategies.units, strategies.units), min_size=1, max_size=8), seeds)
def test_every_coordinate_of_a_child_is_that_of_a_parent(pairs, seed):
    first, second = np.array(pairs).T
    child = cross(first, second, np.random.default_rng(seed))
    assert all(child[i] in pair for i, pair in enumerate(pairs))


def test_child_has_half_of_the_coordinates_of_each_parent():
    child = cross(np.zeros(1000), np.ones(1000), np.random.default_rng(0))
    assert abs(child.mean() - 0.5) < 0.05


def test_child_has_the_hyperparameters_that_depend_on_its_choice():
    first, second = (FORK.encode(p) for p in ({"model": "a", "x": 0.1}, {"model": "b", "y": 0.9}))
    rng = np.random.default_rng(0)
    children = [FORK.decode(cross(first, second, rng)) for _ in range(20)]
    assert {tuple(child.items()) for child in children} == {
        (("model", "a"), ("x", 0.1)),
        (("model", "b"), ("y", 0.9)),
    }


@given(strategies.spaces(), st.data(), seeds)
def test_varied_genome_is_another_point_if_the_space_has_one(space, data, seed):
    parent = space.decode(data.draw(strategies.places(space)))
    genome, rng = space.encode(parent), np.random.default_rng(seed)
    child = space.decode(vary(genome, space, rng, mutations=1.5, scales=(0.1, 0.5)))
    check_point(child, space)
    sizes = [dimension.size for dimension in space.active(parent)]
    if any(size > 1 for size in sizes) and all(map(math.isfinite, sizes)):
        assert child != parent


def test_one_active_hyperparameter_changes_with_one_mutation():
    space = Space([Int("a", 1, 9), Float("b", 0, 1), Choice("c", tuple("xyz")), Fixed("d", 1)])
    parent = {"a": 4, "b": 0.5, "c": "y", "d": 1}
    changed = [[k for k in parent if child[k] != parent[k]] for child in varied(space, parent)]
    assert {len(names) for names in changed} == {1}
    counts = np.bincount(["abc".index(name) for (name,) in changed])
    assert stats.chisquare(counts).pvalue > 0.01


def test_mean_number_of_changes_equals_mutations():
    space = Space([Int(f"n{i}", 1, 9) for i in range(8)])
    parent = {f"n{i}": 5 for i in range(8)}
    children = varied(space, parent, mutations=2.5, draws=1000)
    changes = [sum(child[name] != parent[name] for name in parent) for child in children]
    assert np.mean(changes) == pytest.approx(2.5, abs=0.15)
    assert min(changes) == 1


def test_all_hyperparameters_change_with_more_mutations_than_these():
    space = Space([Boolean("a"), Boolean("b")])
    children = varied(space, {"a": True, "b": False}, mutations=9)
    assert all(child == {"a": False, "b": True} for child in children)


def test_new_branch_gets_values_after_its_choice_is_mutated():
    children = varied(FORK, {"model": "a", "x": 0.3})
    ys = [child["y"] for child in children if child["model"] == "b"]
    assert stats.kstest(ys, stats.uniform().cdf).pvalue > 0.01


def test_genome_is_unchanged_in_a_space_of_constants():
    space = Space([Fixed("x", 5), Int("n", 3, 3)])
    assert varied(space, {"x": 5, "n": 3}, draws=1) == [{"x": 5, "n": 3}]
    assert varied(Space([]), {}, draws=1) == [{}]
