"""The logarithm is that of the expected improvement, and stays finite where that underflows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from kt_extras.samplers.expected_improvement import (
    log_expected_improvement,
    log_h,
    slope_of_log_h,
)


@given(mean=st.floats(-3, 3), deviation=st.floats(0.3, 3), incumbent=st.floats(-3, 3))
def test_logarithm_equals_that_of_the_integral(mean, deviation, incumbent):
    def improvement(loss):
        return (incumbent - loss) * norm.pdf(loss, mean, deviation)

    expected, _ = quad(
        improvement, min(mean, incumbent) - 12 * deviation, incumbent, epsabs=0, epsrel=1e-10
    )
    found = log_expected_improvement(np.array([mean]), np.array([deviation]), incumbent)
    assert found[0] == pytest.approx(math.log(expected), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("border", [-1.0, -500.0])
def test_parts_of_log_h_meet(border):
    left, right = log_h(np.array([border * (1 + 1e-9), border * (1 - 1e-9)]))
    assert right - left == pytest.approx(2e-9 * abs(border) * max(abs(border), 1.4), rel=0.5)
    assert right > left


def test_log_h_is_finite_and_increases_where_h_underflows():
    z = -np.logspace(7, -3, 200)
    assert np.isfinite(log_h(z)).all()
    assert (np.diff(log_h(z)) > 0).all()


def test_slope_equals_finite_differences():
    z = np.concatenate([-np.logspace(3, -2, 60), np.linspace(0, 5, 11)])
    step = 1e-6 * np.maximum(np.abs(z), 1)
    differences = (log_h(z + step) - log_h(z - step)) / (2 * step)
    assert np.allclose(slope_of_log_h(z, log_h(z)), differences, rtol=1e-3)
