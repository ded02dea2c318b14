"""Bayesian optimisation of full trainings: a Gaussian process and its expected improvement.

The model is that of `kt_extras.samplers.gp_regression` with one loss for each trial, as
`kt_extras.samplers.final_losses` gives it.  A suggestion has the largest logarithm of the expected
improvement (Ament et al., NeurIPS 2023) on the best predicted loss of the trials so far.  A running
trial counts among these, with its prediction as its loss: the kriging believer of Ginsbourger, Le
Riche & Carraro (2010).  Only the latest 200 running trials do, so that a suggestion for the last of
a thousand workers takes little longer than for the first.

A fitted model may be sure that nothing is left to gain and be wrong, as all it knows is a cluster
around a local optimum.  Where it expects next to nothing, length scales are halved for some of the
suggestions, as they are lowered step by step in Berkenkamp, Schoellig & Krause (JMLR 2019).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kt_extras.arguments import check_integer, is_finite
from kt_extras.arrays import FloatArray, IntArray
from kt_extras.samplers.acquisition import Acquisition
from kt_extras.samplers.candidates import around_best, first_untried
from kt_extras.samplers.curve_model import subset
from kt_extras.samplers.final_losses import informative, standardised
from kt_extras.samplers.gp_columns import columns_of, owner_of
from kt_extras.samplers.gp_regression import Regression, fitted, loss_prior
from kt_extras.search.dimensions import Point
from kt_extras.search.history import History, State
from kt_extras.search.space import Space

_MAX_OBSERVATIONS = 300  # of the regression
_MAX_FITTED = 100  # observations to which the hyperparameters of the regression are fitted
_MAX_RUNNING = 200  # trials that count with their predictions, the latest ones
_STARTUP = 10  # random trials before the model is used
_CANDIDATES = 1024  # points that the model compares
_STARTS = 4  # variations of the best trials from which it searches further
_CONVINCED = math.log(1e-3)  # improvement below which the model may be too sure of itself
_DOUBT = 0.5  # fraction of these suggestions that are made with shorter length scales
_NEW = -1  # trial number of a prediction, without the noise of a trial
_PARENTS = 5  # number of the best trials that are varied
_MUTATIONS = 1.0  # expected number of changed dimensions beyond the first
_SCALES = (0.002, 0.2)  # smallest and largest standard deviation of a step on the unit cube


@dataclass(frozen=True)
class BayesianOptimization:
    """Suggest the point with the largest expected improvement on a Gaussian process.

    It is at its best on up to some 20 numbers and some hundred trials.  For learning curves of
    different lengths, as of ASHA, use `GaussianProcess`.

    Args:
        n_startup_trials: Number of random trials before the model is used, at least 1; None for 10.
            Defaults to None.
        noise: Variance of the noise of a loss, above 0, in units of the variance of all losses; one
            below 1e-8 counts as 1e-8. None to fit it. Defaults to None.
        exploration: None to suggest the point with the largest expected improvement; a number of at
            least 0 for the one whose predicted loss, less so many standard deviations, is lowest.
            Defaults to None.

    Raises:
        ValueError: An argument is out of its range.

    >>> from kt_extras.search import Float, Space, History, State, trial_rng
    >>> space = Space([Float("x", 0, 1)])
    >>> history = History(space)
    >>> for number in range(16):
    ...     point = BayesianOptimization().suggest(history, space, trial_rng(0, number))
    ...     history.finish(history.start(point), State.COMPLETED, (point["x"] - 0.7) ** 2)
    >>> bool(history.losses.min() < 1e-6)
    True
    """

    n_startup_trials: int | None = None
    noise: float | None = None
    exploration: float | None = None

    def __post_init__(self) -> None:
        if self.n_startup_trials is not None:
            hint = f"None is {_STARTUP}"
            check_integer("n_startup_trials", self.n_startup_trials, minimum=1, hint=hint)
        if self.noise is not None and not (is_finite(self.noise) and self.noise > 0):
            raise ValueError(
                f"`noise` must be a finite number above 0, got {self.noise!r}; None fits it."
            )
        if self.exploration is not None and not (
            is_finite(self.exploration) and self.exploration >= 0
        ):
            raise ValueError(
                "`exploration` must be a finite number of at least 0, got "
                f"{self.exploration!r}; None takes the expected improvement."
            )

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        startup = self.n_startup_trials or _STARTUP
        trials, losses = informative(history)
        ranked: list[FloatArray] = []
        if len(space) and len(history) >= startup and np.isfinite(losses).any():
            ranked = self._ranked(history, trials, losses, rng)
        return first_untried(ranked, history, space, rng)

    def _ranked(
        self, history: History, trials: IntArray, losses: FloatArray, rng: np.random.Generator
    ) -> list[FloatArray]:
        """Return rows, the best first."""
        acquisition = self._acquisition(history, trials, losses, rng)
        parents = trials[np.argsort(losses, kind="stable")[:_PARENTS]]
        rows = around_best(history, parents, _CANDIDATES, rng, mutations=_MUTATIONS, scales=_SCALES)
        ranked, best = _searched(acquisition, rows)
        if self.exploration is None and best < _CONVINCED:
            unknown = (history.states == State.RUNNING).any()  # the same point would add nothing
            if unknown or rng.random() < _DOUBT:
                ranked, _ = _searched(acquisition.with_shorter_lengths(), rows)
        return ranked

    def _acquisition(
        self, history: History, trials: IntArray, losses: FloatArray, rng: np.random.Generator
    ) -> Acquisition:
        space, targets = history.space, standardised(losses)
        inputs = columns_of(history.unit[trials], space)
        held = subset(targets, _MAX_OBSERVATIONS, rng)
        inputs, targets = inputs[held], targets[held]
        seen = subset(targets, _MAX_FITTED, rng)
        prior = loss_prior(len(space), self.noise)
        found = fitted(inputs[seen], seen, targets[seen], owner=owner_of(space), prior=prior)
        regression = Regression(inputs, np.arange(len(inputs)), targets, found)
        latest = np.flatnonzero(history.states == State.RUNNING)[-_MAX_RUNNING:]
        running = columns_of(history.unit[latest], space)
        return Acquisition(space, _believing(regression, running), self.exploration)


def _searched(acquisition: Acquisition, rows: FloatArray) -> tuple[list[FloatArray], float]:
    """Return the ends of searches, then all rows, each the best first, and the best end's score.

    Searches begin at variations, the first half of the rows; from random rows they end far from all
    trials, often in a corner, where the model knows nothing.
    """
    scores = acquisition.score(rows)
    starts = np.argsort(-scores[: len(rows) // 2], kind="stable")[:_STARTS]
    ends = [acquisition.ascended(rows[start]) for start in starts]
    ends.sort(key=lambda end: -end[1])
    others = rows[np.argsort(-scores, kind="stable")]
    return [*(row for row, _ in ends), *others], ends[0][1]


def _believing(regression: Regression, more: FloatArray) -> Regression:
    """Return the regression given that some more trials end as it predicts."""
    if not len(more):
        return regression
    mean, _ = regression.predict(more, np.full(len(more), _NEW))
    inputs = np.concatenate([regression.inputs, more])
    targets = np.concatenate([regression.targets, mean])
    return Regression(inputs, np.arange(len(inputs)), targets, regression.hyperparameters)
