import itertools

import numpy as np
import pytest

from kt_extras.samplers import Random
from kt_extras.schedulers import ProgressiveHalving, SuccessiveHalving
from kt_extras.schedulers.progressive_halving import noisy_differences
from kt_extras.schedulers.rungs import NEVER
from kt_extras.search import Float, History, Space, State
from kt_extras.testing.schedulers import SimulatedSearch
from tests.schedulers.searches import by_number, history_of

HALVING = ProgressiveHalving(max_epochs=27)


def history_of_curves(*curves):
    history = History(Space([Float("x", 0, 1)]))
    for number, curve in enumerate(curves):
        history.start({"x": number / len(curves)})
        for step, loss in enumerate(curve):
            history.report(number, step, loss)
        history.finish(number, State.PAUSED, min(curve))
    return history


def rungs_open(*curves):
    return HALVING.open_part(history_of_curves(*curves)).levels


def test_two_rungs_suffice_when_the_order_never_changes():
    history = history_of(HALVING, loss=by_number, max_trials=20)
    assert set(history.epochs) == {1, 3}


def test_trials_train_to_the_end_when_the_order_always_changes():
    def reversed_at_rungs(number, epoch):
        rung = sum(epoch >= level for level in (1, 3, 9, 27))
        return (number if rung % 2 else -number) / 100 - epoch

    progressive = history_of(HALVING, loss=reversed_at_rungs, max_trials=20)
    whole = history_of(SuccessiveHalving(max_epochs=27), loss=reversed_at_rungs, max_trials=20)
    assert progressive.epochs.max() == whole.epochs.max() == 27


def test_next_rung_opens_when_two_trials_change_places():
    assert rungs_open([2, 2, 2], [1, 1, 1]) == (1, 3)
    assert rungs_open([2, 2, 0], [1, 1, 1]) == (1, 3, 9)


def test_next_rung_stays_closed_when_the_trials_differ_by_noise():
    crossing = [1.0, 0.9, 0.8], [0.9, 1.0, 0.7]  # epsilon is .1, the difference at their end
    assert rungs_open(*crossing) == (1, 3)
    assert rungs_open(*crossing, [0.95, 0.6, 0.5]) == (1, 3)
    assert rungs_open(*crossing, [1.5, 0.6, 0.5]) == (1, 3, 9)


def test_epsilon_is_that_of_the_rung_below_when_no_curves_cross_in_the_highest():
    crossing = [1.0, 0.9, 0.8], [0.9, 1.0, 0.7]
    nine = [2.0, 0.5, 0.45, *[0.4] * 5, 0.3], [2.0, 0.5, 0.4, *[0.4] * 5, 0.35]
    assert rungs_open(*nine) == (1, 3, 9, 27)
    assert rungs_open(*nine, *crossing) == (1, 3, 9)


def test_a_rung_remains_open_when_it_was_used():
    assert rungs_open([1, 1, 1, 1]) == (1, 3, 9)
    assert rungs_open([1] * 10) == (1, 3, 9, 27)


def test_failed_trials_are_not_compared():
    history = history_of_curves([2, 2, 0], [1, 1, 1])
    history.finish(0, State.INFEASIBLE, np.inf)
    assert HALVING.open_part(history).levels == (1, 3)


def test_only_trials_that_cannot_be_promoted_need_no_state():
    history = history_of_curves(*([loss] * 3 for loss in range(7)))
    assert HALVING.needed(history, max_trials=7).tolist() == [3, 3, *[NEVER] * 5]


def test_the_plan_has_the_rungs_that_are_open_at_first():
    assert [rung.epochs for rung in HALVING.plan(20)] == [1, 3]
    assert [rung.epochs for rung in ProgressiveHalving(9, 9).plan(20)] == [9]
    assert HALVING.plan(None) == []


def test_differences_are_noisy_when_curves_cross_twice():
    curves = np.array([[3.0, 2.0, 1.0], [2.9, 2.1, 0.8], [3.1, 2.2, 0.7], [0.0, 0.0, 0.0]])
    assert noisy_differences(curves).tolist() == pytest.approx([0.2])


def test_noise_is_that_of_finite_curves_where_all_have_a_loss():
    crossing = [[3.0, np.nan, 2.0, 1.0], [2.9, 2.5, 2.1, 0.8]]
    curves = np.array([*crossing, [3.0, 2.0, np.inf, 0.5]])
    assert noisy_differences(curves).tolist() == pytest.approx([0.2])
    assert not len(noisy_differences(curves[:1]))
    assert not len(noisy_differences(np.full((2, 1), np.inf)))


def test_rungs_are_the_same_when_a_running_trial_has_diverged():
    history = history_of_curves([2, 2, 0], [1, 1, 1], [3, 3, 3])
    before = HALVING.open_part(history).levels
    history.report(history.start({"x": 0.9}), 0, np.nan)
    assert HALVING.open_part(history).levels == before


def test_rungs_do_not_depend_on_trial_numbers_when_losses_tie():
    for curves in itertools.permutations([[3, 2, 1], [2, 2, 1], [1, 2, 1]]):
        assert rungs_open(*curves) == (1, 3)


def test_curves_that_meet_do_not_cross():
    meeting = np.array([[3, 2, 3, 1], [2, 2, 2, 0]])
    crossing = np.array([[3, 2, 1, 2, 3], [2, 2, 2, 2, 2]])
    for order in ([0, 1], [1, 0]):
        assert not len(noisy_differences(meeting[order]))
        assert len(noisy_differences(crossing[order]))


def test_fewer_epochs_are_trained_than_by_successive_halving():
    def noisy(number, epoch):
        return number * 7 % 41 + np.random.default_rng([number, epoch]).random() + 5 / epoch

    searches = [
        SimulatedSearch(scheduler, noisy, max_trials=40)
        for scheduler in (HALVING, SuccessiveHalving(max_epochs=27))
    ]
    for search in searches:
        search.run()
    few, many = (int(search.history.epochs.sum()) for search in searches)
    assert few < 0.7 * many


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_epochs": 0}, "`max_epochs` must be an integer from 1"),
        ({"min_epochs": 28}, "`min_epochs` must not be above `max_epochs`"),
        ({"reduction_factor": 1}, "`reduction_factor` must be an integer from 2"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProgressiveHalving(**{"max_epochs": 27, **arguments})


def test_a_forecaster_is_checked():
    with pytest.raises(TypeError, match="`forecaster`"):
        ProgressiveHalving(max_epochs=9, forecaster=Random())
