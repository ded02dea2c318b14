"""Toy problems with known optima for the comparison of samplers, in NumPy alone.

Branin and Hartmann-6 are as tabulated by Surjanovic & Bingham (Virtual Library of Simulation
Experiments, 2013); Rosenbrock (1960) is put on logarithmic axes.  `conditional` is our own: a
choice of a model with conditional hyperparameters, where the branch with the optimum is worse than
the others nearly everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Choice, Condition, Dimension, Float, Point
from kt_extras.search.space import Space

_HARTMANN_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_HARTMANN_A = np.array(
    [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ]
)
_HARTMANN_P = 1e-4 * np.array(
    [
        [1312.0, 1696.0, 5569.0, 124.0, 8283.0, 5886.0],
        [2329.0, 4135.0, 8307.0, 3736.0, 1004.0, 9991.0],
        [2348.0, 1451.0, 3522.0, 2883.0, 3047.0, 6650.0],
        [4047.0, 8828.0, 8732.0, 5743.0, 1091.0, 381.0],
    ]
)
_ROSENBROCK_EDGE = 2.048
_BROAD_FLOOR, _SHARP_FLOOR, _PLATEAU = 0.10, 0.05, 0.25


@dataclass(frozen=True)
class Problem:
    """A loss function over a space, with its minimum.

    Args:
        name: Name of the problem, for tables.
        space: Search space.
        function: Returns the loss at a point.
        optimum: The lowest loss.

    >>> problem = branin()
    >>> round(problem({"x": math.pi, "y": 2.275}), 6), round(problem.optimum, 6)
    (0.397887, 0.397887)
    """

    name: str
    space: Space
    function: Callable[[Point], float] = field(repr=False)
    optimum: float

    def __call__(self, point: Point) -> float:
        """Return the loss at a point."""
        return float(self.function(point))


def branin() -> Problem:
    """Return the function of Branin: two real axes, three global minima."""
    space = Space([Float("x", -5.0, 10.0), Float("y", 0.0, 15.0)])
    return Problem("branin", space, _branin, optimum=10.0 / (8.0 * math.pi))


def hartmann6() -> Problem:
    """Return the six-dimensional function of Hartmann: six local minima, one of them global."""
    space = Space([Float(f"x{i}", 0.0, 1.0) for i in range(6)])
    return Problem("hartmann6", space, _hartmann6, optimum=-3.322368011415515)


def rosenbrock5_log() -> Problem:
    """Return log10(1 + Rosenbrock) of five axes: a curved valley across the axes.

    Each axis is logarithmic on [1e-5, 10]; its logarithm runs over Rosenbrock's [-2.048, 2.048].
    """
    space = Space([Float(f"x{i}", 1e-5, 10.0, sampling="log") for i in range(5)])
    return Problem("rosenbrock5_log", space, _rosenbrock5_log, optimum=0.0)


def conditional(
    broad: tuple[str, ...] = ("mlp",), sharp: str = "svm", *, width: float = 0.3
) -> Problem:
    """Return a choice between models that each have three hyperparameters of their own.

    The loss of a model in `broad` is quadratic, with a minimum of 0.10, 0.12, ...  That of `sharp`
    is 0.25 nearly everywhere and has a narrow minimum of 0.05, which is the optimum.

    Args:
        broad: Names of the models with quadratic losses, at least one. Defaults to `("mlp",)`.
        sharp: Name of the model with the optimum. Defaults to `"svm"`.
        width: Width of the narrow minimum, above 0: at this distance, on the unit cube, its depth
            has decreased to 1/e. Defaults to 0.3.

    Raises:
        ValueError: `broad` is empty, a name is used twice, or `width` is not above 0.

    >>> problem = conditional()
    >>> best = {"model": "svm", "svm_0": 0.7, "svm_1": 0.25, "svm_2": 0.6}
    >>> round(problem(best), 3), problem.space.names[:2]
    (0.05, ('model', 'mlp_0'))
    """
    models = (*broad, sharp)
    if not broad or len(set(models)) < len(models):
        raise ValueError(
            f"`broad` and `sharp` must be different names, got {broad!r} and {sharp!r}."
        )
    if not width > 0:
        raise ValueError(f"`width` must be above 0, got {width!r}; 0.3 is the default.")

    def loss(point: Point) -> float:
        model = point["model"]
        x = np.array([point[f"{model}_{axis}"] for axis in range(3)])
        if model == sharp:
            distance = float(np.linalg.norm(x - np.array([0.7, 0.25, 0.6])))
            return _PLATEAU - (_PLATEAU - _SHARP_FLOOR) * math.exp(-distance / width)
        bowl = float(np.sum((x - np.array([0.3, 0.6, 0.5])) ** 2))
        return _BROAD_FLOOR + 0.02 * broad.index(model) + 0.25 * bowl

    dimensions: list[Dimension] = [Choice("model", models)]
    for model in models:
        conditions = (Condition("model", (model,)),)
        dimensions += [Float(f"{model}_{a}", 0.0, 1.0, conditions=conditions) for a in range(3)]
    return Problem("conditional", Space(dimensions), loss, optimum=_SHARP_FLOOR)


def _branin(point: Point) -> float:
    x, y = point["x"], point["y"]
    valley = y - 5.1 * x**2 / (4.0 * math.pi**2) + 5.0 * x / math.pi - 6.0
    return float(valley**2 + 10.0 * (1.0 - 1.0 / (8.0 * math.pi)) * math.cos(x) + 10.0)


def _hartmann6(point: Point) -> float:
    x = np.array([point[f"x{i}"] for i in range(6)])
    exponents: FloatArray = np.sum(_HARTMANN_A * (x - _HARTMANN_P) ** 2, axis=1)
    return -float(_HARTMANN_ALPHA @ np.exp(-exponents))


def _rosenbrock5_log(point: Point) -> float:
    decades = np.array([math.log10(point[f"x{i}"]) for i in range(5)])
    x = _ROSENBROCK_EDGE * ((decades + 5.0) / 3.0 - 1.0)
    valley = 100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2
    return math.log10(1.0 + float(np.sum(valley)))
