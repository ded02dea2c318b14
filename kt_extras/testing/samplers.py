"""Tests of the requirements of samplers, to inherit for a sampler of your own."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Iterator, Mapping

import numpy as np

from kt_extras.samplers.random import Random
from kt_extras.search.dimensions import Boolean, Choice, Condition, Fixed, Float, Int, Point
from kt_extras.search.history import History, State
from kt_extras.search.sampler import Sampler, SpaceExhausted, trial_rng
from kt_extras.search.space import Space


class SamplerContract:
    """Base class of tests of a sampler: override `make` to return it.

    Each test method checks one requirement of the protocol and raises `AssertionError` if it is not
    met.

    Attributes:
        trials: Number of trials of the searches that the tests run. Defaults to 25.

    >>> class TestRandom(SamplerContract):
    ...     def make(self):
    ...         return Random()
    >>> TestRandom().test_suggestions_are_equal_with_equal_generators()
    """

    trials: int = 25

    def make(self) -> Sampler:
        """Return the sampler to test; called again by every test."""
        raise NotImplementedError("`make` must return the sampler to test; override it.")

    def spaces(self) -> Mapping[str, Space]:
        """Return the spaces to test, by name; override for a sampler that supports only some."""
        return toy_spaces()

    def test_suggestions_are_valid_after_any_history(self) -> None:
        sampler = self.make()
        for what, history in self._histories():
            _suggest(sampler, history, trial=len(history), what=what)

    def test_suggestions_are_valid_throughout_a_search(self) -> None:
        sampler = self.make()
        for name, space in self.spaces().items():
            history = History(space)
            for trial in range(self.trials):
                point = _suggest(sampler, history, trial=trial, what=f"trial {trial} of {name!r}")
                if point is None:
                    break
                history.start(point)
                end_trial(history, State(1 + trial % 3), loss=math.sin(trial))

    def test_suggestions_are_equal_with_equal_generators(self) -> None:
        sampler = self.make()
        for what, history in self._histories():
            first, again = (_suggest(sampler, history, trial=7, what=what) for _ in range(2))
            assert first == again, f"suggestions differ, {first} and {again}: {what}"
            other = _suggest(self.make(), history, trial=7, what=what)
            assert first == other, f"a second sampler suggests {other}, not {first}: {what}"

    def test_history_is_unchanged_after_a_suggestion(self) -> None:
        sampler = self.make()
        for what, history in self._histories():
            before = snapshot(history)
            _suggest(sampler, history, trial=7, what=what)
            assert snapshot(history) == before, f"the history was changed: {what}"

    def test_next_suggestion_is_the_same_after_one_is_changed(self) -> None:
        sampler = self.make()
        for what, history in self._histories():
            point = _suggest(sampler, history, trial=7, what=what)
            before = copy.deepcopy(point)
            if point is not None:
                point.clear()
            again = _suggest(sampler, history, trial=7, what=what)
            assert again == before, f"the sampler returned an object that it keeps: {what}"

    def test_global_generators_are_not_used(self) -> None:
        sampler = self.make()
        for what, history in self._histories():
            before = _global_generators()
            _suggest(sampler, history, trial=7, what=what)
            assert _global_generators() == before, f"a global generator was used: {what}"

    def test_suggestions_are_valid_after_hyperparameters_are_added(self) -> None:
        mlp = Condition("model", ("mlp",))
        old = Space([Choice("model", ("mlp", "svm")), Float("c", 0, 1)])
        new = Space([*old.dimensions, Int("units", 1, 9, conditions=(mlp,)), Boolean("bias")])
        self._check_in_another_space(old, new, what="hyperparameters were added")

    def test_suggestions_are_valid_after_the_space_is_narrowed(self) -> None:
        old = Space([Choice("model", ("mlp", "svm", "knn")), Float("c", 0, 1), Int("n", 1, 9)])
        new = Space([Choice("model", ("mlp", "svm")), Float("c", 0.4, 0.6)])
        self._check_in_another_space(old, new, what="options were removed")

    def _check_in_another_space(self, old: Space, new: Space, *, what: str) -> None:
        sampler = self.make()
        for kind, history in toy_histories(old):
            moved = history.moved_to(new)
            _suggest(sampler, moved, trial=len(moved), what=f"{what}, {kind}")

    def _histories(self) -> Iterator[tuple[str, History]]:
        for name, space in self.spaces().items():
            for kind, history in toy_histories(space):
                yield f"space {name!r}, {kind}", history


def toy_spaces() -> dict[str, Space]:
    """Return small spaces with every kind of dimension and condition, by name.

    >>> sorted(toy_spaces())
    ['conditional', 'empty', 'finite', 'mixed', 'nested', 'one value', 'stepped', 'twins']
    """
    a, b = Condition("branch", ("a",)), Condition("branch", ("b",))
    branch, deep = Choice("branch", ("a", "b")), Condition("depth", (2, 3))
    return {
        "empty": Space([]),
        "one value": Space([Fixed("x", 5), Float("y", 2 / 3, 2 / 3), Int("z", 3, 3)]),
        "finite": Space([Choice("act", ("relu", "tanh", "elu")), Int("units", 1, 6)]),
        "mixed": Space(
            [
                Float("x", -1, 1),
                Float("rate", 1e-5, 1e-1, sampling="log"),
                Int("units", 8, 512),
                Choice("act", ("relu", "tanh", "elu")),
                Boolean("bias"),
            ]
        ),
        "stepped": Space(
            [
                Float("drop", 0, 1, step=0.2),
                Float("decay", 1e-4, 1e-1, step=10, sampling="log"),
                Float("momentum", 0.1, 0.999, sampling="reverse_log"),
                Int("units", 8, 256, step=2, sampling="log"),
                Int("layers", 1, 100, sampling="log"),
                Choice("batch", (16, 32, 64, 128), ordered=True),
            ]
        ),
        "conditional": Space(
            [branch, Float("x", 0, 1, conditions=(a,)), Int("n", 1, 4, None, "linear", (b,))]
        ),
        "nested": Space(
            [
                branch,
                Int("depth", 1, 3, conditions=(a,)),
                Float("slope", 0, 1, conditions=(a, deep)),
                Boolean("bias", conditions=(deep,)),
            ]
        ),
        "twins": Space(
            [branch, Int("n", 1, 4, conditions=(a,)), Int("n", 100, 200, conditions=(b,))]
        ),
    }


def toy_histories(space: Space) -> Iterator[tuple[str, History]]:
    """Yield histories in a space, each after a description."""
    yield "nothing seen", History(space)
    yield "all running", _history(space, [State.RUNNING] * 6, [math.inf])
    yield "all failed", _history(space, [State.INFEASIBLE] * 12, [math.inf])
    yield "all diverged", _history(space, [State.COMPLETED] * 12, [math.nan])
    yield "all pruned", _history(space, [State.PRUNED] * 12, [3.0, 1.0, 2.0])
    yield "all alike", _history(space, [State.COMPLETED] * 12, [0.5])
    yield "extreme losses", _history(space, [State.COMPLETED] * 12, [1e300, -1e300, 0.0])
    yield "all states", _history(space, [*State] * 5, [0.3, 0.1, math.nan, -0.2, 0.4, 0.0, 9.0])
    yield "one completed", _history(space, [State.COMPLETED], [0.0])
    yield "one point only", _history(space, [State.COMPLETED] * 12, [1.0, 2.0], repeat=True)


def end_trial(history: History, state: State, *, loss: float) -> None:
    """Report two epochs of the last trial of a history, and end it."""
    number = len(history) - 1
    for step in range(2):
        history.report(number, step, loss + 1 - step)
    history.finish(number, state, loss)


def check_point(point: Point, space: Space, *, what: str = "") -> None:
    """Raise `AssertionError` unless a point is one of the space and its values are plain Python.

    >>> check_point({"units": 4}, Space([Int("units", 1, 4)]))
    """
    active = space.active(point)
    expected = sorted(dimension.name for dimension in active)
    assert sorted(point) == expected, f"{point} must have values of {expected} alone: {what}"
    for dimension in active:
        value = point[dimension.name]
        assert dimension.contains(value), f"{value!r} is not in {dimension}: {what}"
        if math.isfinite(dimension.size):
            nearest = dimension.from_unit(dimension.to_unit(value))
            assert value == nearest, f"{value!r} is not on the grid of {dimension}: {what}"
    plain = (bool, int, float, str, type(None))
    other = {name: type(value) for name, value in point.items() if type(value) not in plain}
    assert not other, f"values must be of plain Python types, got {other}: {what}"
    json.dumps(point)


def _suggest(sampler: Sampler, history: History, *, trial: int, what: str) -> Point | None:
    """Return a checked suggestion, or None if all points of the space have been tried."""
    try:
        point = sampler.suggest(history, history.space, trial_rng(0, trial))
    except SpaceExhausted:
        finite = math.isfinite(history.space.size)
        assert finite, f"SpaceExhausted was raised for a continuous space: {what}"
        left = [point for point in history.space.points() if not history.tried(point)]
        assert not left, f"SpaceExhausted was raised, but {left[0]} was not tried: {what}"
        return None
    check_point(point, history.space, what=what)
    return point


def _history(
    space: Space, states: list[State], losses: list[float], *, repeat: bool = False
) -> History:
    history = History(space)
    for trial, state in enumerate(states):
        draw = 0 if repeat else trial
        history.start(Random().suggest(history, space, trial_rng(1, draw)))
        if state != State.RUNNING:
            end_trial(history, state, loss=losses[trial % len(losses)])
    return history


def snapshot(history: History) -> str:
    """Return all contents of a history, for comparisons."""
    columns = (history.unit, history.losses, history.states, history.epochs, history.brackets)
    curves = [history.curve(number).losses.tolist() for number in range(len(history))]
    return repr(([column.tolist() for column in columns], list(history.points), curves))


def _global_generators() -> tuple[object, ...]:
    state = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - only to compare it
    return random.getstate(), state["pos"], state["key"].tobytes()
