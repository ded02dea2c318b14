from pathlib import Path

import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.arguments import check_project_name, names_in
from kt_extras.oracles.arguments import (
    check_count,
    check_executions,
    check_fraction,
    check_hyperparameters,
)


@pytest.mark.parametrize("value", ["a", 1.5, 0, True, float("inf"), float("nan"), [3]])
def test_check_count_names_the_argument_when_it_is_not_a_count(value):
    with pytest.raises(ValueError, match="`max_trials` must be an integer from 1 or None, got"):
        check_count("max_trials", value, minimum=1)


@pytest.mark.parametrize("value", [None, 1, 3.0, np.int64(2)])
def test_check_count_accepts_integers_and_none(value):
    check_count("max_trials", value, minimum=1)


@pytest.mark.parametrize("name", ["max_trials", "seed"])
def test_a_tuner_refuses_a_string_where_a_count_is_needed(name):
    with pytest.raises(ValueError, match=f"`{name}` must be an integer from . or None, got 'a'"):
        kte.TPE(print, "val_loss", **{name: "a"})


@pytest.mark.parametrize("value", ["a", 0, 1.5, True])
def test_check_fraction_refuses_what_is_not_a_fraction(value):
    with pytest.raises(ValueError, match="`part` must be above 0 and at most 1, or None"):
        check_fraction("part", value)


@pytest.mark.parametrize("value", [0, 1.5, "2", None])
def test_check_executions_refuses_what_is_not_an_integer_from_1(value):
    with pytest.raises(ValueError, match="`executions_per_trial` must be an integer from 1, got"):
        check_executions(value)


def test_hyperparameters_are_refused_when_given_as_a_dictionary():
    check_hyperparameters(keras_tuner.HyperParameters())
    with pytest.raises(TypeError, match=r"`hyperparameters` must be a .* got {'a': 1}.*`enqueue`"):
        check_hyperparameters({"a": 1})


def test_a_project_name_is_refused_when_it_is_a_number():
    check_project_name(Path("digits"))
    with pytest.raises(TypeError, match="`project_name` must be a text or None, got 3"):
        check_project_name(3)


def test_names_in_accepts_any_collection_and_none():
    assert names_in("mutable", {"rate": 1}) == ("rate",)
    assert names_in("mutable", None) is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"executions_per_trial": 0}, ValueError, "`executions_per_trial` must be an integer"),
        ({"executions_per_trial": 1.5}, ValueError, "`executions_per_trial` must be an integer"),
        ({"project_name": 3}, TypeError, "`project_name` must be a text"),
        ({"hyperparameters": {"a": 1}}, TypeError, "`hyperparameters` must be a"),
        ({"objective": []}, ValueError, "`objective` must name at least one metric"),
    ],
)
def test_a_tuner_refuses_wrong_arguments_when_it_is_constructed(
    arguments, error, message, tmp_path
):
    with pytest.raises(error, match=message):
        kte.TPE(print, **{"objective": "loss", "directory": str(tmp_path), **arguments})


@pytest.mark.parametrize(
    ("name", "arguments", "cure"),
    [
        (
            "TPE",
            {"sampler": "gp"},
            r"SamplerOracle\(kt_extras.samplers.GaussianProcess\(",
        ),
        ("TPE", {"factor": 3}, r"use `kt_extras.Hyperband\(max_epochs"),
        ("TPE", {"max_epochs": 9}, r"`epochs` that are passed to `search`.*`kt_extras.ASHA`"),
        ("TPE", {"direction": "max"}, r"keras_tuner.Objective\(\"val_accuracy\", \"max\"\)"),
        ("TPE", {"n_trials": 9}, "called `max_trials` here"),
        ("TPE", {"epochs": 9}, "pass it to `search`"),
        ("TPE", {"num_initial_points": 9}, "n_startup_trials"),
        ("TPE", {"gamma": 0.2}, r"samplers.TPE\(quantile="),
        ("TPE", {"n_ei_candidates": 9}, r"samplers.TPE\(candidates="),
        ("TPE", {"multivariate": True}, r"samplers.TPE\(multivariate="),
        ("TPE", {"patience": 9}, "`max_trials_without_improvement`.*EarlyStopping"),
        ("TPE", {"catch": ValueError}, "the search goes on; `max_consecutive_failed_trials`"),
        ("TPE", {"points_to_evaluate": []}, r"`tuner.enqueue\(...\)`"),
        ("ASHA", {"brackets": 2}, "use `kt_extras.BOHB`"),
        ("TPE", {"alpha": 1e-4}, "leave it out, or use `kt_extras.BayesianOptimization`"),
        ("Evolution", {"factor": 3}, "kt_extras.Hyperband.*kt_extras.BOHB"),
        ("Hyperband", {"reduction_factor": 3}, "called `factor` here"),
        ("Hyperband", {"eta": 3}, "called `factor` here"),
        ("Hyperband", {"iterations": 3}, "called `hyperband_iterations` here"),
        ("Hyperband", {"min_epochs": 3}, "use `kt_extras.BOHB`, which has the argument"),
        ("BayesianOptimization", {"n_startup_trials": 3}, "called `num_initial_points` here"),
        ("ASHA", {"factor": 3}, "called `reduction_factor` here"),
        ("ASHA", {"grace_period": 3}, "called `min_epochs` here"),
        ("BOHB", {"factor": 3}, "called `reduction_factor` here"),
        ("BOHB", {"hyperband_iterations": 3}, "called `iterations` here"),
        ("PBT", {"perturbation_interval": 3}, "called `interval` here"),
        ("PBT", {"direction": "max"}, "keras_tuner.Objective"),
    ],
)
def test_a_borrowed_argument_is_answered_with_what_does_the_same(name, arguments, cure):
    for preset in (getattr(kte, name), getattr(kte, f"{name}Oracle")):
        with pytest.raises(TypeError, match=f"{next(iter(arguments))}`.*{cure}"):
            preset(objective="val_loss", **arguments)


@pytest.mark.parametrize(
    ("oracle", "cure"),
    [
        ("RandomSearchOracle", "`kt_extras.RandomSearchOracle`"),
        ("GridSearchOracle", "`kt_extras.GridSearchOracle`"),
        ("BayesianOptimizationOracle", "`kt_extras.BayesianOptimizationOracle`"),
        ("HyperbandOracle", "`kt_extras.HyperbandOracle`"),
    ],
)
def test_an_oracle_of_keras_tuner_is_answered_with_ours(oracle, cure):
    theirs = getattr(keras_tuner.oracles, oracle)("val_loss")
    with pytest.raises(TypeError, match=f"In place of `{oracle}`, use .*{cure}.*keras_tuner.Tuner"):
        kte.Tuner(theirs, print)


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("GridSampler", "`kt_extras.GridSearch`"),
        ("HyperbandPruner", "`kt_extras.Hyperband`.*kt_extras.BOHB"),
        ("GPSampler", "`kt_extras.BayesianOptimization`"),
        ("create_study", "kt_extras.TPE"),
        ("ASHAScheduler", "kt_extras.ASHA"),
    ],
)
def test_a_borrowed_name_is_answered_with_what_does_the_same(name, cure):
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; use .*{cure}"):
        getattr(kte, name)


def test_a_name_that_nothing_has_gets_the_usual_answer():
    with pytest.raises(AttributeError, match=r"has no attribute 'Nonsense'$"):
        _ = kte.Nonsense
