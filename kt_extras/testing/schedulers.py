"""Tests of the requirements of schedulers, to inherit for a scheduler of your own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from kt_extras.arrays import IntArray
from kt_extras.samplers.random import Random
from kt_extras.schedulers.scheduler import Resume, Scheduler, Start, Step
from kt_extras.search.dimensions import Float
from kt_extras.search.history import History, State
from kt_extras.search.sampler import trial_rng
from kt_extras.search.space import Space
from kt_extras.testing.samplers import snapshot

SPACE = Space([Float("x", 0, 1), Float("y", 0, 1)])

Loss = Callable[[int, int], float]

_FAILURES = {0: 1, 3: 1, 4: 1}  # the epoch in which a trial fails, from 1, by its number


class SchedulerContract:
    """Base class of tests of a scheduler: override `make` to return it.

    Each test method checks one requirement of the protocol and raises `AssertionError` if it is not
    met.  The tests run searches with one worker and with several, with trials that fail in their
    first epoch and with losses that are not finite.

    Attributes:
        max_trials: Largest number of trials in the searches that the tests run. Defaults to 20.
        needs_states_after_failures: Whether `needed` also includes the states of trials that are
            resumed only because a better trial failed later. Set it to False for a scheduler that
            saves this disk space, so that such a trial is trained again. Defaults to True.

    >>> from kt_extras.schedulers import SuccessiveHalving
    >>> class TestHalving(SchedulerContract):
    ...     def make(self):
    ...         return SuccessiveHalving(max_epochs=9)
    >>> TestHalving().test_search_ends()
    """

    max_trials: int = 20
    needs_states_after_failures: bool = True

    def make(self) -> Scheduler:
        """Return the scheduler to test; called again by every test."""
        raise NotImplementedError("`make` must return the scheduler to test; override it.")

    def test_search_ends(self) -> None:
        for search in self._searches(self.make()):
            search.run()
            running = search.history.states == State.RUNNING
            assert not running.any(), f"trials are left running: {search}"

    def test_no_trial_starts_when_may_start_is_false(self) -> None:
        for search in self._searches(self.make()):
            for step in search.steps():
                starts = isinstance(step, Start)
                assert not starts or search.may_start, f"{step} is one trial too many: {search}"

    def test_every_trial_starts_at_the_first_rung_of_its_bracket(self) -> None:
        scheduler = self.make()
        for search in self._searches(scheduler):
            first: dict[int, int] = {}
            for rung in scheduler.plan(search.max_trials):
                first[rung.bracket] = min(rung.epochs, first.get(rung.bracket, rung.epochs))
            for step in search.steps():
                if isinstance(step, Start):
                    assert first.get(step.bracket) == step.until, (
                        f"{step} is not at a first rung of {first}, by bracket: {search}"
                    )

    def test_only_paused_trials_are_resumed(self) -> None:
        scheduler = self.make()
        for search in self._searches(scheduler):
            for step in search.steps():
                if isinstance(step, Resume):
                    assert scheduler.resumes, f"{step}, though `resumes` is False: {search}"
                    state = State(int(search.history.states[step.number]))
                    assert state == State.PAUSED, f"{step} of a trial that is {state!r}: {search}"

    def test_parent_has_trained_at_least_as_long_as_its_child(self) -> None:
        for search in self._searches(self.make()):
            for step in search.steps():
                if isinstance(step, Resume) and step.parent is not None:
                    epochs, states = search.history.epochs, search.history.states
                    assert step.parent != step.number, f"{step} is its own parent: {search}"
                    wrong = f"{step} takes over a state that does not exist: {search}"
                    assert states[step.parent] != State.INFEASIBLE, wrong
                    assert epochs[step.parent] >= epochs[step.number], wrong

    def test_budget_is_above_trained_epochs_and_at_most_max_epochs(self) -> None:
        scheduler = self.make()
        for search in self._searches(scheduler):
            for step in search.steps():
                begun = search.history.epochs[step.number] if isinstance(step, Resume) else 0
                trained = int(begun)
                assert trained < step.until <= scheduler.max_epochs, (
                    f"{step} after {trained} epochs, `max_epochs` is {scheduler.max_epochs}: "
                    f"{search}"
                )

    def test_goes_on_returns_at_most_max_epochs(self) -> None:
        scheduler = self.make()
        for search in self._searches(scheduler):
            search.run()
            longest = max(search.budgets, default=0)
            assert longest <= scheduler.max_epochs, (
                f"`goes_on` returns {longest}, `max_epochs` is {scheduler.max_epochs}: {search}"
            )

    def test_history_is_unchanged_after_each_call(self) -> None:
        for search in self._searches(_Checked(self.make())):
            for _ in search.steps():
                search.scheduler.needed(search.history, max_trials=search.max_trials)

    def test_steps_are_equal_with_equal_seeds(self) -> None:
        scheduler = self.make()
        for search, again, other in zip(
            self._searches(scheduler),
            self._searches(scheduler),
            self._searches(self.make()),
            strict=True,
        ):
            first = search.run()
            assert again.run() == first, f"a second search takes other steps: {search}"
            assert other.run() == first, f"a second scheduler takes other steps: {search}"

    def test_step_is_the_same_when_asked_again(self) -> None:
        for search in self._searches(self.make()):
            for step in search.steps():
                again = search.next_step()
                assert again == step, f"a second call returned {again}, not {step}: {search}"

    def test_resumed_state_was_needed_at_every_step_before(self) -> None:
        for search in self._searches(self.make()):
            for known in (None, search.max_trials):
                self._check_needed(search, known)

    def test_needed_has_one_integer_for_each_trial(self) -> None:
        for search in self._searches(self.make()):
            for _ in search.steps():
                needed = search.scheduler.needed(search.history, max_trials=search.max_trials)
                assert needed.shape == (len(search.history),), f"shape {needed.shape}: {search}"
                assert np.issubdtype(needed.dtype, np.integer), f"{needed.dtype}: {search}"

    def test_epochs_and_trials_of_a_plan_are_consistent(self) -> None:
        scheduler = self.make()
        for max_trials in (None, *self._sizes()):
            below: dict[int, tuple[int, float]] = {}
            for rung in scheduler.plan(max_trials):
                epochs, trials = below.get(rung.bracket, (0, math.inf))
                assert epochs < rung.epochs <= scheduler.max_epochs, f"{rung} after {epochs} epochs"
                assert 1 <= rung.trials <= trials, f"{rung} comes after a rung of {trials} trials"
                trained = rung.trials * (rung.epochs - epochs)
                assert rung.new_epochs == trained, f"{rung}, though {trained} epochs are trained"
                below[rung.bracket] = rung.epochs, rung.trials

    def test_plan_starts_at_most_max_trials(self) -> None:
        scheduler = self.make()
        for max_trials in self._sizes():
            first = {rung.bracket: rung.trials for rung in reversed(scheduler.plan(max_trials))}
            planned = sum(first.values())
            assert planned <= max_trials, f"{planned} trials are planned, of {max_trials}"

    def _check_needed(self, search: SimulatedSearch, known: int | None) -> None:
        """Run a search, and check that no deleted state is resumed."""
        if search.kind == "diverging" and not self.needs_states_after_failures:
            return
        deleted: IntArray = np.zeros(0, dtype=np.int64)  # states of fewer epochs are deleted
        for step in search.steps():
            needed = search.scheduler.needed(search.history, max_trials=known)
            before = np.pad(deleted, (0, len(needed) - len(deleted)))
            deleted = np.maximum(before, needed)
            if isinstance(step, Resume):
                source = step.number if step.parent is None else step.parent
                epoch = int(search.history.epochs[step.number])
                assert deleted[source] <= epoch, (
                    f"{step} needs the state of trial {source} after {epoch} epochs, which was "
                    f"not needed before (`max_trials` {known}): {search}"
                )

    def _sizes(self) -> list[int]:
        return sorted({1, (self.max_trials + 2) // 3, self.max_trials})

    def _searches(self, scheduler: Scheduler) -> Iterator[SimulatedSearch]:
        """Yield one search of each kind."""
        kinds: list[tuple[str, Mapping[int, int]]] = [
            ("noisy", {}),
            ("noisy", _FAILURES),
            ("equal", _FAILURES),
            ("diverging", {}),
        ]
        for workers, max_trials, kind in itertools.product((1, 4), self._sizes(), kinds):
            if workers <= max_trials or workers == 1:
                loss, fails = kind
                yield SimulatedSearch(
                    scheduler, LOSSES[loss], workers, max_trials, fails, kind=loss
                )


def _noisy(number: int, epoch: int) -> float:
    """Return the loss of a trial of some quality whose curve falls and is noisy."""
    quality, noise = np.random.default_rng([number, epoch]).random(), number * 7 % 11
    return float(noise + quality + 5 / epoch)


def _equal(number: int, epoch: int) -> float:  # noqa: ARG001
    return 1.0


def _diverging(number: int, epoch: int) -> float:
    return math.inf if number % 3 == 1 and epoch > 1 + number % 2 else _noisy(number, epoch)


#: Losses by trial and epoch (from 1) for the searches of the contract.
LOSSES: dict[str, Loss] = {"noisy": _noisy, "equal": _equal, "diverging": _diverging}


@dataclass
class SimulatedSearch:
    """A search that carries out the steps of a scheduler without any training.

    Args:
        scheduler: The scheduler that decides.
        loss: Returns the loss of a trial, by its number, after an epoch, counted from 1.
        workers: Number of trials that train at the same time, an epoch in each unit of time.
            Defaults to 1.
        max_trials: Number of trials that may start, None for no limit. Defaults to None.
        fails: The epoch in which a trial fails, counted from 1, by the trial's number. Defaults to
            no failures.
        seed: Seed of the search. Defaults to 0.
        kind: Description of `loss`, for messages. Defaults to an empty one.
        max_steps: Number of steps after which a search counts as endless. Defaults to 2,000.

    >>> from kt_extras.schedulers import SuccessiveHalving
    >>> halving = SuccessiveHalving(max_epochs=3)
    >>> search = SimulatedSearch(halving, lambda number, epoch: number, max_trials=3)
    >>> search.run()[-1], search.history.epochs.tolist()
    (Resume(number=0, until=3, parent=None, point=None), [3, 1, 1])
    """

    scheduler: Scheduler = field(repr=False)
    loss: Loss = field(repr=False)
    workers: int = 1
    max_trials: int | None = None
    fails: Mapping[int, int] = field(default_factory=dict)
    seed: int = 0
    kind: str = ""
    max_steps: int = field(default=2_000, repr=False)

    def __post_init__(self) -> None:
        self.history = History(SPACE)
        self.budgets: list[int] = []  # the results of `goes_on`

    @property
    def may_start(self) -> bool:
        """Whether a trial may start now."""
        return self.max_trials is None or len(self.history) < self.max_trials

    def next_step(self) -> Step | None:
        """Return what a free worker should do now."""
        return self.scheduler.next_step(self.history, seed=self.seed, may_start=self.may_start)

    def run(self) -> list[Step]:
        """Run the search from its beginning to its end; return its steps."""
        return list(self.steps())

    def steps(self) -> Iterator[Step]:
        """Run the search from its beginning; yield each step just before it is carried out."""
        self.history, self.budgets = History(SPACE), []
        busy: list[tuple[int, int]] = []  # numbers and budgets
        taken = 0
        while True:
            while len(busy) < self.workers and (step := self.next_step()) is not None:
                taken += 1
                assert taken <= self.max_steps, f"no end after {self.max_steps} steps: {self}"
                yield step
                busy.append((self._begin(step), step.until))
            if not busy:
                return
            after = [(number, self._epoch(number, until)) for number, until in sorted(busy)]
            busy = [(number, until) for number, until in after if until is not None]

    def _begin(self, step: Step) -> int:
        """Return the number of a trial that is started or resumed."""
        history = self.history
        if isinstance(step, Start):
            point = Random().suggest(history, SPACE, trial_rng(self.seed, len(history)))
            return history.start(point, step.bracket)
        history.resume(step.number)
        if step.point is not None:
            history.change(step.number, int(history.epochs[step.number]), step.point)
        return step.number

    def _epoch(self, number: int, until: int) -> int | None:
        """Train an epoch; return the budget with which the trial goes on, None if it stops."""
        history, scheduler = self.history, self.scheduler
        epoch = int(history.epochs[number]) + 1
        loss = self.loss(number, epoch)
        if self.fails.get(number) == epoch or not (scheduler.revives or math.isfinite(loss)):
            history.finish(number, State.INFEASIBLE, math.inf)
            return None
        history.report(number, epoch - 1, loss)
        if epoch < until:
            return until
        state = State.COMPLETED
        if epoch < scheduler.max_epochs:
            may_start, seed = self.may_start, self.seed
            more = scheduler.goes_on(history, number, seed=seed, may_start=may_start)
            self.budgets.append(more)
            if more > epoch:
                return more
            state = State.PAUSED if scheduler.resumes else State.PRUNED
        history.finish(number, state, history.curve(number).best)
        return None


class _Checked:
    """A scheduler whose methods raise if they change the history."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.max_epochs, self.plan = scheduler.max_epochs, scheduler.plan
        self.resumes, self.revives = scheduler.resumes, scheduler.revives
        self._scheduler = scheduler

    def next_step(self, history: History, *, seed: int, may_start: bool) -> Step | None:
        with _unchanged(history, "next_step"):
            return self._scheduler.next_step(history, seed=seed, may_start=may_start)

    def goes_on(self, history: History, number: int, *, seed: int, may_start: bool) -> int:
        with _unchanged(history, "goes_on"):
            return self._scheduler.goes_on(history, number, seed=seed, may_start=may_start)

    def needed(self, history: History, *, max_trials: int | None) -> IntArray:
        with _unchanged(history, "needed"):
            return self._scheduler.needed(history, max_trials=max_trials)


@contextmanager
def _unchanged(history: History, method: str) -> Iterator[None]:
    before = snapshot(history)
    yield
    assert snapshot(history) == before, f"`{method}` has changed the history."
