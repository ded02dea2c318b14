"""Tests of the requirements of pruners, to inherit for a pruner of your own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.pruners.pruner import Pruner
from kt_extras.search.history import Curve, Curves

_CASES = 120


class PrunerContract:
    """Base class of tests of a pruner: override `make` to return it.

    Each test method checks one requirement of the protocol and raises `AssertionError` if it is not
    met.

    Attributes:
        monotone: Whether a trial that is stopped would be stopped with a larger loss, too; set it
            to False for a pruner that also stops trials with very low losses. Defaults to True.

    >>> from kt_extras.pruners import MedianPruner
    >>> class TestMedian(PrunerContract):
    ...     def make(self):
    ...         return MedianPruner()
    >>> TestMedian().test_trial_is_not_stopped_when_as_good_as_the_best_rival()
    """

    monotone: bool = True

    def make(self) -> Pruner:
        """Return the pruner to test; called again by every test."""
        raise NotImplementedError("`make` must return the pruner to test; override it.")

    def test_trial_is_not_stopped_when_as_good_as_the_best_rival(self) -> None:
        pruner = self.make()
        for curve, rivals, _, rng in _cases():
            if not math.isfinite(rivals.best):
                continue
            losses = curve.losses.copy()
            epoch = rng.choice(np.flatnonzero(~np.isnan(losses)))
            losses[epoch] = rivals.best - rng.integers(2)
            leader = Curve(losses, curve.sign)
            assert not pruner.should_stop(leader, rivals), (
                f"{losses} is stopped, though the lowest loss of its rivals is {rivals.best}."
            )

    def test_trial_is_not_stopped_before_its_first_report(self) -> None:
        pruner = self.make()
        for curve, rivals, *_ in _cases():
            empty = Curve(np.empty(0), curve.sign)
            assert not pruner.should_stop(empty, rivals), "a trial without a report is stopped."

    def test_answer_is_a_bool_without_rivals(self) -> None:
        pruner = self.make()
        for curve, *_ in _cases():
            answer = pruner.should_stop(curve, Curves.of([], curve.sign))
            assert isinstance(answer, bool), (
                f"{answer!r} is a {type(answer)}, not a bool, for {curve.losses}."
            )

    def test_answer_is_a_bool_with_rivals(self) -> None:
        pruner = self.make()
        for curve, rivals, *_ in _cases():
            answer = pruner.should_stop(curve, rivals)
            assert isinstance(answer, bool), f"{answer!r} is a {type(answer)}, not a bool."

    def test_trial_is_still_stopped_with_an_infinite_loss(self) -> None:
        self._check_stopped_with_a_larger_loss(math.inf)

    def test_trial_is_still_stopped_without_a_finite_loss(self) -> None:
        pruner = self.make()
        for curve, rivals, *_ in _cases():
            if pruner.should_stop(curve, rivals):
                diverged = np.where(np.isnan(curve.losses), np.nan, math.inf)
                assert pruner.should_stop(Curve(diverged, curve.sign), rivals), (
                    f"{curve.losses} is stopped, but not {diverged}."
                )

    def test_trial_is_still_stopped_with_a_larger_loss(self) -> None:
        if self.monotone:
            for increase in (1e-9, 0.5, 1e9):
                self._check_stopped_with_a_larger_loss(increase)

    def test_answer_does_not_depend_on_the_order_of_rivals(self) -> None:
        pruner = self.make()
        for curve, rivals, shuffled, _ in _cases():
            answer = pruner.should_stop(curve, rivals)
            assert pruner.should_stop(curve, shuffled) == answer, (
                f"whether {curve.losses} is stopped depends on the order of its rivals."
            )

    def test_answers_are_the_same_when_asked_again(self) -> None:
        pruner = self.make()
        first = [pruner.should_stop(curve, rivals) for curve, rivals, *_ in _cases()]
        again = [pruner.should_stop(curve, rivals) for curve, rivals, *_ in _cases()]
        alone = [self.make().should_stop(curve, rivals) for curve, rivals, *_ in _cases()]
        assert first == again == alone, "the answers depend on earlier calls."

    def test_curves_are_unchanged_after_an_answer(self) -> None:
        pruner = self.make()
        for curve, rivals, *_ in _cases():
            before = _snapshot(curve, rivals)
            pruner.should_stop(curve, rivals)
            assert _snapshot(curve, rivals) == before, "the pruner has changed the curves."

    def _check_stopped_with_a_larger_loss(self, increase: float) -> None:
        pruner = self.make()
        for curve, rivals, *_ in _cases():
            if pruner.should_stop(curve, rivals):
                losses = curve.losses.copy()
                losses[-1] += increase
                assert pruner.should_stop(Curve(losses, curve.sign), rivals), (
                    f"{curve.losses} is stopped, but not {losses}."
                )


class _Case(NamedTuple):
    curve: Curve
    rivals: Curves
    shuffled: Curves  # the same rivals in another order
    rng: np.random.Generator


def _cases() -> Iterator[_Case]:
    """Yield the same trials and rivals at every call, with ties, gaps, failures and both signs."""
    for seed in range(_CASES):
        rng = np.random.default_rng(seed)
        sign = float(rng.choice([-1.0, 1.0]))
        curve = Curve(_losses(rng, (int(rng.integers(1, 9)),)), sign)
        rivals, shuffled = _rivals(rng, int(rng.integers(0, 14)), sign)
        yield _Case(curve, rivals, shuffled, rng)


def _rivals(rng: np.random.Generator, n: int, sign: float) -> tuple[Curves, Curves]:
    losses = _losses(rng, (n, 8))
    lengths = rng.integers(1, 9, size=n)
    losses[np.arange(n), lengths - 1] = rng.normal(size=n)  # the last epoch is a reported one
    losses[np.arange(8) >= lengths[:, None]] = np.nan
    before = np.full((n, 1), math.inf)
    best = np.fmin.accumulate(np.hstack([before, losses]), axis=1)[:, 1:]
    orders = np.arange(n), rng.permutation(n)
    first, second = (Curves(losses, best, lengths, rows, sign) for rows in orders)
    return first, second


def _losses(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Draw losses in [-3, 3], half of them integers, some of them infinite or not reported."""
    losses = np.clip(rng.normal(rng.normal(), 1.0, size=shape), -3, 3)
    losses = np.where(rng.random(shape) < 0.5, np.round(losses), losses)
    losses = np.where(rng.random(shape) < 0.1, math.inf, losses)
    every = rng.integers(1, 4)  # as with `validation_freq`
    unreported = np.arange(shape[-1]) % every != (shape[-1] - 1) % every
    losses[..., unreported] = np.nan
    return losses


def _snapshot(curve: Curve, rivals: Curves) -> str:
    bests = [rivals.best_by(step).tolist() for step in range(8)]
    return repr((curve.losses.tolist(), [rival.losses.tolist() for rival in rivals], bests))
