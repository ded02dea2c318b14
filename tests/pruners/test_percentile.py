import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.pruners import MedianPruner, PercentilePruner
from kt_extras.search import Curve, Curves, History, Space, State
from tests.strategies import curve, rivals

FIVE = Curves.of([[0.1], [0.2], [0.3], [0.4], [0.5]])


def stops(pruner, losses, rivals=FIVE):
    return pruner.should_stop(Curve(np.array(losses, dtype=float)), rivals)


@pytest.mark.parametrize(
    ("percentile", "last_kept"), [(0, 0.1), (25, 0.2), (50, 0.3), (75, 0.4), (100, 0.5)]
)
def test_trial_is_stopped_when_strictly_worse_than_the_percentile(percentile, last_kept):
    assert not stops(PercentilePruner(percentile), [last_kept])
    assert stops(PercentilePruner(percentile), [last_kept + 1e-6])


@given(
    theirs=st.lists(st.floats(-10, 10), min_size=1, max_size=20),
    percentile=st.floats(0, 100),
    loss=st.floats(-10, 10),
)
def test_percentile_equals_that_of_numpy(theirs, percentile, loss):
    pruner = PercentilePruner(percentile, n_startup_trials=0)
    cutoff = np.percentile(theirs, percentile)
    if abs(loss - cutoff) > 1e-9:
        assert stops(pruner, [loss], Curves.of([[x] for x in theirs])) == (loss > cutoff)


def test_quarter_of_the_trials_is_kept_with_25():
    losses = np.arange(101.0)
    rivals = Curves.of([[x] for x in losses])
    kept = [x for x in losses if not stops(PercentilePruner(25), [x], rivals)]
    assert kept == list(range(26))


def test_best_losses_so_far_are_compared():
    theirs = Curves.of([[0.3, 9.0]] * 5)
    assert not stops(MedianPruner(), [0.2, 8.0], theirs)
    assert stops(MedianPruner(), [0.4, 8.0], theirs)


def test_later_losses_of_rivals_do_not_count():
    theirs = Curves.of([[0.5, 0.1]] * 5)
    assert not stops(MedianPruner(), [0.4], theirs)
    assert stops(MedianPruner(), [0.4, 0.4], theirs)


def test_rival_does_not_count_beyond_its_last_epoch():
    theirs = Curves.of([[0.1]] * 5 + [[0.9, 0.9]])
    assert not stops(MedianPruner(), [0.8, 0.8], theirs)


@pytest.mark.parametrize("n", [0, 4, 5, 6])
def test_trial_is_not_stopped_before_n_startup_trials_have_ended(n):
    theirs = Curves.of([[0.1]] * n)
    assert stops(MedianPruner(n_startup_trials=5), [0.9], theirs) == (n >= 5)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_trial_is_not_stopped_where_fewer_than_n_min_trials_arrived(n):
    theirs = Curves.of([[0.1]] * 5 + [[0.1, 0.1]] * n)
    assert stops(MedianPruner(n_min_trials=2), [0.9, 0.9], theirs) == (n >= 2)


def test_one_rival_is_enough_with_n_startup_trials_0():
    assert stops(MedianPruner(n_startup_trials=0), [0.9], Curves.of([[0.1]]))
    assert not stops(MedianPruner(n_startup_trials=0), [math.inf], Curves.of([]))


@pytest.mark.parametrize("warmup", [0, 1, 3])
def test_trial_is_stopped_only_after_the_warm_up(warmup):
    theirs = Curves.of([[0.1] * 6] * 5)
    pruner = MedianPruner(n_warmup_steps=warmup)
    answers = [stops(pruner, [0.9] * epochs, theirs) for epochs in range(1, 7)]
    assert answers == [epochs > warmup for epochs in range(1, 7)]


def test_one_epoch_of_each_interval_is_compared_after_the_warm_up():
    theirs = Curves.of([[0.1] * 9] * 5)
    pruner = MedianPruner(n_warmup_steps=1, interval_steps=3)
    compared = [epoch for epoch in range(9) if stops(pruner, [0.9] * (epoch + 1), theirs)]
    assert compared == [1, 4, 7]


