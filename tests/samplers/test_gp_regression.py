"""The regression equals that of scikit-learn, and its gradient finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from kt_extras.samplers.gp_regression import (
    Hyperparameters,
    Regression,
    _minus_log_likelihood,
    _pairs,
    curve_prior,
    fitted,
    loss_prior,
)


def some(n=25, columns=3, seed=0):
    rng = np.random.default_rng(seed)
    x, trials = rng.random((n, columns)), rng.integers(0, max(n // 2, 1), size=n)
    return x, trials, np.sin(4 * x[:, 0]) - x[:, -1] + 0.1 * rng.standard_normal(n)


def test_predictions_equal_those_of_scikit_learn():
    x, _, y = some()
    known = Hyperparameters(np.array([4.0, 1.0, 0.25]), signal=1.5, own=0.0, noise=0.1)
    ours = Regression(x, np.arange(len(y)), y, known)
    kernel = ConstantKernel(1.5, "fixed") * Matern([0.5, 1.0, 2.0], "fixed", nu=2.5)
    theirs = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None).fit(x, y)
    elsewhere = np.random.default_rng(1).random((7, 3))
    expected = theirs.predict(elsewhere, return_std=True)
    assert np.allclose(ours.predict(elsewhere, np.full(7, -1)), expected)


def test_likelihood_equals_that_of_scikit_learn():
    x, _, y = some()
    logs = np.log([4.0, 1.0, 0.25, 1.5, 1e-12, 0.1])
    kernel = ConstantKernel(1.5) * Matern([0.5, 1.0, 2.0], nu=2.5)
    theirs = GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None).fit(x, y)
    ours, _ = _minus_log_likelihood(logs, _pairs(x, np.arange(len(y)), np.arange(3)), y)
    constant = 0.5 * len(y) * np.log(2 * np.pi)
    assert ours + constant == pytest.approx(-theirs.log_marginal_likelihood_value_)


@given(logs=st.lists(st.floats(-2, 2), min_size=6, max_size=6), seed=st.integers(0, 9))
@hypothesis_settings(max_examples=25, deadline=None)
def test_gradient_equals_finite_differences_of_the_likelihood(logs, seed):
    x, trials, y = some(n=12, seed=seed)
    pairs = _pairs(x, trials, np.arange(3))

    def value(logs):
        return _minus_log_likelihood(logs, pairs, y)[0]

    _, gradient = _minus_log_likelihood(np.array(logs), pairs, y)
    assert np.allclose(gradient, approx_fprime(np.array(logs), value, 1e-6), rtol=1e-3, atol=1e-3)


def test_columns_of_one_dimension_have_the_same_relevance():
    x, trials, y = some(columns=4)
    found = fitted(x, trials, y, owner=np.array([0, 0, 1, 2]), prior=curve_prior(2))
    assert found.relevance[0] == found.relevance[1]


def test_dimension_without_effect_is_less_relevant_than_another():
    x, _, _ = some(n=60)
    found = fitted(x, np.arange(60), np.sin(8 * x[:, 0]), owner=np.arange(3), prior=curve_prior(2))
    assert found.relevance[0] > 10 * found.relevance[1]


def test_likelihood_is_higher_after_the_fit_than_at_the_prior_median():
    x, trials, y = some()
    pairs, median = _pairs(x, trials, np.arange(3)), curve_prior(2).median
    found = fitted(x, trials, y, owner=np.arange(3), prior=curve_prior(2))
    variances = [found.signal, found.own, found.noise]
    logs = np.log(np.concatenate([found.relevance, variances]))
    assert _minus_log_likelihood(logs, pairs, y)[0] < _minus_log_likelihood(median, pairs, y)[0]


def test_deviation_is_lower_for_an_observed_trial_than_for_a_new_one():
    x, trials, y = some()
    known = Hyperparameters(np.ones(3), signal=1.0, own=0.5, noise=0.01)
    regression = Regression(x, trials, y, known)
    _, deviations = regression.predict(np.stack([x[0], x[0]]), np.array([trials[0], -1]))
    assert deviations[0] < deviations[1]


def test_offset_of_a_trial_shifts_its_prediction_at_the_end():
    x = np.array([[0.5, 0.0], [0.5, 0.0]])
    known = Hyperparameters(np.ones(2), signal=1.0, own=1.0, noise=0.01)
    regression = Regression(x, np.array([0, 1]), np.array([-1.0, 1.0]), known)
    low, high = regression.predict(np.array([[0.5, 1.0]] * 2), np.array([0, 1]))[0]
    assert low < -0.5 < 0.5 < high


def test_predictions_are_finite_for_one_or_equal_observations():
    for n in (1, 5):
        x, trials = np.full((n, 2), 0.5), np.arange(n)
        found = fitted(x, trials, np.zeros(n), owner=np.arange(2), prior=curve_prior(1))
        mean, deviation = Regression(x, trials, np.zeros(n), found).predict(x, trials)
        assert np.allclose(mean, 0)
        assert np.isfinite(deviation).all()


def test_variance_of_whole_trials_stays_out_with_one_loss_a_trial():
    x, _, y = some(n=60)
    found = fitted(x, np.arange(60), y, owner=np.arange(3), prior=loss_prior(3))
    assert found.own == pytest.approx(1e-12)
    assert found.noise > 1e-5


def test_slopes_equal_finite_differences_of_the_prediction():
    x, _, y = some()
    known = Hyperparameters(np.array([4.0, 1.0, 0.25]), signal=1.5, own=0.0, noise=0.01)
    regression = Regression(x, np.arange(len(y)), y, known)
    for row in np.random.default_rng(1).random((5, 3)):
        mean, deviation, of_mean, of_deviation = regression.slopes(row)
        expected = regression.predict(row[None], np.array([-1]))
        assert np.allclose([[mean], [deviation]], expected)
        for at, gradient in enumerate((of_mean, of_deviation)):

            def value(inputs, at=at):
                return regression.slopes(inputs)[at]

            assert np.allclose(gradient, approx_fprime(row, value, 1e-7), atol=1e-4)
