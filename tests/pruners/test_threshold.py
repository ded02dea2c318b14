import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.pruners import ThresholdPruner
from kt_extras.search import Curve, Curves
from tests.strategies import reports

NO_RIVALS = Curves.of([])
GOOD_RIVAL = Curves.of([[-99.0]])


def stops(pruner, values, sign=1.0, rivals=NO_RIVALS):
    return pruner.should_stop(Curve(sign * np.array(values, dtype=float), sign), rivals)


def test_trial_is_stopped_when_accuracy_is_below_the_lower_bound():
    accuracy = ThresholdPruner(lower=0.2)
    assert stops(accuracy, [0.19], sign=-1.0)
    assert not stops(accuracy, [0.2], sign=-1.0)
    assert not stops(accuracy, [0.99], sign=-1.0)


def test_trial_is_stopped_when_loss_is_above_the_upper_bound():
    loss = ThresholdPruner(upper=10)
    assert stops(loss, [10.1])
    assert not stops(loss, [10])
    assert not stops(loss, [-5])


@given(value=st.floats(-5, 5), sign=st.sampled_from([-1.0, 1.0]))
def test_bounds_are_values_of_the_objective_with_either_sign(value, sign):
    assert stops(ThresholdPruner(-1, 2), [value], sign) == (not -1 <= value <= 2)


@pytest.mark.parametrize("loss", [math.inf, -math.inf])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("bounds", [{"lower": -1e300}, {"upper": 1e300}])
def test_trial_is_stopped_when_its_value_is_not_finite(loss, sign, bounds):
    assert stops(ThresholdPruner(**bounds), [loss], sign)


def test_only_the_last_value_is_compared():
    assert not stops(ThresholdPruner(upper=1), [5, 0.5], rivals=GOOD_RIVAL)
    assert stops(ThresholdPruner(upper=1), [0.5, 5], rivals=GOOD_RIVAL)


def test_trial_is_not_stopped_when_as_good_as_the_best_rival():
    rivals = Curves.of([[0.5], [0.7]])
    assert not stops(ThresholdPruner(upper=1), [0.5, 5], rivals=rivals)
    assert stops(ThresholdPruner(upper=1), [0.6, 5], rivals=rivals)


def test_trial_with_a_finite_loss_is_kept_when_all_rivals_failed():
    failed = Curves.of([[math.inf]])
    assert not stops(ThresholdPruner(upper=1), [5], rivals=failed)
    assert stops(ThresholdPruner(upper=1), [math.inf], rivals=failed)


def test_trial_is_stopped_once_in_an_interval_after_the_warm_up():
    pruner = ThresholdPruner(upper=1, n_warmup_steps=2, interval_steps=2)
    assert [n for n in range(8) if stops(pruner, [5] * (n + 1))] == [2, 4, 6]


@given(losses=reports)
def test_trial_is_still_stopped_with_a_larger_loss(losses):
    worse = [*losses[:-1], losses[-1] + 1]
    for sign, pruner in ((1.0, ThresholdPruner(upper=1)), (-1.0, ThresholdPruner(lower=-1))):
        curve, other = (Curve(np.array(x), sign) for x in (losses, worse))
        if pruner.should_stop(curve, GOOD_RIVAL):
            assert pruner.should_stop(other, GOOD_RIVAL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`lower` or `upper` must be given, got neither"),
        ({"lower": 2, "upper": 1}, "`lower` must be a number that does not exceed `upper`, got 2"),
        ({"lower": math.nan}, "`lower` must be a number"),
        ({"upper": 1, "n_warmup_steps": -1}, "`n_warmup_steps` must be an integer from 0"),
        ({"upper": 1, "interval_steps": 0}, "`interval_steps` must be an integer from 1"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        ThresholdPruner(**arguments)
