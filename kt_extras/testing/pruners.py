"""What every pruning rule must do, as tests that a rule of your own can inherit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.pruners.pruner import Pruner
from kt_extras.search.history import Curve, Curves

_SCENES = 120


class PrunerContract:
    """Inherit and say how to make your pruner; pytest does the rest.

    Every method is one law, and a plain call that raises `AssertionError` where it is broken.

    Attributes:
        monotone: Whether a worse loss never saves a trial; set it to False for a rule that also
            stops what is too good to be true.

    >>> from kt_extras.pruners import MedianPruner
    >>> class TestMedian(PrunerContract):
    ...     def make(self):
    ...         return MedianPruner()
    >>> TestMedian().test_a_trial_as_good_as_the_best_rival_is_never_stopped()
    """

    monotone: bool = True

    def make(self) -> Pruner:
        """Return the pruner under test; called anew by every law."""
        raise NotImplementedError("`make` must return the pruner under test; override it.")

    def test_a_trial_as_good_as_the_best_rival_is_never_stopped(self) -> None:
        pruner = self.make()
        for curve, rivals, _, rng in _scenes():
            if not math.isfinite(rivals.best):
                continue
            losses = curve.losses.copy()
            lucky = rng.choice(np.flatnonzero(~np.isnan(losses)))
            losses[lucky] = rivals.best - rng.integers(2)
            leader = Curve(losses, curve.sign)
            assert not pruner.should_stop(leader, rivals), (
                f"{losses} is stopped, though no rival was ever better than {rivals.best}."
            )

    def test_nothing_is_stopped_before_its_first_report(self) -> None:
        pruner = self.make()
        for curve, rivals, *_ in _scenes():
            nothing = Curve(np.empty(0), curve.sign)
            assert not pruner.should_stop(nothing, rivals), "a trial without a loss is stopped."

    def test_a_trial_without_rivals_gets_an_answer(self) -> None:
        pruner = self.make()
        for curve, *_ in _scenes():
            answer = pruner.should_stop(curve, Curves.of([], curve.sign))
            assert isinstance(answer, bool), f"{answer!r} is no answer to {curve.losses}."

    def test_every_answer_is_true_or_false(self) -> None:
        pruner = self.make()
        for curve, rivals, *_ in _scenes():
            answer = pruner.should_stop(curve, rivals)
            assert isinstance(answer, bool), f"{answer!r} is a {type(answer)}, not a bool."

    def test_no_loss_is_worse_than_one_that_is_not_finite(self) -> None:
        self._check_that_worse_is_stopped_too(math.inf)

    def test_a_curve_without_one_finite_loss_is_worse_than_any(self) -> None:
        pruner = self.make()
        for curve, rivals, *_ in _scenes():
            if pruner.should_stop(curve, rivals):
                diverged = np.where(np.isnan(curve.losses), np.nan, math.inf)
                assert pruner.should_stop(Curve(diverged, curve.sign), rivals), (
                    f"{curve.losses} is stopped, but not {diverged}."
                )

    def test_a_worse_loss_never_saves_a_trial(self) -> None:
        if self.monotone:
            for much in (1e-9, 0.5, 1e9):
                self._check_that_worse_is_stopped_too(much)

    def test_the_order_of_the_rivals_does_not_matter(self) -> None:
        pruner = self.make()
        for curve, rivals, shuffled, _ in _scenes():
            answer = pruner.should_stop(curve, rivals)
            assert pruner.should_stop(curve, shuffled) == answer, (
                f"whether {curve.losses} is stopped depends on the order of its rivals."
            )

    def test_a_pruner_keeps_no_state(self) -> None:
        pruner = self.make()
        first = [pruner.should_stop(curve, rivals) for curve, rivals, *_ in _scenes()]
        again = [pruner.should_stop(curve, rivals) for curve, rivals, *_ in _scenes()]
        alone = [self.make().should_stop(curve, rivals) for curve, rivals, *_ in _scenes()]
        assert first == again == alone, "the answer depends on what was asked before."

    def test_the_curves_are_not_changed(self) -> None:
        pruner = self.make()
        for curve, rivals, *_ in _scenes():
            before = _snapshot(curve, rivals)
            pruner.should_stop(curve, rivals)
            assert _snapshot(curve, rivals) == before, "a pruner has changed the curves."

    def _check_that_worse_is_stopped_too(self, much: float) -> None:
        pruner = self.make()
        for curve, rivals, *_ in _scenes():
            if pruner.should_stop(curve, rivals):
                losses = curve.losses.copy()
                losses[-1] += much
                assert pruner.should_stop(Curve(losses, curve.sign), rivals), (
                    f"{curve.losses} is stopped, but not {losses}."
                )


class _Scene(NamedTuple):
    curve: Curve
    rivals: Curves
    shuffled: Curves  # the same rivals in another order
    rng: np.random.Generator


def _scenes() -> Iterator[_Scene]:
    """Yield the same trials and rivals at every call: ties, gaps, failures, both directions."""
    for seed in range(_SCENES):
        rng = np.random.default_rng(seed)
        sign = float(rng.choice([-1.0, 1.0]))
        curve = Curve(_losses(rng, (int(rng.integers(1, 9)),)), sign)
        rivals, shuffled = _rivals(rng, int(rng.integers(0, 14)), sign)
        yield _Scene(curve, rivals, shuffled, rng)


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
    """Draw losses in [-3, 3], tied as often as not; some failed, some never reported."""
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
