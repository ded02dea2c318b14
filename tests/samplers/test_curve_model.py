"""The curve model observes every trial at every level and predicts the end of training."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kt_extras.samplers.curve_model import CurveModel, observations
from kt_extras.search import Choice, Condition, Float, History, Space, State, trial_rng
from tests import strategies

LINE = Space([Float("x", 0, 1)])


def history_of(space, trials):
    """Return a history of (point, state, losses by epoch)."""
    history = History(space)
    for point, state, curve in trials:
        number = history.start(point)
        for step, loss in enumerate(curve):
            history.report(number, step, loss)
        if state != State.RUNNING:
            history.finish(number, state, min(curve, default=math.inf))
    return history


def slow_and_fast(n=40):
    """Return curves of which the better at first is the worse in the end, most of them short."""
    trials = []
    for number, x in enumerate(np.random.default_rng(0).random(n)):
        epochs = 9 if number % 3 == 0 else 1
        curve = [(1 - x) * 0.9**step + x * 1.5 * 0.6**step for step in range(epochs)]
        state = State.COMPLETED if epochs == 9 else State.PAUSED
        trials.append(({"x": float(x)}, state, curve))
    return history_of(LINE, trials)


def rows(history):
    return sorted(zip(*(column.tolist() for column in observations(history)), strict=True))


def test_curve_is_observed_at_every_level_it_reached_and_at_its_end():
    curve = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    running = ({"x": 0.1}, State.RUNNING, curve[:4])
    history = history_of(LINE, [({"x": 0.5}, State.PAUSED, curve), running])
    expected = [(0, 1, 8.0), (0, 3, 6.0), (0, 9, 0.0), (1, 1, 8.0), (1, 3, 6.0), (1, 4, 5.0)]
    assert rows(history) == expected


def test_observed_loss_is_the_lowest_so_far():
    history = history_of(LINE, [({"x": 0.5}, State.PAUSED, [1.0, 2.0, 3.0])])
    assert rows(history) == [(0, 1, 1.0), (0, 3, 1.0)]


def test_loss_of_a_trial_completed_early_counts_at_the_end_too():
    long = ({"x": 0.1}, State.PAUSED, [3.0, 2.0, 1.0])
    history = history_of(LINE, [({"x": 0.5}, State.COMPLETED, [4.0]), long])
    assert rows(history)[:2] == [(0, 1, 4.0), (0, 3, 4.0)]


def test_loss_of_a_failed_trial_is_infinite_at_all_levels():
    long = ({"x": 0.1}, State.PAUSED, [3.0, 2.0, 1.0])
    history = history_of(LINE, [({"x": 0.5}, State.INFEASIBLE, [0.1]), long])
    assert rows(history)[:2] == [(0, 1, math.inf), (0, 3, math.inf)]


def test_trials_without_curves_are_observed_at_the_end():
    history = history_of(LINE, [({"x": 0.5}, State.COMPLETED, []), ({"x": 0.1}, State.RUNNING, [])])
    history.finish(0, State.COMPLETED, 2.0)
    assert rows(history) == [(0, 1, 2.0)]


def test_low_end_is_predicted_for_a_curve_that_starts_high():
    history = slow_and_fast()
    model = CurveModel.of(history, trial_rng(0, 0))
    mean, _ = model.at_points(np.array([[0.05], [0.95]]))
    assert history.best_by(1)[history.unit[:, 0].argmax()] > history.best_by(1).min()
    assert mean[1] < mean[0]


def test_predictions_depend_on_the_order_of_losses_alone():
    history = slow_and_fast()
    stretched = history_of(
        LINE,
        [
            (point, State(state), np.exp(5 * history.curve(number).losses).tolist())
            for number, (point, state) in enumerate(
                zip(history.points, history.states, strict=True)
            )
        ],
    )
    grid = np.linspace(0, 1, 5)[:, None]
    models = [CurveModel.of(past, trial_rng(0, 0)) for past in (history, stretched)]
    assert np.allclose(models[0].at_points(grid), models[1].at_points(grid))


def test_prediction_is_worse_near_a_trial_that_has_just_begun():
    history = slow_and_fast()
    before, _ = CurveModel.of(history, trial_rng(0, 0)).at_points(np.array([[0.95], [0.05]]))
    history.start({"x": 0.95})
    after, _ = CurveModel.of(history, trial_rng(0, 0)).at_points(np.array([[0.95], [0.05]]))
    assert after[0] > before[0] + 0.1
    assert after[1] == pytest.approx(before[1], abs=0.1)


def test_predictions_differ_between_options_and_branches():
    in_b = (Condition("kind", ("b",)),)
    space = Space([Choice("kind", ("a", "b", "c")), Float("x", 0, 1, conditions=in_b)])
    history, loss = History(space), {"a": 1.0, "b": 0.0, "c": 2.0}
    for number in range(30):
        point = space.decode(np.random.default_rng(number).random(2))
        history.finish(history.start(point), State.COMPLETED, loss[point["kind"]])
    model = CurveModel.of(history, trial_rng(0, 0))
    mean, _ = model.at_points(np.array([[1 / 6, np.nan], [0.5, 0.5], [5 / 6, np.nan]]))
    assert np.argsort(mean).tolist() == [1, 0, 2]


def test_model_is_none_without_observations():
    assert (
        CurveModel.of(history_of(LINE, [({"x": 0.5}, State.RUNNING, [])]), trial_rng(0, 0)) is None
    )


@st.composite
def histories(draw):
    space = draw(strategies.spaces())
    history = History(space)
    for number in range(draw(st.integers(1, 12))):
        history.start(space.decode(draw(strategies.places(space))))
        for step, loss in enumerate(draw(strategies.reports)):
            history.report(number, step, loss)
        if (state := draw(st.sampled_from(State))) != State.RUNNING:
            history.finish(number, state, history.curve(number).best)
    return history


@given(history=histories())
@hypothesis_settings(max_examples=40, deadline=None)
def test_predictions_are_finite_for_any_history(history):
    model = CurveModel.of(history, trial_rng(0, 0))
    mean, deviation = model.at_points(history.unit)
    assert np.isfinite(mean).all()
    assert (deviation >= 0).all()
