"""The logarithm of the expected improvement of a normal variable, and its derivatives.

With z = (incumbent - mean) / deviation, the expected improvement is deviation * h(z), where
h(z) = phi(z) + z Phi(z) for the normal density phi and its distribution Phi.  Far from good points
h underflows and its gradient vanishes; its logarithm does neither if it is computed by the scaled
complementary error function (Ament et al., NeurIPS 2023, arXiv 2310.20708).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from kt_extras.arrays import FloatArray

_LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
_BELOW = -1.0  # from here h is computed by the scaled complementary error function ...
_FAR_BELOW = -500.0  # ... and from here by its asymptotic series, as that would lose all digits


def log_expected_improvement(
    mean: FloatArray, deviation: FloatArray, incumbent: float
) -> FloatArray:
    """Return the logarithm of the expected improvement on a loss.

    Args:
        mean: Shape ``(n,)``: predicted losses.
        deviation: Shape ``(n,)``: their standard deviations, above 0.
        incumbent: The lowest loss so far.

    >>> log_expected_improvement(np.array([0.0, 50.0]), np.ones(2), 0.0).round(3).tolist()
    [-0.919, -1258.744]
    """
    z = (incumbent - mean) / deviation
    return np.asarray(np.log(deviation) + log_h(z))


def log_h(z: FloatArray) -> FloatArray:
    """Return log(phi(z) + z Phi(z)).

    >>> log_h(np.array([-1e4, 3.0])).round(3).tolist()
    [-50000019.34, 1.099]
    """
    result = np.empty_like(z)
    above, far = z > _BELOW, z < _FAR_BELOW
    between = ~above & ~far
    near = z[above]
    result[above] = np.log(np.exp(-0.5 * near**2 - _LOG_SQRT_2PI) + near * ndtr(near))
    low = z[between]
    mills = math.sqrt(0.5 * math.pi) * erfcx(-low * math.sqrt(0.5))  # Phi / phi
    result[between] = -0.5 * low**2 - _LOG_SQRT_2PI + np.log1p(low * mills)
    lowest = np.abs(z[far])
    tail = np.log1p(-3.0 / lowest**2) - 2 * np.log(lowest)  # 1 / z^2 - 3 / z^4
    result[far] = -0.5 * lowest**2 - _LOG_SQRT_2PI + tail
    return result


def slope_of_log_h(z: FloatArray, log_h_of_z: FloatArray) -> FloatArray:
    """Return the derivative of `log_h`, which is Phi(z) / h(z).

    >>> z = np.array([0.0])
    >>> slope_of_log_h(z, log_h(z)).round(3).tolist()
    [1.253]
    """
    return np.asarray(np.exp(log_ndtr(z) - log_h_of_z))
