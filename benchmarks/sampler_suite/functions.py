"""Functions of the literature with known minima, and KerasTuner's own test problem.

As tabulated by Surjanovic & Bingham (Virtual Library of Simulation Experiments, 2013).  No minimum
is in the middle of its domain, where many samplers begin; one axis of `cube` and one of
`michalewicz` have theirs there.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kt_extras.search import Float, Point, Space
from kt_extras.testing.problems import Problem

_SHEKEL_BETA = 0.1 * np.array([1, 2, 2, 4, 4, 6, 3, 7, 5, 5])
_SHEKEL_C = np.array(
    [
        [4.0, 4.0, 4.0, 4.0],
        [1.0, 1.0, 1.0, 1.0],
        [8.0, 8.0, 8.0, 8.0],
        [6.0, 6.0, 6.0, 6.0],
        [3.0, 7.0, 3.0, 7.0],
        [2.0, 9.0, 2.0, 9.0],
        [5.0, 3.0, 5.0, 3.0],
        [8.0, 1.0, 8.0, 1.0],
        [6.0, 2.0, 6.0, 2.0],
        [7.0, 3.6, 7.0, 3.6],
    ]
)
_STYBLINSKI_TANG = -39.16616570377142  # the minimum of each axis
_STEP = 10.0  # between the plateaus of the rounded function


def on_box(
    name: str,
    function: Callable[[np.ndarray], float],
    bounds: list[tuple[float, float]],
    optimum: float,
) -> Problem:
    """Return a problem over real axes ``x0``, ``x1``, ... with the given bounds."""
    space = Space([Float(f"x{axis}", low, high) for axis, (low, high) in enumerate(bounds)])

    def loss(point: Point) -> float:
        return float(function(np.array([point[name] for name in space.names])))

    return Problem(name, space, loss, optimum)


def ackley() -> Problem:
    """Return Ackley's function of four axes: many shallow minima around a deep one."""

    def loss(x: np.ndarray) -> float:
        waves = math.exp(float(np.mean(np.cos(2 * math.pi * x))))
        return 20 + math.e - 20 * math.exp(-0.2 * math.sqrt(float(np.mean(x**2)))) - waves

    return on_box("ackley", loss, [(-15.0, 30.0)] * 4, optimum=0.0)


def camel() -> Problem:
    """Return the six-hump camel function of two axes: two global minima among six."""

    def loss(x: np.ndarray) -> float:
        a, b = x
        return (4 - 2.1 * a**2 + a**4 / 3) * a**2 + a * b + (-4 + 4 * b**2) * b**2

    return on_box("camel", loss, [(-3.0, 3.0), (-2.0, 2.0)], optimum=-1.031628453489877)


def cube() -> Problem:
    """Return the problem in KerasTuner's tests: two axes are flat in the middle, as cubes are."""

    def loss(x: np.ndarray) -> float:
        a, b, c, d = x
        return a**3 - b**3 - c + abs(d)

    return on_box("cube", loss, [(-1.0, 1.0)] * 4, optimum=-3.0)


def levy() -> Problem:
    """Return Levy's function of six axes: waves on a shallow bowl."""

    def loss(x: np.ndarray) -> float:
        w = 1 + (x - 1) / 4
        middle = (w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2)
        last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * math.pi * w[-1]) ** 2)
        return float(np.sin(math.pi * w[0]) ** 2 + middle.sum() + last)

    return on_box("levy", loss, [(-10.0, 10.0)] * 6, optimum=0.0)


def michalewicz() -> Problem:
    """Return the function of Michalewicz of five axes: narrow valleys between plains."""

    def loss(x: np.ndarray) -> float:
        steep = np.sin(np.arange(1, 6) * x**2 / math.pi) ** 20
        return -float(np.sum(np.sin(x) * steep))

    return on_box("michalewicz", loss, [(0.0, math.pi)] * 5, optimum=-4.687658179)


def shekel() -> Problem:
    """Return Shekel's function of four axes: ten narrow minima in a plain."""

    def loss(x: np.ndarray) -> float:
        return -float(np.sum(1 / (np.sum((x - _SHEKEL_C) ** 2, axis=1) + _SHEKEL_BETA)))

    return on_box("shekel", loss, [(0.0, 10.0)] * 4, optimum=-10.536443153)


def stairs() -> Problem:
    """Return the function of Styblinski and Tang of four axes, rounded down to whole tens."""

    def loss(x: np.ndarray) -> float:
        return _STEP * math.floor(0.5 * float(np.sum(x**4 - 16 * x**2 + 5 * x)) / _STEP)

    lowest = _STEP * math.floor(4 * _STYBLINSKI_TANG / _STEP)
    return on_box("stairs", loss, [(-5.0, 5.0)] * 4, optimum=lowest)
