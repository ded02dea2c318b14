"""The problems, by name, and their regret: 0 is the optimum, 1 the median of random points.

Two halves: the settings of our samplers were chosen on `CHOSEN_ON`; `JUDGED_ON` says what they are
worth.  Both have functions of the literature, tables of trained models, a conditional space,
plateaus, and half of the 24 functions of bbob, each of which is taken once, in real or in mixed
spaces (coco-experiment; Hansen et al. 2021, Tusar et al. 2019).

>>> problem = problem_named("cube")
>>> problem.optimum, problem.space.names
(-3.0, ('x0', 'x1', 'x2', 'x3'))
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.sampler_suite import functions, tables
from kt_extras.search import Dimension, Float, Int, Point, Space
from kt_extras.testing import problems as toys
from kt_extras.testing.problems import Problem

FUNCTIONS: dict[str, Callable[[], Problem]] = {
    "branin": toys.branin,
    "hartmann6": toys.hartmann6,
    "rosenbrock5_log": toys.rosenbrock5_log,
    "conditional": toys.conditional,
    "cube": functions.cube,
    "ackley": functions.ackley,
    "camel": functions.camel,
    "levy": functions.levy,
    "michalewicz": functions.michalewicz,
    "shekel": functions.shekel,
    "stairs": functions.stairs,
    "three_branches": lambda: toys.conditional(("mlp", "forest"), "svm", width=0.4),
}
# Suite, number of the function, dimensions and instance.
CHOSEN_ON = (
    *tables.HPOLIB,
    *tables.NAS_BENCH,
    *("branin", "hartmann6", "rosenbrock5_log", "conditional", "cube"),
    *("bbob_3_5_1", "bbob_7_2_1", "bbob_11_10_1", "bbob_15_5_1", "bbob_19_2_1", "bbob_23_10_1"),
    *("mixint_1_5_1", "mixint_5_10_1", "mixint_9_5_1"),
    *("mixint_13_10_1", "mixint_17_5_1", "mixint_21_10_1"),
)
JUDGED_ON = (
    *tables.RECORDED,
    *("ackley", "camel", "levy", "michalewicz", "shekel", "stairs", "three_branches"),
    *("bbob_2_5_1", "bbob_6_2_1", "bbob_10_10_1", "bbob_14_5_1", "bbob_18_2_1", "bbob_22_10_1"),
    *("mixint_4_5_1", "mixint_8_10_1", "mixint_12_5_1"),
    *("mixint_16_10_1", "mixint_20_5_1", "mixint_24_10_1"),
)
KINDS = {
    "tables": (*tables.HPOLIB, *tables.NAS_BENCH, *tables.RECORDED),
    "functions": tuple(set(FUNCTIONS) - {"conditional", "three_branches"}),
    "conditional": ("conditional", "three_branches"),
    "bbob": tuple(name for name in (*CHOSEN_ON, *JUDGED_ON) if name.startswith("bbob")),
    "bbob-mixint": tuple(name for name in (*CHOSEN_ON, *JUDGED_ON) if name.startswith("mixint")),
}


@functools.cache
def problem_named(name: str) -> Problem:
    """Return a problem; a table is read once a process."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]()
    if name in tables.RECORDED:
        return tables.recorded(name)
    if name in (*tables.HPOLIB, *tables.NAS_BENCH):
        return tables.packaged(name)
    return coco(name)


def coco(name: str) -> Problem:
    """Return a function of COCO: ``bbob_3_5_1`` is function 3 in 5 dimensions, instance 1."""
    import cocoex

    suite, *numbers = name.split("_")
    function, dimensions, instance = map(int, numbers)
    suite = {"bbob": "bbob", "mixint": "bbob-mixint"}[suite]
    of_suite = cocoex.Suite(suite, "", f"instance_indices: {instance}")
    found = of_suite.get_problem_by_function_dimension_instance(function, dimensions, instance)
    bounds = zip(found.lower_bounds, found.upper_bounds, strict=True)
    axes: list[Dimension] = [
        Int(f"x{axis}", round(low), round(high))
        if axis < found.number_of_integer_variables
        else Float(f"x{axis}", float(low), float(high))
        for axis, (low, high) in enumerate(bounds)
    ]
    space = Space(axes)

    def loss(point: Point) -> float:
        return float(found([float(point[name]) for name in space.names]))

    return Problem(name, space, loss, optimum=float(found(_best_parameter(found))))


def _best_parameter(problem) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return where the optimum is; of mixed functions COCO tells it in a file alone."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            problem._best_parameter("print")
            return np.loadtxt("._bbob_problem_best_parameter.txt")
        finally:
            os.chdir(before)


@functools.cache
def reference(name: str) -> float:
    """Return the median loss of random points."""
    problem, rng = problem_named(name), np.random.default_rng(0)
    draws = rng.random((2000, len(problem.space)))
    return float(np.median([problem(problem.space.decode(row)) for row in draws]))


def regret(name: str, losses: Sequence[float]) -> np.ndarray:
    """Return the normalised regret of the best loss so far, after each trial."""
    optimum = problem_named(name).optimum
    return (np.minimum.accumulate(losses) - optimum) / (reference(name) - optimum)
