"""What a Gaussian process promises of a point, and where it promises most."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.samplers.candidates import climbed
from kt_extras.samplers.expected_improvement import (
    log_expected_improvement,
    log_h,
    slope_of_log_h,
)
from kt_extras.samplers.gp_columns import columns_of, masked, owner_of, snapped
from kt_extras.samplers.gp_regression import Regression
from kt_extras.search.space import Space

_NEW = -1  # trial number of a point without a trial
_REACH = 0.5  # of a search along the gradient, in every dimension of the unit cube
_STEPS = 50  # iterations of L-BFGS from each start
_TOLERANCE = 1e-3  # of the gradient, along axes scaled to length scales of 1


@dataclass(frozen=True)
class Acquisition:
    """The scores of the rows of a space (see `gp_columns`); larger is better.

    The score is the logarithm of the expected improvement, or minus a confidence bound.

    Args:
        space: The search space.
        regression: The Gaussian process.
        exploration: Number of standard deviations by which the confidence bound is below the mean;
            None for the expected improvement. Defaults to None.
    """

    space: Space
    regression: Regression
    exploration: float | None = None

    @functools.cached_property
    def incumbent(self) -> float:
        """The lowest predicted mean of the observations, which is to be improved on."""
        inputs = self.regression.inputs
        return float(self.regression.predict(inputs, np.full(len(inputs), _NEW))[0].min())

    def with_shorter_lengths(self) -> Acquisition:
        """Return the same with half the length scales, which is less sure away from the trials."""
        known = self.regression.hyperparameters
        doubted = dataclasses.replace(known, relevance=4 * known.relevance)
        regression = dataclasses.replace(self.regression, hyperparameters=doubted)
        return dataclasses.replace(self, regression=regression)

    def score(self, rows: FloatArray) -> FloatArray:
        """Return the scores of rows, shape ``(n,)``.

        Args:
            rows: Shape ``(n, d)``: coordinates on the unit cube.
        """
        inputs = columns_of(masked(rows, self.space), self.space)
        mean, deviation = self.regression.predict(inputs, np.full(len(rows), _NEW))
        if self.exploration is not None:
            return self.exploration * deviation - mean
        return log_expected_improvement(mean, deviation, self.incumbent)

    def ascended(self, row: FloatArray) -> tuple[FloatArray, float]:
        """Return the end of a search from a row, and its score.

        All numbers move along the gradient, those on a grid too, by at most half their range: where
        little is known, it leads from everywhere to a corner.  Then those on a grid are rounded and
        climb together with the choices, and the others move once more.

        Args:
            row: Shape ``(d,)``.
        """
        free = self._numbers(row)
        row = self._along_gradient(row, free)
        if all(dimension.size == np.inf for dimension in self.space.dimensions):
            return row, float(self.score(row[None])[0])
        row, value = climbed(snapped(row[None], self.space)[0], self.space, self.score)
        free = self._numbers(row)
        real = [c for c in free if self.space.dimensions[c].size == np.inf]
        if real:
            row = self._along_gradient(row, np.array(real))
            value = float(self.score(row[None])[0])
        return row, value

    def _numbers(self, row: FloatArray) -> IntArray:
        """Return the dimensions with several values that are numbers and active."""
        active = ~np.isnan(masked(row[None], self.space)[0])
        several = [d.size > 1 and not d.categorical for d in self.space.dimensions]
        return np.flatnonzero(active & np.array(several, dtype=bool))

    def _along_gradient(self, row: FloatArray, free: IntArray) -> FloatArray:
        if not len(free):
            return row
        inputs = columns_of(masked(row[None], self.space), self.space)[0]
        at = np.searchsorted(owner_of(self.space), free)  # a number has its own column first
        scale = np.sqrt(self.regression.hyperparameters.relevance[at])

        def objective(scaled: FloatArray) -> tuple[float, FloatArray]:
            inputs[at] = scaled / scale
            value, gradient = self._with_gradient(inputs)
            return -value, -gradient[at] / scale

        u = row[free]
        lower, upper = np.maximum(u - _REACH, 0.0) * scale, np.minimum(u + _REACH, 1.0) * scale
        bounds = list(zip(lower, upper, strict=True))
        found, _, _ = fmin_l_bfgs_b(
            objective, u * scale, bounds=bounds, maxiter=_STEPS, pgtol=_TOLERANCE
        )
        end = row.copy()
        end[free] = np.clip(found / scale, 0.0, 1.0)
        return end

    def _with_gradient(self, inputs: FloatArray) -> tuple[float, FloatArray]:
        """Return the score at the columns of one row, and its gradient in them."""
        mean, deviation, of_mean, of_deviation = self.regression.slopes(inputs)
        if self.exploration is not None:
            bound = self.exploration * deviation - mean
            return bound, self.exploration * of_deviation - of_mean
        z = np.array([(self.incumbent - mean) / deviation])
        logs = log_h(z)
        slope = float(slope_of_log_h(z, logs)[0])
        of_z = -(of_mean + float(z[0]) * of_deviation) / deviation
        return float(np.log(deviation) + logs[0]), of_deviation / deviation + slope * of_z
