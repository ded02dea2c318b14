"""The sampler finds good choices, and its trees are those of scikit-learn."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from kt_extras.samplers.random import Random
from kt_extras.samplers.random_forest import RandomForest, _Forest
from kt_extras.search import Choice, History, Space, State, trial_rng

OPTIONS = tuple("abcdef")
SPACE = Space([Choice(f"c{i}", OPTIONS) for i in range(6)])


def loss(point):
    """Two of the choices matter only together."""
    values = [OPTIONS.index(value) for value in point.values()]
    return sum(v != i for i, v in enumerate(values)) - (values[:2] == [3, 4])


def search(sampler, trials, seed=0):
    history = History(SPACE)
    for number in range(trials):
        point = sampler.suggest(history, SPACE, trial_rng(seed, number))
        history.finish(history.start(point), State.COMPLETED, loss(point))
    return history


@pytest.mark.slow
def test_random_forest_is_better_than_random_search_on_choices():
    ours, random = search(RandomForest(), 50).losses, search(Random(), 50).losses
    assert ours.min() < random.min()
    assert ours[-10:].mean() < random[-10:].mean() - 1


def test_mean_equals_that_of_scikit_learn_and_deviations_are_positive():
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 3)), rng.standard_normal(40)
    forest = _Forest.of(x, y, 10, np.random.default_rng(1))
    seed = int(np.random.default_rng(1).integers(2**31))
    theirs = RandomForestRegressor(10, random_state=seed).fit(x, y)
    elsewhere = rng.random((20, 3))
    mean, deviation = forest.predict(elsewhere)
    assert np.allclose(mean, theirs.predict(elsewhere))
    assert (deviation > 0).all()


def test_fraction_of_the_suggestions_is_random():
    history = search(RandomForest(), 30)
    points = [
        RandomForest(random_fraction=1.0).suggest(history, SPACE, trial_rng(0, n))
        for n in range(20)
    ]
    random = [Random().suggest(history, SPACE, trial_rng(0, n)) for n in range(20)]
    assert np.mean([loss(p) for p in points]) == pytest.approx(
        np.mean([loss(p) for p in random]), abs=1
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_startup_trials": 0}, "`n_startup_trials` must be an integer from 1, got 0"),
        ({"trees": 1}, "`trees` must be an integer from 2, got 1"),
        ({"candidates": 1}, "`candidates` must be an integer from 2, got 1"),
        ({"random_fraction": 2}, r"`random_fraction` must be in \[0, 1\], got 2"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomForest(**arguments)
