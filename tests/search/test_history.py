import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.search import (
    Choice,
    Condition,
    Curve,
    Curves,
    Float,
    History,
    Int,
    Observation,
    Space,
    State,
)
from kt_extras.search.history import ELSEWHERE
from tests.strategies import reports

SPACE = Space([Float("x", 0, 1)])


def history_of(*losses, state=State.COMPLETED):
    history = History(SPACE)
    for number, loss in enumerate(losses):
        history.start({"x": number / len(losses)})
        history.finish(number, state, loss)
    return history


def test_point_stays_tried_when_one_of_its_two_trials_moves():
    history = History(SPACE)
    for _ in range(2):
        history.start({"x": 0.5})
    history.move(1, {"x": 0.7})
    assert history.tried({"x": 0.5})
    assert history.tried({"x": 0.7})
    history.move(0, {"x": 0.7})
    assert not history.tried({"x": 0.5})


def test_trial_is_running_with_an_infinite_loss_after_start():
    history = History(SPACE)
    assert history.start({"x": 0.5}) == 0
    assert history.states.tolist() == [State.RUNNING]
    assert history.losses.tolist() == [math.inf]


def test_observations_equal_the_columns():
    history = history_of(3.0, math.nan, 1.0)
    assert [observation.loss for observation in history] == history.losses.tolist()
    assert [observation.point for observation in history] == list(history.points)
    assert isinstance(history[-1], Observation)
    assert history[-1].loss == 1.0
    assert [o.loss for o in history[1:]] == [math.inf, 1.0]


@pytest.mark.parametrize("number", [2, -3])
def test_index_error_is_raised_beyond_the_last_observation(number):
    with pytest.raises(IndexError):
        history_of(1.0, 2.0)[number]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_loss_is_infinite_when_not_finite(loss):
    history = history_of(loss)
    history.report(0, 0, loss)
    assert history.losses.tolist() == [math.inf]
    assert history.curve(0).losses.tolist() == [math.inf]


def test_tried_is_true_for_the_points_of_trials():
    history = history_of(1.0)
    assert history.tried({"x": 0.0})
    assert not history.tried({"x": 0.5})
    assert {"x": 0.0} in history
    assert "x" not in history


def test_history_is_unchanged_when_a_given_point_is_changed():
    history, point = History(SPACE), {"x": 0.25}
    history.start(point)
    point["x"] = 0.75
    assert history.points[0] == {"x": 0.25}


def test_point_of_a_trial_is_replaced_after_move():
    history = history_of(1.0, 2.0)
    history.move(0, {"x": 0.75})
    assert history.unit[:, 0].tolist() == [0.75, 0.5]
    assert history.tried({"x": 0.75})


def test_epochs_without_a_report_are_nan_and_keep_the_best():
    history = history_of(1.0)
    for step, loss in ((1, 3.0), (4, 5.0)):
        history.report(0, step, loss)
    curve = history.curve(0)
    np.testing.assert_equal(curve.losses, [math.nan, 3.0, math.nan, math.nan, 5.0])
    assert curve.reported.tolist() == [3.0, 5.0]
    assert (curve.step, curve.best) == (4, 3.0)
    rivals = history.curves(State.COMPLETED)
    assert [rivals.best_by(step).tolist() for step in range(6)] == [
        [math.inf], [3.0], [3.0], [3.0], [3.0], []
    ]  # fmt: skip


def test_last_loss_counts_when_an_epoch_is_reported_again():
    history = history_of(1.0)
    for step, loss in ((0, 5.0), (1, 4.0), (2, 1.0), (0, 6.0), (2, 2.0)):
        history.report(0, step, loss)
    rivals = history.curves(State.COMPLETED)
    assert [rivals.best_by(step).tolist() for step in range(3)] == [[6.0], [4.0], [2.0]]
    assert rivals.best == history.curve(0).best == 2.0


@given(curves=st.lists(reports, max_size=6))
def test_best_by_is_the_lowest_loss_up_to_the_epoch(curves):
    rivals = Curves.of(curves)
    for step in range(7):
        expected = [min(losses[: step + 1]) for losses in curves if len(losses) > step]
        assert rivals.best_by(step).tolist() == expected
    assert rivals.best == min((min(losses) for losses in curves), default=math.inf)
    assert rivals.best == min((curve.best for curve in rivals), default=math.inf)


def test_slice_of_curves_is_curves():
    rivals = Curves.of([[3.0, 1.0], [2.0], [0.5]], sign=-1.0)
    assert [curve.best for curve in rivals[1:]] == [2.0, 0.5]
    assert rivals[:2].best == 1.0
    assert rivals[-1].sign == -1.0
    with pytest.raises(IndexError):
        rivals[3]


def test_best_is_infinite_before_the_first_epoch():
    assert Curve(np.empty(0)).best == math.inf
    assert Curve(np.empty(0)).step == -1


