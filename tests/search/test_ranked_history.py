"""Laws of a history whose trials are compared by several objectives or constraints."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kt_extras.pruners import PatientPruner
from kt_extras.search import Float, History, Space, State
from kt_extras.search.outcome import Goals, OutcomeConstraint, Target

TWO = Goals((Target("error", "min"), Target("size", "min")))
SPACE = Space([Float("x", 0, 1)])


def history_of(rows: list[list[list[float]]], goals: Goals = TWO) -> History:
    """Return a history of completed trials: for each its outcomes by epoch, without violations."""
    history = History(SPACE, goals=goals)
    for curve in rows:
        number = history.start({"x": 0.5})
        outcomes = [np.array([*row, 0.0]) for row in curve]
        for step, outcome in enumerate(outcomes):
            history.report(number, step, outcome[0], outcome)
        best = min(outcomes, key=lambda outcome: outcome[0])
        history.finish(number, State.COMPLETED, best[0], best)
    return history


def test_ranked_losses_follow_dominance():
    ranked = history_of([[[3, 3]], [[1, 2]], [[2, 1]], [[4, 4]]]).ranked()
    assert max(ranked.losses[[1, 2]]) < ranked.losses[0] < ranked.losses[3]


def test_targets_are_the_losses_of_the_best_epoch():
    history = history_of([[[3, 5], [1, 7], [2, 1]]])
    assert history.targets.tolist() == [[1, 7]]
    assert history.n_objectives == 2


def test_failed_and_running_trials_have_no_targets():
    history = history_of([[[1, 1]]])
    history.start({"x": 0.1})
    history.finish(history.start({"x": 0.2}), State.INFEASIBLE, math.inf)
    assert history.targets[1:].tolist() == [[math.inf] * 2] * 2
    assert history.ranked().losses.tolist() == [0, math.inf, math.inf]


def test_one_objective_without_goals_is_left_as_it_is():
    history = History(SPACE)
    history.finish(history.start({"x": 0.5}), State.COMPLETED, 2.0)
    assert history.ranked() is history
    assert history.targets.tolist() == [[2.0]]
    assert history.violations.tolist() == [0.0]


def test_a_violated_constraint_ranks_behind_every_feasible_trial():
    goals = Goals((Target("error", "min"),), (OutcomeConstraint.parse("size <= 10"),))
    history = History(SPACE, goals=goals)
    for error, size in [(0.1, 20.0), (0.5, 10.0), (0.2, 11.0), (0.4, 5.0)]:
        outcome = goals.outcome({"error": error, "size": size})
        history.finish(history.start({"x": 0.5}), State.COMPLETED, error, outcome)
    assert np.argsort(history.ranked().losses).tolist() == [3, 1, 2, 0]
    assert history.n_objectives == 1


def test_best_by_ranks_trials_by_their_first_epochs():
    history = history_of([[[5, 5], [1, 1]], [[2, 2], [2, 2]], [[9, 9]]])
    assert np.argsort(history.ranked().best_by(1)).tolist() == [1, 0, 2]
    assert np.argsort(history.ranked().best_by(2)).tolist() == [0, 1, 2]


def test_a_curve_has_the_rank_at_each_epoch():
    ranked = history_of([[[5, 5], [1, 1]], [[2, 2], [2, 2]]]).ranked()
    assert ranked.curve(0).losses.tolist() == [1, 0]
    assert ranked.curve(0).best == 0
    assert ranked.curves(State.COMPLETED).best_by(0).tolist() == [1, 0]


def test_a_later_report_changes_the_ranks_of_its_epoch():
    history = history_of([[[5, 5]], [[2, 2]]])
    assert history.ranked().curve(0).losses.tolist() == [1]
    number = history.start({"x": 0.5})
    history.report(number, 0, 9.0, np.array([9.0, 9.0, 0.0]))
    history.report(number, 0, 1.0, np.array([1.0, 1.0, 0.0]))  # again, as after a restart
    assert history.ranked().curve(0).losses.tolist() == [2]
    assert history.ranked().curve(number).losses.tolist() == [0]


def test_a_metric_that_is_not_measured_keeps_its_last_value():
    history = history_of([[[5, 2], [4, math.inf]], [[4.5, 3], [4.5, 3]]])
    assert history.targets[0].tolist() == [4, math.inf]
    assert history.at(2).targets[0].tolist() == [4, 2]


def test_a_restart_forgets_the_outcomes_behind_what_is_kept():
    history = history_of([[[5, 5], [1, 1]], [[2, 2], [2, 2]]])
    history.ranked().curve(0)
    history.restart(0, kept=1)
    assert history.ranked().curve(0).losses.tolist() == [1]
    assert history.ranked().best_by(2).tolist() == [1, 0]


def test_at_a_budget_targets_are_those_of_the_best_epoch_until_then():
    history = history_of([[[5, 5], [1, 1]], [[2, 2], [2, 2]]])
    assert history.ranked().at(1).targets.tolist() == [[5, 5], [2, 2]]


def test_a_weighted_sum_scales_each_objective():
    goals = Goals((Target("error", "min"), Target("size", "min")), weights=(1.0, 1.0))
    history = history_of([[[0.0, 1000]], [[0.1, 0]], [[1.0, 500]]], goals)
    assert history.n_objectives == 1
    assert np.argsort(history.ranked().losses).tolist() == [1, 0, 2]


def test_moving_to_another_space_keeps_the_outcomes():
    history = history_of([[[1, 2]], [[2, 1]]])
    moved = history.moved_to(Space([Float("x", 0, 2)]))
    assert moved.targets.tolist() == history.targets.tolist()


@pytest.mark.parametrize(
    "given", ["val_recall", "a >= b", ("a", "==", 1), ("a", "<="), 5, "a <= inf"]
)
def test_what_is_no_constraint_is_refused(given):
    with pytest.raises(ValueError, match="constraints"):
        OutcomeConstraint.parse(given)


def test_a_constraint_is_shown_as_it_is_written():
    assert str(OutcomeConstraint.parse(("latency", "<=", 0.005))) == "latency <= 0.005"
    assert str(OutcomeConstraint.parse(" val_recall>=0.9")) == "val_recall >= 0.9"


def test_a_strict_constraint_does_not_hold_at_its_bound():
    assert OutcomeConstraint.parse("a < 1").violation({"a": 1.0}) > 0
    assert OutcomeConstraint.parse("a <= 1").violation({"a": 1.0}) == 0


def test_a_missing_metric_violates_a_constraint():
    assert OutcomeConstraint.parse("a < 1").violation({}) == math.inf


def test_curves_are_ranked_where_a_later_trial_reports_every_third_epoch():
    history = History(SPACE, goals=TWO)
    for loss in range(20, 0, -1):  # more than there is room for at first
        number = history.start({"x": 0.5})
        history.report(number, 2, loss, np.array([loss, loss, 0.0]))
        assert history.ranked().curve(number).best == 0
        history.finish(number, State.COMPLETED, loss, np.array([loss, loss, 0.0]))
    assert not np.isnan(history.ranked().curves(State.COMPLETED).best_by(1)).any()


def test_a_trial_that_gets_better_is_not_taken_for_stalled():
    history = History(SPACE, goals=TWO)
    number = history.start({"x": 0.5})
    for step in range(6):
        history.report(number, step, 1 / (step + 1), np.array([1 / (step + 1), 1.0, 0.0]))
    ranked = history.ranked()
    curves = ranked.curve(number), ranked.curves(State.COMPLETED)
    assert not PatientPruner(patience=2).should_stop(*curves)
    for step in range(6, 8):
        history.report(number, step, 1.0, np.array([1.0, 1.0, 0.0]))
    assert PatientPruner(patience=2).should_stop(history.ranked().curve(number), curves[1])


@pytest.mark.parametrize("bound", [0.1, 1234567.0, 1 / 3, -2e-9])
def test_the_text_of_a_constraint_has_its_whole_bound(bound):
    constraint = OutcomeConstraint("parameters", "<=", bound)
    assert OutcomeConstraint.parse(str(constraint)) == constraint
