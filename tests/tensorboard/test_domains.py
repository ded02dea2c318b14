"""Every kind of hyperparameter, read back with the code behind TensorBoard's HPARAMS tab."""

import numpy as np
import pytest

from kt_extras.search import Choice, Condition, Float, Int, Space
from kt_extras.search.dimensions import Boolean, Fixed
from kt_extras.tensorboard import SearchBoard

WITH_SGD = (Condition("optimizer", ("sgd",)),)
WITH_ADAM = (Condition("optimizer", ("adam",)),)
OPTIMIZER = Choice("optimizer", ("sgd", "adam"))


def end(board, trial_id, values):
    how = {"state": "completed", "score": None, "best_epoch": None, "epochs": 1, "metrics": {}}
    board.end_trial(trial_id, number=0, values=values, **how)


@pytest.fixture
def show(log_dir, look):
    """Declare a space of these dimensions and open the dashboard."""

    def declare(*dimensions):
        board = SearchBoard(log_dir, "val_loss")
        board.describe(Space(dimensions))
        end(board, "0000", {})
        return look()

    return declare


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        (Int("x", 8, 64, step=2, sampling="log"), [8, 16, 32, 64]),
        (Float("x", 1e-4, 1e-1, step=10, sampling="log"), [1e-4, 1e-3, 1e-2, 1e-1]),
        (Float("x", 0.0, 0.3, step=0.1), [0.0, 0.1, 0.2, 0.3]),
        (Int("x", 1, 4), [1, 2, 3, 4]),
        (Int("x", 0, 100, step=25), [0, 25, 50, 75, 100]),
        (Choice("x", (64, 16), ordered=True), [16, 64]),
        (Choice("x", ("tanh", "relu")), ["relu", "tanh"]),
        (Boolean("x"), [False, True]),
        (Fixed("x", 3), [3]),
        (Float("x", 2.0, 2.0), [2.0]),
        (Choice("x", tuple(np.array([1, 2]))), [1, 2]),
    ],
)
def test_a_finite_dimension_lists_the_values_it_really_has(show, dimension, expected):
    assert show(dimension).domain("x") == expected


@pytest.mark.parametrize(
    ("dimension", "expected"),
    [
        (Float("x", 0.0, 0.5), (0.0, 0.5)),
        (Float("x", 1e-5, 1e-1, sampling="log"), (1e-5, 1e-1)),
        (Int("x", 1, 10_000), (1, 10_000)),
        (Int("x", 8, 1024, sampling="log"), (8, 1024)),
    ],
)
def test_a_continuous_or_very_long_dimension_is_an_interval(show, dimension, expected):
    assert show(dimension).domain("x") == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Int("x", 1, 2, conditions=WITH_SGD), Int("x", 4, 5, conditions=WITH_ADAM), [1, 2, 4, 5]),
        (
            Int("x", 1, 10, conditions=WITH_SGD),
            Int("x", 100, 200, conditions=WITH_ADAM),
            (1, 200),
        ),
        (
            Float("x", 0.1, 0.5, conditions=WITH_SGD),
            Choice("x", (1, 2), conditions=WITH_ADAM),
            (0.1, 2),
        ),
        (
            Boolean("x", conditions=WITH_SGD),
            Choice("x", (1, 2), conditions=WITH_ADAM),
            ["1", "2", "False", "True"],
        ),
    ],
)
def test_dimensions_of_one_name_have_one_column_with_both_domains(show, one, other, expected):
    dashboard = show(OPTIMIZER, one, other)
    assert sorted(dashboard.columns) == ["optimizer", "x"]
    assert dashboard.domain("x") == expected


def test_a_column_of_mixed_types_can_be_shown_and_sorted(log_dir, look):
    board = SearchBoard(log_dir, "val_loss")
    board.describe(Space([Choice("x", (True, 2, "three", None))]))
    for trial, value in enumerate([True, 2, "three", None]):
        board.begin_trial(str(trial), {"x": value})
    values = [row.values["x"] for row in look().trials(sort_by=["x"]).values()]
    assert values == ["2", "None", "True", "three"]


def test_dimensions_of_one_name_are_strings_when_their_types_differ(log_dir, look):
    board = SearchBoard(log_dir, "val_loss")
    depth = Float("x", 0.0, 1.0, conditions=WITH_SGD)
    board.describe(Space([OPTIMIZER, depth, Choice("x", ("a", "b"), conditions=WITH_ADAM)]))
    board.begin_trial("0", {"optimizer": "sgd", "x": 0.5})
    board.begin_trial("1", {"optimizer": "adam", "x": "a"})
    assert [row.values["x"] for row in look().trials(sort_by=["x"]).values()] == ["0.5", "a"]


def test_columns_that_every_trial_has_come_first_and_fixed_ones_last(show):
    momentum = Float("a_momentum", 0.0, 1.0, conditions=WITH_SGD)
    dashboard = show(Fixed("a_version", 1), OPTIMIZER, momentum, Boolean("z"))
    assert list(dashboard.columns) == ["optimizer", "z", "a_momentum", "a_version"]


def test_the_description_names_step_sampling_and_condition(show):
    rate = Float("x", 1e-4, 1e-1, step=10, sampling="log", conditions=WITH_SGD)
    assert show(OPTIMIZER, rate).columns["x"].description == (
        "0.0001 to 0.1, log scale, step x10, if optimizer is sgd"
    )


def test_an_empty_space_is_described(show):
    assert show().metrics == ["score", "pruned", "best_epoch", "epochs"]


def test_an_inactive_choice_of_strings_shows_a_dash(log_dir, look):
    board = SearchBoard(log_dir, "val_loss")
    kind = Choice("kind", ("plain", "nesterov"), conditions=WITH_SGD)
    board.describe(Space([OPTIMIZER, kind, Int("more", 1, 3, conditions=WITH_SGD)]))
    end(board, "0000", {"optimizer": "adam"})
    end(board, "0001", {"optimizer": "sgd", "kind": "plain", "more": 2})
    dashboard = look()
    rows = dashboard.trials()
    assert rows["0000"].values == {"optimizer": "adam", "kind": "-"}
    assert rows["0001"].values == {"optimizer": "sgd", "kind": "plain", "more": 2}
    assert dashboard.domain("kind") == ["-", "nesterov", "plain"]
    assert dashboard.domain("more") == [1, 2, 3]
