"""Suggestions from what is known before a search: priors of the user, and earlier searches.

A part of the suggestions follows from what is known, the first ones and fewer and fewer after them;
the others are those of the search's own sampler, which learns from both.  How large that part is
also depends on the trials so far: what is known is trusted as far as it orders them as they have
turned out.  So a prior that is wrong, or an earlier search of another kind, is given up after a
few trials.

From a prior the most likely point is suggested first, then random draws, and how often depends on
what has been found: the idea of PriorBand (Mallik et al., NeurIPS 2023).  The influence of a prior
wanes with the number of trials in piBO, too (Hvarfner et al., ICLR 2022), which weights an
acquisition function; here any sampler can be had, as it is not changed.  Of earlier searches the
best points are suggested, those first of which all of the searches predict most.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.special import ndtr
from scipy.stats import kendalltau

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.samplers.past_model import PastModel
from kt_extras.search.dimensions import Point
from kt_extras.search.history import ELSEWHERE, History, State
from kt_extras.search.past import ranked
from kt_extras.search.priors import Prior, density
from kt_extras.search.sampler import Sampler
from kt_extras.search.space import Space

_SHARE = 0.5  # of the suggestions, at first and with full trust
_FADES = 10.0  # trials after which the share has halved
_OPTIMISM = 1.0  # how many standard errors of the order of trials are given on trust
_GOOD = 0.25  # fraction of an earlier search whose points may be suggested
_RECENT = 200  # trials of this search that correct what earlier ones predict
_DRAWS = 20  # from a prior, until one is new
_LEAST = 1e-3  # of a density, relative to the uniform one, so that its logarithm is finite


@dataclass(frozen=True)
class Informed:
    """Suggest a part of the points from what is known beforehand, and leave the others to `inner`.

    Without a prior that fits the space, and without earlier searches in the history, all are left
    to it.

    Args:
        inner: Sampler of the search.
        prior: Priors by the name of the hyperparameter, as
            `kt_extras.search.priors.checked_priors` returns them. Defaults to none.

    >>> from kt_extras.samplers.random import Random
    >>> from kt_extras.search import Float, Likely, trial_rng
    >>> space = Space([Float("rate", 1e-4, 1e-1, sampling="log")])
    >>> sampler = Informed(Random(), {"rate": Likely(1e-3)})
    >>> round(sampler.suggest(History(space), space, trial_rng(0, 0))["rate"], 5)
    0.001
    """

    inner: Sampler
    prior: Mapping[str, Prior] = field(default_factory=dict)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        sources = self._sources(history, space)
        if not sources:
            return self.inner.suggest(history, space, rng)
        coin, draws = float(rng.random()), rng.random(len(space))
        suggested = self.inner.suggest(history, space, rng)
        unit = space.encode(suggested)
        unit = np.where(np.isnan(unit), draws, unit)  # for what is not known beforehand
        for source in sources:
            if (point := _first(source.best(), unit, history, space)) is not None:
                return point
        chosen = _chosen(sources, history, coin)
        point = None if chosen is None else chosen.point(history, unit, rng)
        return suggested if point is None else point

    def _sources(self, history: History, space: Space) -> list[_Source]:
        """Return what is known of hyperparameters of the space."""
        names, sources = set(space.names), list[_Source]()
        pasts = [past for past in history.past if any(names & {*point} for point in past.points)]
        if pasts:
            sources.append(_Earlier(PastModel(pasts, space), space))
        if names & {*self.prior}:
            sources.append(_Believed(self.prior, space))
        return sources


class _Source(Protocol):
    """Something that is known before a search."""

    def best(self) -> FloatArray:
        """Return what is expected to be the best point, NaN where nothing is known of it."""

    def expected(self, unit: FloatArray) -> FloatArray:
        """Return for points of shape ``(n, d)`` how bad they are, of shape ``(ways, n)``."""

    def point(self, history: History, unit: FloatArray, rng: np.random.Generator) -> Point | None:
        """Return a new point, None if there is none; `unit` has what is not known."""


def _first(best: FloatArray, unit: FloatArray, history: History, space: Space) -> Point | None:
    """Return the best point of a source, None once a trial has had what is known of it."""
    point = space.decode(np.where(np.isnan(best), unit, best))
    known = ~np.isnan(best)
    here, tried = space.encode(point)[known], history.unit[:, known]
    same, inactive = here == tried, np.isnan(here) | np.isnan(tried)
    if np.isnan(here).all() or np.any((same | inactive).all(axis=1) & same.any(axis=1)):
        return None
    return point


def _chosen(sources: Sequence[_Source], history: History, coin: float) -> _Source | None:
    """Return the source of the next point, None for the sampler of the search."""
    number = int(np.sum(history.brackets != ELSEWHERE))
    share = _SHARE / len(sources) * _FADES / (_FADES + number)
    which = int(coin / share)
    if which >= len(sources):
        return None
    trusted = float(_trust(sources[which], history).max())
    return sources[which] if coin - which * share < share * trusted else None


def _trust(source: _Source, history: History) -> FloatArray:
    """Return how far each way to expect losses is trusted, between 0 and 1.

    It is how much more probable it is that what is expected orders the trials rightly than that it
    does so wrongly, as far as Kendall's tau shows, with some trust before any trial.
    """
    unit, ranks = _ended(history)
    expected, n = source.expected(unit), len(unit)
    if n < 2:
        return np.full(len(expected), 2.0 * ndtr(_OPTIMISM) - 1.0)
    taus = np.nan_to_num([kendalltau(row, ranks).statistic for row in expected])
    error = math.sqrt(2.0 * (2 * n + 5) / (9 * n * (n - 1)))  # if the orders were independent
    return np.asarray(np.maximum(2.0 * ndtr(_OPTIMISM + taus / error) - 1.0, 0.0))


def _ended(history: History) -> tuple[FloatArray, FloatArray]:
    """Return the points of the last trials that have ended, and their ranks."""
    rows = np.flatnonzero(history.states != State.RUNNING)[-_RECENT:]
    return history.unit[rows], ranked(history.losses[rows])


@dataclass(frozen=True)
class _Earlier:
    """What earlier searches have found."""

    model: PastModel
    space: Space

    def expected(self, unit: FloatArray) -> FloatArray:
        return self.model.ranks(unit)

    def best(self) -> FloatArray:
        good = self.model.best(_GOOD)
        return np.asarray(good[np.argmin(self.model.ranks(good).mean(axis=0))])

    def point(
        self,
        history: History,
        unit: FloatArray,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> Point | None:
        """Return the good point of an earlier search that is now expected to be the best."""
        good = self.model.best(_GOOD)
        points = [self.space.decode(row) for row in np.where(np.isnan(good), unit, good)]
        new = [point for point in points if not history.tried(point)]
        if not new:
            return None
        at = np.array([self.space.encode(point) for point in new])
        ranks = self.model.corrected(at, _trust(self, history), *_ended(history))
        return new[int(np.argmin(ranks))]


class _Believed:
    """What the user believes of hyperparameters.

    Args:
        prior: Priors by name.
        space: The space.
    """

    def __init__(self, prior: Mapping[str, Prior], space: Space) -> None:
        self._space = space
        self._densities = {
            column: density(dimension, prior[dimension.name])
            for column, dimension in enumerate(space.dimensions)
            if dimension.name in prior
        }

    def expected(self, unit: FloatArray) -> FloatArray:
        total = np.zeros(len(unit))
        for column, pieces in self._densities.items():
            known = ~np.isnan(unit[:, column])
            index = (unit[known, column] * len(pieces)).astype(int).clip(0, len(pieces) - 1)
            total[known] -= np.log(np.maximum(pieces[index], _LEAST))
        return total[None]

    def best(self) -> FloatArray:
        unit = np.full(len(self._space), np.nan)
        for column, pieces in self._densities.items():
            unit[column] = (_middle(np.flatnonzero(pieces >= pieces.max())) + 0.5) / len(pieces)
        return unit

    def point(self, history: History, unit: FloatArray, rng: np.random.Generator) -> Point | None:
        """Return a random point that was not tried."""
        for _ in range(_DRAWS):
            at = unit.copy()
            for column, pieces in self._densities.items():
                drawn = rng.choice(len(pieces), p=pieces / pieces.sum()) + rng.random()
                at[column] = drawn / len(pieces)
            if not history.tried(point := self._space.decode(at)):
                return point
        return None


def _middle(numbers: IntArray) -> int:
    return int(numbers[len(numbers) // 2])
