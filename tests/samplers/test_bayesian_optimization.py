"""The sampler finds the optimum of smooth functions, and learns from every trial."""

import numpy as np
import pytest

from kt_extras.samplers.bayesian_optimization import BayesianOptimization
from kt_extras.samplers.exhaustive import Exhaustive
from kt_extras.samplers.random import Random
from kt_extras.search import Choice, Condition, Float, History, Int, Space, State, trial_rng
from kt_extras.testing.problems import branin

LINE = Space([Float("x", 0, 1)])


def search(space, function, trials, *, seed=0, sampler=None):
    sampler, history = sampler or BayesianOptimization(), History(space)
    for number in range(trials):
        point = sampler.suggest(history, space, trial_rng(seed, number))
        history.finish(history.start(point), State.COMPLETED, function(point))
    return history


def parabola(losses_at=(0.0, 0.2, 0.4, 0.6, 0.8, 1.0), best=0.5):
    history = History(LINE)
    for x in losses_at:
        history.finish(history.start({"x": x}), State.COMPLETED, (x - best) ** 2)
    return history


def suggested(history, number=0, **arguments):
    sampler = BayesianOptimization(n_startup_trials=3, **arguments)
    return sampler.suggest(history, history.space, trial_rng(0, number))


def test_optimum_of_a_smooth_function_is_found_in_forty_trials():
    problem = branin()
    history = search(problem.space, problem, 40)
    assert history.losses.min() < problem.optimum + 0.01


def test_integers_choices_and_conditions_are_searched_together():
    wide = (Condition("model", ("wide",)),)
    space = Space(
        [
            Choice("model", ("deep", "wide")),
            Int("units", 1, 200),
            Float("rate", 1e-4, 1, sampling="log", conditions=wide),
        ]
    )

    def loss(point):
        branch = (np.log10(point["rate"]) + 2) ** 2 if point["model"] == "wide" else 1.0
        return abs(point["units"] - 120) / 50 + branch

    history = search(space, loss, 40)
    assert history.losses.min() < 0.05
    random = search(space, loss, 40, sampler=Random())
    assert history.losses.min() < random.losses.min()


def test_suggestion_is_between_the_best_of_a_parabola():
    assert suggested(parabola())["x"] == pytest.approx(0.5, abs=0.02)


def test_suggestions_while_trials_run_are_spread_out():
    history = parabola()
    for number in range(4):
        history.start(suggested(history, number))
    running = np.sort(history.unit[-4:, 0])
    assert np.diff(running).min() > 1e-6
    assert np.ptp(running) > 0.01


def test_only_the_latest_of_many_running_trials_count():
    points, latest = [{"x": x} for x in np.linspace(0.6, 0.9, 240)], None
    for earlier in (points[:40], points[:10]):
        history = parabola()
        for point in [*earlier, *points[40:]]:
            history.start(point)
        latest, before = suggested(history), latest
    assert latest == before


def test_region_of_failures_is_avoided():
    history = parabola(best=0.8)
    for x in np.linspace(0.7, 0.99, 12):
        history.finish(history.start({"x": float(x)}), State.INFEASIBLE, np.inf)
    assert suggested(history)["x"] < 0.7


def test_pruned_trials_keep_suggestions_away():
    history = History(LINE)
    for x in (0.0, 0.3, 0.6):
        number = history.start({"x": x})
        for step in range(3):
            history.report(number, step, 1 - x + 0.1 * (3 - step))
        history.finish(number, State.COMPLETED, 1 - x)
    before = suggested(history)["x"]
    for x in (0.8, 0.9, 1.0):
        number = history.start({"x": x})
        history.report(number, 0, 9.0)
        history.finish(number, State.PRUNED, 9.0)
    assert suggested(history)["x"] < 0.75 < before


def test_every_point_of_a_finite_space_is_tried_once_through_exhaustive():
    space = Space([Choice("act", ("relu", "tanh", "elu")), Int("units", 1, 4)])
    sampler = Exhaustive(BayesianOptimization(n_startup_trials=3))
    history = search(space, lambda point: point["units"], 12, sampler=sampler)
    assert len({tuple(point.items()) for point in history.points}) == 12


@pytest.mark.parametrize("loss", [0.0, 1e300, np.nan])
def test_suggestions_go_on_after_equal_huge_or_missing_losses(loss):
    history = History(LINE)
    for number in range(12):
        point = suggested(history, number)
        history.finish(history.start(point), State.COMPLETED, loss * (1 + number % 2))
    assert len(np.unique(history.unit)) == 12


def test_lower_bound_explores_more_with_a_larger_exploration():
    history = parabola((0.3, 0.45, 0.5, 0.55))
    near, far = suggested(history, exploration=0.0)["x"], suggested(history, exploration=50.0)["x"]
    assert abs(near - 0.5) < 0.1 < abs(far - 0.5)


def test_noise_that_is_given_is_not_fitted():
    history = History(LINE)
    for x in np.linspace(0, 1, 12):
        history.finish(history.start({"x": float(x)}), State.COMPLETED, float(x > 0.9))
    fitted, given = suggested(history)["x"], suggested(history, noise=10.0)["x"]
    assert fitted != given


@pytest.mark.parametrize("noise", [1e-12, None])
def test_suggestion_is_made_when_most_trials_are_next_to_the_optimum(noise):
    rng, space = np.random.default_rng(0), Space([Float("x", 0, 1), Float("y", 0, 1)])
    history = History(space)
    for unit in [*rng.random((10, 2)), *(0.5 + 1e-4 * rng.random((40, 2)))]:
        loss = float(np.sum((unit - 0.5) ** 2))
        history.finish(history.start(space.decode(unit)), State.COMPLETED, loss)
    for number in range(3):
        history.start(suggested(history, number, noise=noise))
    assert len(np.unique(history.unit, axis=0)) == len(history)


@pytest.mark.slow
def test_suggestion_is_made_after_thousands_of_trials():
    space, history = branin().space, History(branin().space)
    for number in range(3000):
        point = Random().suggest(history, space, trial_rng(0, number))
        history.finish(history.start(point), State.COMPLETED, branin()(point))
    point = BayesianOptimization().suggest(history, space, trial_rng(0, 3000))
    assert branin()(point) < np.median(history.losses)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_startup_trials": 0}, "`n_startup_trials` must be an integer from 1, got 0; None is"),
        ({"noise": 0}, "`noise` must be a finite number above 0, got 0; None fits it"),
        ({"exploration": -1}, "`exploration` must be a finite number of at least 0, got -1"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        BayesianOptimization(**arguments)