def test_curves_of_a_state_are_those_of_its_trials():
    history = History(SPACE)
    for number, state in enumerate((State.COMPLETED, State.PRUNED, State.COMPLETED)):
        history.start({"x": 0.1})
        history.report(number, 0, float(number))
        history.finish(number, state, float(number))
    assert history.curves(State.COMPLETED).best_by(0).tolist() == [0.0, 2.0]
    assert history.curves(State.PRUNED).best_by(0).tolist() == [1.0]
    assert len(history.curves(State.INFEASIBLE)) == 0


def test_curve_is_empty_after_restart():
    history = history_of(1.0)
    history.report(0, 3, 1.0)
    history.restart(0)
    assert history.curve(0).step == -1
    assert history.states.tolist() == [State.RUNNING]
    assert history.epochs.tolist() == [0]


def test_epochs_are_the_numbers_of_reported_epochs():
    history = history_of(1.0, 2.0, 3.0)
    history.report(1, 4, 1.0)
    assert history.epochs.tolist() == [0, 5, 0]


def test_history_is_kept_when_moved_to_a_larger_space():
    history = history_of(1.0, 2.0)
    history.report(1, 0, 2.0)
    larger = Space([Int("n", 1, 4), Float("x", 0, 1)])
    moved = history.moved_to(larger)
    np.testing.assert_equal(moved.unit, [[math.nan, 0.0], [math.nan, 0.5]])
    assert moved.losses.tolist() == [1.0, 2.0]
    assert moved.states.tolist() == history.states.tolist()
    assert moved.curve(1).losses.tolist() == [2.0]
    assert moved.start({"n": 1, "x": 0.0}) == 2
    assert len(history) == 2


def test_trials_are_kept_when_moved_to_a_smaller_space():
    space = Space([Choice("act", ("relu", "tanh")), Float("x", 0, 1)])
    history = History(space)
    history.start({"act": "tanh", "x": 0.5})
    moved = history.moved_to(Space([Choice("act", ("relu", "elu"))]))
    np.testing.assert_equal(moved.unit, [[math.nan]])
    assert moved.points == [{"act": "tanh", "x": 0.5}]


def test_coordinates_are_nan_when_dimensions_are_inactive():
    deep = Condition("act", ("tanh",))
    history = History(
        Space([Choice("act", ("relu", "tanh")), Float("x", 0, 1, conditions=(deep,))])
    )
    history.start({"act": "relu"})
    np.testing.assert_equal(history.unit, [[0.25, math.nan]])


def seconds_per_trial(trials):
    best = math.inf
    for _ in range(3):
        history, began = History(SPACE), time.perf_counter()
        for number in range(trials):
            history.start({"x": 0.5})
            history.report(number, 0, 1.0)
            history.finish(number, State.COMPLETED, 1.0)
        best = min(best, time.perf_counter() - began)
    return best / trials


def test_time_of_a_trial_does_not_grow_with_the_history():
    assert seconds_per_trial(4000) < 4 * seconds_per_trial(250)


def test_trial_without_reports_can_be_restarted():
    history = history_of(1.0)
    history.restart(0)
    assert history.epochs.tolist() == [0]
    assert history.losses.tolist() == [math.inf]


def test_curves_are_shorter_in_a_history_that_is_cut():
    history = history_of(math.inf, math.inf, state=State.RUNNING)
    for number, step, loss in [(0, 0, 0.5), (0, 1, 0.1), (1, 0, 0.4)]:
        history.report(number, step, loss)
    cut = history.cut_to(np.array([1, 1]))
    assert cut.epochs.tolist() == [1, 1]
    assert cut.best_by(9).tolist() == [0.5, 0.4]
    assert [curve.losses.tolist() for curve in cut.curves(State.RUNNING)] == [[0.5], [0.4]]
    assert history.epochs.tolist() == [2, 1]
    assert history.best_by(9).tolist() == [0.1, 0.4]


def test_trials_of_elsewhere_are_compared_at_the_longest_budget():
    history = History(SPACE)
    for losses, bracket in [([], ELSEWHERE), ([0.5, 0.4, 0.1], ELSEWHERE), ([0.7], 0)]:
        number = history.start({"x": 0.5}, bracket)
        for step, loss in enumerate(losses):
            history.report(number, step, loss)
        history.finish(number, State.COMPLETED if bracket else State.PAUSED, min(losses or [0.2]))
    whole = int(history.budgets[0])
    assert whole > 10**9
    assert history.budgets.tolist() == [whole, 3, 1]
    assert history.at(whole).losses.tolist() == [0.2]
    history.resume(2)
    history.report(2, 1, 0.3)
    history.finish(2, State.COMPLETED, 0.3)
    assert history.budgets.tolist() == [2, 2, 2]
    assert history.at(2).losses.tolist() == [0.2, 0.4, 0.3]