def test_interval_is_compared_at_its_first_report():
    theirs = Curves.of([[0.1] * 9] * 5)
    gap = math.nan
    losses = [gap, 0.9, gap, 0.9, gap, 0.9, gap, 0.9]  # `validation_freq=2`
    pruner = MedianPruner(interval_steps=3)
    compared = [epoch for epoch in range(8) if stops(pruner, losses[: epoch + 1], theirs)]
    assert compared == [1, 3, 7]


def test_trial_is_not_stopped_at_an_epoch_without_a_report():
    assert not stops(MedianPruner(), [0.9, math.nan], Curves.of([[0.1, 0.1]] * 5))


def test_best_loss_of_rivals_holds_between_their_validations():
    history = History(Space([]))
    for number in range(5):
        history.start({})
        history.report(number, 1, 0.3)
        history.report(number, 3, 0.1)
        history.finish(number, State.COMPLETED, 0.1)
    theirs = history.curves(State.COMPLETED)
    assert stops(MedianPruner(), [0.4, 0.4, 0.4], theirs)
    assert not stops(MedianPruner(), [0.2, 0.2, 0.2], theirs)


def test_trial_without_a_finite_loss_is_stopped_among_such_rivals():
    theirs = Curves.of([[math.inf]] * 5)
    assert stops(MedianPruner(), [math.inf], theirs)
    assert not stops(MedianPruner(), [1e300], theirs)


def test_good_trial_is_not_stopped_after_one_infinite_loss():
    assert not stops(MedianPruner(), [0.1, math.inf], Curves.of([[0.3, 0.3]] * 5))


def test_percentile_is_finite_with_some_infinite_rivals():
    theirs = Curves.of([[0.1], [0.2], [0.3], [math.inf], [math.inf]])
    assert stops(MedianPruner(), [0.31], theirs)
    assert not stops(MedianPruner(), [0.3], theirs)
    assert not stops(PercentilePruner(60), [1e300], theirs)


@given(curve=curve, rivals=rivals)
def test_median_pruner_equals_the_pruner_of_the_50th_percentile(curve, rivals):
    median, percentile = MedianPruner(2), PercentilePruner(50, 2)
    assert median.should_stop(curve, rivals) == percentile.should_stop(curve, rivals)


@given(curve=curve, rivals=rivals, low=st.floats(0, 100), high=st.floats(0, 100))
def test_fewer_trials_are_stopped_with_a_higher_percentile(curve, rivals, low, high):
    low, high = sorted((low, high))
    if PercentilePruner(high, 0).should_stop(curve, rivals):
        assert PercentilePruner(low, 0).should_stop(curve, rivals)


def test_answer_takes_less_than_2_ms_with_ten_thousand_rivals():
    losses = np.random.default_rng(0).random((10_000, 50))
    lengths, rows = np.full(10_000, 50), np.arange(10_000)
    theirs = Curves(losses, np.minimum.accumulate(losses, axis=1), lengths, rows, 1.0)
    seconds = []
    for _ in range(9):
        began = time.perf_counter()
        assert stops(MedianPruner(), [0.9] * 40, theirs)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 2e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"percentile": 101}, "`percentile` must lie between 0 and 100, got 101"),
        ({"percentile": math.nan}, "`percentile` must lie between 0 and 100, got nan"),
        ({"n_startup_trials": -1}, "`n_startup_trials` must be an integer from 0, got -1"),
        ({"n_warmup_steps": 1.5}, "`n_warmup_steps` must be an integer from 0, got 1.5"),
        ({"interval_steps": 0}, "`interval_steps` must be an integer from 1, got 0"),
        ({"n_min_trials": True}, "`n_min_trials` must be an integer from 1, got True"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        PercentilePruner(**{"percentile": 50, **arguments})
