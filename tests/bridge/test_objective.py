import inspect
import re

import keras
import keras_tuner
import numpy as np
import pytest

from kt_extras.bridge.objective import (
    MAXIMISED,
    MINIMISED,
    direction_of,
    loss_of,
    names_of,
    resolve_objective,
    sum_text,
    value_in,
)

UNKNOWN_ON_PURPOSE = {"mean", "sum", "metric", "mean_metric_wrapper", "mean_tensor", "loss"}
HELPERS = {"deserialize", "experimental", "get", "serialize", "reduction", "Reduction"}


def snake(name):
    """Turn a class name into the default name of its instances, as Keras does."""
    name = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


@pytest.mark.parametrize("module", [keras.metrics, keras.losses])
def test_every_metric_and_loss_of_keras_has_a_direction(module):
    names = {
        snake(name)
        for name in dir(module)
        if not name.startswith("_")
        and (inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name)))
    }
    assert names - UNKNOWN_ON_PURPOSE - HELPERS - MAXIMISED - MINIMISED == set()


def logged_by_keras(identifier):
    """Return the name under which Keras logs a metric given as a text, None if it refuses it."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=[identifier])
    try:
        model.evaluate(np.eye(2), np.eye(2), verbose=0)
    except Exception:  # what Keras does not take as a metric, or not for such labels
        return None
    return {*model.get_metrics_result()} - {"loss"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", [pytest.param(keras.metrics, marks=pytest.mark.exhaustive), keras.losses]
)
def test_what_keras_logs_has_the_direction_of_the_identifier(module):
    identifiers = {name for name in dir(module) if not name.startswith("_")} - HELPERS
    identifiers = {name for name in identifiers if snake(name) not in UNKNOWN_ON_PURPOSE}
    logged = {name: logged_by_keras(name) for name in identifiers}
    found = {name: names.pop() for name, names in logged.items() if names}
    assert len(found) > 20
    for name, log in found.items():
        directions = {resolve_objective(f"{before}{log}").direction for before in ("", "val_")}
        assert directions == {resolve_objective(snake(name)).direction}


@pytest.mark.parametrize("module", [keras.metrics, keras.losses])
def test_every_spelling_of_a_metric_has_the_same_direction(module):
    names = {name for name in dir(module) if not name.startswith("_")} - HELPERS
    for name in names:
        if snake(name) not in UNKNOWN_ON_PURPOSE:
            spellings = (name, snake(name), f"val_{name}", f"val_{name}_1", f"val_head_{name}_2")
            assert len({resolve_objective(spelling).direction for spelling in spellings}) == 1


def test_no_name_has_two_directions():
    assert not MAXIMISED & MINIMISED


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("val_f1_score", "max"),
        ("val_accuracy", "max"),
        ("val_auc", "max"),
        ("val_auc_3", "max"),
        ("val_recall", "max"),
        ("val_r2_score", "max"),
        ("val_mean_io_u", "max"),
        ("val_precision_at_recall", "max"),
        ("val_cosine_similarity", "max"),
        ("weighted_accuracy", "max"),
        ("val_digit_sparse_categorical_accuracy", "max"),
        ("val_digit_loss", "min"),
        ("loss", "min"),
        ("val_mse", "min"),
        ("val_root_mean_squared_error", "min"),
        ("val_false_negatives", "min"),
        ("val_kl_divergence", "min"),
        ("val_BinaryAccuracy", "max"),
        ("val_AUC", "max"),
        ("val_RootMeanSquaredError", "min"),
        ("val_BinaryCrossentropy", "min"),
        ("val_BinaryAccuracy_1", "max"),
        ("val_digit_BinaryAccuracy", "max"),
        ("val_MSE", "min"),
        ("val_bce", "min"),
        ("BCE", "min"),
    ],
)
def test_the_direction_of_a_name(name, direction):
    objective = resolve_objective(name)
    assert (objective.name, objective.direction) == (name, direction)


def test_the_error_of_an_unknown_name_has_a_hint():
    cure = r'keras_tuner.Objective\(\'val_novelty\', direction="max"\)'
    with pytest.raises(ValueError, match=cure):
        resolve_objective("val_novelty")


def test_a_list_is_the_signed_sum_of_its_parts():
    oracle = keras_tuner.Oracle(objective=resolve_objective(["val_loss", "val_accuracy"]))
    assert names_of(oracle.objective) == ["val_loss", "val_accuracy"]
    assert value_in(oracle.objective, {"val_loss": 3.0, "val_accuracy": 1.0}) == 2.0
    assert value_in(oracle.objective, {"val_loss": 3.0}) is None


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("direction", ["min", "max"])
def test_a_value_that_is_not_finite_is_the_worst_loss(value, direction):
    assert loss_of(keras_tuner.Objective("x", direction), value) == float("inf")


def test_an_objective_without_a_direction_is_refused():
    with pytest.raises(ValueError, match="`direction` of an objective must be"):
        resolve_objective(keras_tuner.Objective("x", "up"))


@pytest.mark.parametrize(
    ("name", "direction"),
    [("val_loss", "max"), ("val_accuracy", "min"), ("val_auc", "max"), ("profit", "min")],
)
def test_the_direction_of_any_metric_is_the_objectives_or_its_own(name, direction):
    parts = [keras_tuner.Objective("val_loss", "max"), keras_tuner.Objective("val_accuracy", "min")]
    objective = keras_tuner.Oracle(objective=parts).objective
    assert direction_of(name, objective) == direction


@pytest.mark.parametrize(
    ("objective", "total"),
    [
        (["val_loss", "val_accuracy"], "val_loss - val_accuracy"),
        (["val_auc", "val_loss"], "- val_auc + val_loss"),
        (["val_loss"], "val_loss"),
    ],
)
def test_a_list_is_explained_as_a_sum(objective, total):
    oracle = keras_tuner.Oracle(objective=resolve_objective(objective))
    assert f"minimised is {total}." in sum_text(oracle.objective)


def test_one_objective_needs_no_explanation():
    assert sum_text(resolve_objective("val_loss")) is None
