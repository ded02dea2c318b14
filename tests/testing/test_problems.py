"""The toy problems have the optima of their papers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.testing.problems import branin, conditional, hartmann6, rosenbrock5_log

ALL = [branin(), hartmann6(), rosenbrock5_log(), conditional()]


@pytest.mark.parametrize("at", [(-math.pi, 12.275), (math.pi, 2.275), (9.42478, 2.475)])
def test_branin_equals_its_optimum_at_three_points(at):
    assert branin()({"x": at[0], "y": at[1]}) == pytest.approx(branin().optimum, abs=1e-6)


def test_hartmann_equals_its_optimum_at_its_tabulated_minimum():
    at = (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573)
    loss = hartmann6()({f"x{i}": x for i, x in enumerate(at)})
    assert loss == pytest.approx(hartmann6().optimum, abs=1e-5)


def test_rosenbrock_is_zero_when_every_axis_is_one():
    one = 10 ** (-5 + 6 * (1 + 2.048) / 4.096)
    assert rosenbrock5_log()({f"x{i}": one for i in range(5)}) == pytest.approx(0.0, abs=1e-9)


def test_branch_of_the_optimum_is_worse_on_average():
    problem, rng = conditional(), np.random.default_rng(0)
    points = [problem.space.decode(row) for row in rng.random((2000, len(problem.space)))]
    losses = {
        model: [problem(point) for point in points if point["model"] == model]
        for model in ("mlp", "svm")
    }
    assert np.mean(losses["svm"]) > np.mean(losses["mlp"])
    best = {"model": "svm", "svm_0": 0.7, "svm_1": 0.25, "svm_2": 0.6}
    assert problem(best) == pytest.approx(0.05)
    assert problem({"model": "mlp", "mlp_0": 0.3, "mlp_1": 0.6, "mlp_2": 0.5}) == pytest.approx(0.1)


@given(number=st.integers(0, 3), unit=st.lists(st.floats(0, 1), min_size=7, max_size=7))
def test_loss_is_at_least_the_optimum_at_every_point(number, unit):
    problem = ALL[number]
    point = problem.space.decode(unit[: len(problem.space)])
    assert problem(point) >= problem.optimum - 1e-9


def test_conditional_has_all_branches_when_several_are_broad():
    problem = conditional(("mlp", "forest", "knn"), "svm", width=0.1)
    assert len(problem.space) == 1 + 4 * 3


@pytest.mark.parametrize("arguments", [((), "svm"), (("svm",), "svm")])
def test_conditional_raises_without_distinct_names(arguments):
    with pytest.raises(ValueError, match="`broad` and `sharp` must be different names"):
        conditional(*arguments)


def test_conditional_raises_for_a_width_of_0():
    with pytest.raises(ValueError, match="`width` must be above 0, got 0"):
        conditional(width=0)
