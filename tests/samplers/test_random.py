import numpy as np
from scipy import stats

from kt_extras.samplers.random import Random
from kt_extras.search import (
    Choice,
    Condition,
    Float,
    History,
    Int,
    Sampler,
    Space,
    trial_rng,
)


def draws(space, n=2000):
    history = History(space)
    return [Random().suggest(history, space, trial_rng(0, trial)) for trial in range(n)]


def test_random_is_a_sampler():
    assert isinstance(Random(), Sampler)


def test_draws_are_uniform_in_the_scale_of_the_dimension():
    points = draws(Space([Float("x", 1e-3, 1, sampling="log")]))
    exponents = np.log10([point["x"] for point in points])
    assert stats.kstest(exponents, stats.uniform(-3, 3).cdf).pvalue > 0.01


def test_all_values_of_a_grid_are_equally_likely():
    values = [point["n"] for point in draws(Space([Int("n", 1, 5)]))]
    assert stats.chisquare(np.bincount(values)[1:]).pvalue > 0.01


def test_branches_are_equally_likely_whatever_their_size():
    deep = Condition("branch", ("a",))
    children = [Float(name, 0, 1, conditions=(deep,)) for name in "xyz"]
    points = draws(Space([Choice("branch", ("a", "b")), *children]))
    fraction = np.mean([point["branch"] == "a" for point in points])
    assert abs(fraction - 0.5) < 0.05


def test_trials_differ_with_the_same_seed():
    first, second = draws(Space([Float("x", 0, 1)]), n=2)
    assert first != second
