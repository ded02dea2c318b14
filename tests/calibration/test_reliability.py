import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from kt_extras.calibration import expected_calibration_error
from kt_extras.calibration.reliability import reliability
from kt_extras.calibration.sample import check_sample
from kt_extras.metrics import ExpectedCalibrationError

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_the_error_worked_out_by_hand():
    # Bins of width 1/2: {.1, .3} is right once in two, at .2 on average; {.8} is right.
    error = expected_calibration_error([0, 1, 1], [0.1, 0.3, 0.8], n_bins=2, of="positive")
    assert error == pytest.approx((2 * abs(0.2 - 0.5) + abs(0.8 - 1)) / 3)


def test_the_adaptive_error_worked_out_by_hand():
    # Two bins of two rows: {.1, .2} has .15 for 0, {.3, .8} has .55 for 1.
    error = expected_calibration_error(
        [0, 0, 1, 1], [0.1, 0.2, 0.3, 0.8], n_bins=2, strategy="quantile", of="positive"
    )
    assert error == pytest.approx((0.15 + 0.45) / 2)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_bins_are_scikit_learns(strategy):
    rng = np.random.default_rng(0)
    p = rng.random(200)
    y = rng.random(200) < p**2
    (curve,) = reliability(check_sample(y, p), n_bins=10, strategy=strategy, of="positive")
    observed, predicted = calibration_curve(y, p, n_bins=10, strategy=strategy)
    assert curve.predicted == pytest.approx(predicted)
    assert curve.observed == pytest.approx(observed)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@given(p=probabilities, data=st.data())
def test_the_error_is_in_0_to_1_whatever_the_order_of_rows(strategy, p, data):
    y = data.draw(st.lists(st.integers(0, 1), min_size=len(p), max_size=len(p)))
    error = expected_calibration_error(y, p, strategy=strategy)
    assert 0 <= error <= 1
    assert expected_calibration_error(y[::-1], p[::-1], strategy=strategy) == pytest.approx(error)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_a_whole_weight_is_as_good_as_as_many_rows(strategy):
    rng = np.random.default_rng(0)
    y, p, times = rng.integers(0, 2, 40), rng.random(40), rng.integers(0, 4, 40)
    weighted = expected_calibration_error(y, p, sample_weight=times, strategy=strategy)
    repeated = expected_calibration_error(
        np.repeat(y, times), np.repeat(p, times), strategy=strategy
    )
    assert weighted == pytest.approx(repeated)


def test_true_probabilities_have_almost_no_error():
    rng = np.random.default_rng(0)
    p = rng.random(50_000)
    assert expected_calibration_error(rng.random(50_000) < p, p) < 0.01


def test_the_predicted_class_of_two_is_judged_by_its_own_probability():
    error = expected_calibration_error([0, 0, 1], [0.1, 0.1, 0.3])
    assert error == pytest.approx((2 * abs(0.9 - 1) + abs(0.7 - 0)) / 3)


def test_the_error_equals_that_of_the_keras_metric():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 300)
    y = rng.integers(0, 3, 300)
    metric = ExpectedCalibrationError(num_classes=3)
    metric.update_state(y, p)
    assert expected_calibration_error(y, p) == pytest.approx(float(metric.result()), abs=1e-5)
    metric = ExpectedCalibrationError(num_classes=2)
    metric.update_state(y > 0, p[:, 0])
    assert expected_calibration_error(y > 0, p[:, 0]) == pytest.approx(
        float(metric.result()), abs=1e-5
    )


def test_of_several_classes_the_predicted_one_is_judged():
    p = [[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.2, 0.2, 0.6]]
    assert expected_calibration_error([0, 1, 2], p) == pytest.approx((2 * 0.3 + 0.4) / 3)


def test_labels_are_judged_one_by_one():
    p = np.array([[0.8, 0.1], [0.6, 0.3]])
    y = np.array([[1, 0], [0, 1]])
    alone = [expected_calibration_error(y[:, k], p[:, k], of="positive") for k in range(2)]
    both = expected_calibration_error(y, p, multi_label=True)
    assert both == pytest.approx(np.mean(alone))


@pytest.mark.parametrize(
    ("p", "arguments", "message"),
    [
        ([0.2, 1.2], {}, r"`y_prob` must lie in \[0, 1\], got values from 0.2 to 1.2"),
        ([0.2, 0.3], {"n_bins": 0}, "`n_bins` must be at least 1, got 0"),
        ([0.2, 0.3], {"of": "negative"}, "`of` must be 'predicted', or 'positive' of a binary"),
        ([0.2, 0.3], {"strategy": "kmeans"}, "`strategy` must be 'uniform' or 'quantile'"),
    ],
)
def test_bad_input_is_rejected(p, arguments, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error([0, 1], p, **arguments)


@pytest.mark.parametrize("of", ["positive", "predicted"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("n_bins", [3, 5, 10, 15, 20])
def test_a_probability_on_an_edge_is_in_the_lower_bin(n_bins, dtype, of):
    edges = np.arange(1, n_bins + 1) / n_bins
    inside = edges - 0.4 / n_bins
    p = np.concatenate([edges, inside]).astype(dtype)
    p = p[p > 0.5] if of == "predicted" else p
    y = np.zeros(len(p), int)
    (curve,) = reliability(check_sample(y, p, both_classes=False), n_bins=n_bins, of=of)
    half = len(p) // 2
    assert len(curve.predicted) == half
    assert curve.fractions == pytest.approx(np.full(half, 1 / half))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_bins", [3, 5, 10, 15, 20, 25])
def test_the_metric_has_the_bins_of_the_function_at_their_edges(n_bins, dtype):
    p = (np.arange(n_bins + 1) / n_bins).astype(dtype)
    y = np.arange(len(p)) % 2
    for of in ("positive", "predicted"):
        metric = ExpectedCalibrationError(2, n_bins, of=of)
        metric.update_state(y, p)
        expected = expected_calibration_error(y, p, n_bins=n_bins, of=of)
        assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_the_error_worked_out_by_hand_is_that_of_single_precision_too():
    # Bins (0, 1/5], (1/5, 2/5]: {.1, .2} has .15 for 0, {.3, .4} has .35 for 1.
    y, p = [0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]
    for dtype in ("float16", "float32", "float64"):
        found = expected_calibration_error(y, np.array(p, dtype), n_bins=5, of="positive")
        assert found == pytest.approx((0.15 + 0.65) / 2, abs=1e-3)
