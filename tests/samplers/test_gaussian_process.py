"""The sampler minimises the predicted loss, and avoids the points of running trials."""

import numpy as np
import pytest

from kt_extras.samplers.gaussian_process import GaussianProcess
from kt_extras.samplers.random import Random
from kt_extras.search import Choice, Float, History, Int, Space, State, trial_rng
from kt_extras.testing.problems import branin, conditional
from tests.samplers.test_curve_model import slow_and_fast

FINITE = Space([Choice("act", ("relu", "tanh", "elu")), Int("units", 1, 4)])


def search(problem, sampler, seed, trials):
    history = History(problem.space)
    for number in range(trials):
        point = sampler.suggest(history, problem.space, trial_rng(seed, number))
        history.finish(history.start(point), State.COMPLETED, problem(point))
    return history


def test_suggestions_follow_long_curves_where_short_ones_mislead():
    history = slow_and_fast()
    points = [GaussianProcess().suggest(history, history.space, trial_rng(0, n)) for n in range(9)]
    assert np.median([point["x"] for point in points]) > 0.8


def test_suggestions_are_random_during_startup():
    history = History(FINITE)
    history.finish(history.start({"act": "relu", "units": 1}), State.COMPLETED, 0.0)
    points = [
        GaussianProcess(n_startup_trials=5).suggest(history, FINITE, trial_rng(0, number))
        for number in range(60)
    ]
    assert {point["act"] for point in points} == {"relu", "tanh", "elu"}


def test_no_point_is_repeated_while_others_are_left():
    history = History(FINITE)
    for number in range(12):
        point = GaussianProcess(n_startup_trials=3).suggest(history, FINITE, trial_rng(0, number))
        assert not history.tried(point)
        history.finish(history.start(point), State.COMPLETED, point["units"])


def test_suggestions_differ_when_trials_run_at_the_same_time():
    history = slow_and_fast()
    for number in range(4):
        point = GaussianProcess().suggest(history, history.space, trial_rng(0, number))
        history.start(point)
    assert len({round(x, 3) for x in history.unit[-4:, 0]}) == 4


def test_suggestions_are_further_from_trials_with_more_exploration():
    history, space = History(Space([Float("x", 0, 1)])), Space([Float("x", 0, 1)])
    for x in np.linspace(0.4, 0.6, 15):
        history.finish(history.start({"x": float(x)}), State.COMPLETED, (x - 0.5) ** 2)

    def distance(exploration):
        sampler = GaussianProcess(exploration=exploration)
        points = [sampler.suggest(history, space, trial_rng(0, number)) for number in range(9)]
        return np.median([abs(point["x"] - 0.5) for point in points])

    assert distance(0) < 0.1 < distance(20)


@pytest.mark.parametrize(("fraction", "count"), [(0.0, (0, 0)), (0.5, (8, 22)), (1.0, (20, 40))])
def test_fraction_of_the_suggestions_is_random(fraction, count):
    history = slow_and_fast()  # the model has learnt that a large x is better
    sampler = GaussianProcess(exploration=0, random_fraction=fraction)
    points = [sampler.suggest(history, history.space, trial_rng(0, n)) for n in range(40)]
    low, high = count
    assert low <= sum(point["x"] < 0.7 for point in points) <= high


@pytest.mark.slow
@pytest.mark.parametrize("problem", [branin(), conditional()], ids=["branin", "conditional"])
def test_gaussian_process_is_better_than_random_search(problem):
    ours = [search(problem, GaussianProcess(), seed, 60).losses.min() for seed in range(3)]
    random = [search(problem, Random(), seed, 60).losses.min() for seed in range(3)]
    assert np.mean(ours) < np.mean(random)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_startup_trials": 0}, "`n_startup_trials` must be an integer from 1, got 0"),
        ({"candidates": 1}, "`candidates` must be an integer from 2, got 1"),
        (
            {"exploration": float("nan")},
            "`exploration` must be a finite number of at least 0, got nan",
        ),
        ({"random_fraction": 1.5}, r"`random_fraction` must be in \[0, 1\], got 1.5"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianProcess(**arguments)


def test_forecast_uses_the_curves_of_a_trial_and_its_neighbours():
    history = slow_and_fast()
    forecast = GaussianProcess().forecast(history, trial_rng(0, 0))
    assert forecast.shape == (len(history),)
    shown = history.epochs == history.epochs.max()
    assert np.corrcoef(forecast[shown], history.losses[shown])[0, 1] > 0.8
    assert GaussianProcess(n_startup_trials=10**6).forecast(history, trial_rng(0, 0)) is None
