import keras_tuner
import numpy as np
import pytest
from keras_tuner.engine.trial import TrialStatus

from kt_extras.bridge.spaces import to_space
from kt_extras.samplers import Grid, SpaceExhausted
from kt_extras.search import Choice, Condition, Float, History, Int, Space, State, trial_rng


def searched(space, loss=lambda _: 0.0, sampler=None, max_trials=300):
    """Return the history of a search that tries every point of a grid."""
    history, sampler = History(space), sampler or Grid()
    for number in range(max_trials):
        try:
            point = sampler.suggest(history, space, trial_rng(0, number))
        except SpaceExhausted:
            return history
        history.finish(history.start(point), State.COMPLETED, loss(point))
    return history


def searched_by_keras_tuner(declare):
    """Return the points of a grid search of KerasTuner, in order."""
    oracle = keras_tuner.oracles.GridSearchOracle(keras_tuner.Objective("loss", "min"))
    oracle.verbose, points = 0, []
    oracle._set_project_dir("elsewhere", "grid")
    declare(oracle.hyperparameters)
    while (trial := oracle.create_trial("worker")).status == TrialStatus.RUNNING:
        points.append(dict(trial.hyperparameters.values))
        oracle.update_trial(trial.trial_id, {"loss": 0.0})
        trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)
    return points


def plain(hp):
    hp.Choice("batch", [64, 16, 32])
    hp.Boolean("bias")
    hp.Int("units", 8, 32, step=8, default=16)
    hp.Int("width", 2, 16, step=2, sampling="log")


def conditional(hp):
    hp.Choice("model", ["mlp", "cnn"], default="cnn")
    with hp.conditional_scope("model", ["cnn"]):
        hp.Int("size", 3, 5)
        hp.Boolean("pool", default=True)
        with hp.conditional_scope("pool", [True]):
            hp.Choice("kind", ["max", "mean"])
    with hp.conditional_scope("model", ["mlp"]):
        hp.Int("layers", 1, 2)
    hp.Fixed("classes", 10)
    hp.Float("drop", 0.0, 0.5, step=0.25)


@pytest.mark.parametrize("declare", [plain, conditional])
def test_points_come_in_the_order_of_keras_tuner(declare):
    hp = keras_tuner.HyperParameters()
    declare(hp)
    assert list(searched(to_space(hp)).points) == searched_by_keras_tuner(declare)


def continuous(hp):
    hp.Float("x", 0.0, 2.0, default=0.5)
    hp.Float("rate", 1e-4, 1e-1, sampling="log")
    hp.Int("units", 1, 100, sampling="log")
    hp.Int("steps", 1, 100, sampling="reverse_log")


@pytest.mark.parametrize("name", ["x", "rate", "units", "steps"])
def test_a_range_without_a_step_has_the_values_of_keras_tuner(name):
    hp = keras_tuner.HyperParameters()
    continuous(hp)
    one = keras_tuner.HyperParameters()
    one.merge([p for p in hp.space if p.name == name])
    found = [point[name] for point in searched(to_space(one)).points]
    theirs = {one.space[0].default, *one.space[0].values}
    assert found[0] == one.space[0].default
    assert found[1:] == pytest.approx(sorted(theirs - {found[0]}))


def test_the_largest_value_of_a_stepped_range_is_tried():
    history = searched(Space([Float("drop", 0.0, 0.5, step=0.1)]))
    assert [point["drop"] for point in history.points] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_a_hyperparameter_found_late_has_its_default_in_earlier_trials():
    act, units = Choice("act", ("relu", "elu")), Int("units", 1, 3, default=2)
    history = searched(Space([act]), max_trials=1).moved_to(Space([act, units]))
    again = Grid().suggest(history, history.space, trial_rng(0, 1))
    assert again == {"act": "relu", "units": 1}


def test_a_hyperparameter_found_in_a_branch_is_tried_in_that_branch():
    act, when = Choice("act", ("relu", "leaky")), Condition("act", ("leaky",))
    history = searched(Space([act]))
    found = history.moved_to(Space([act, Float("slope", 0, 1, step=0.5, conditions=(when,))]))
    suggested = Grid().suggest(found, found.space, trial_rng(0, 2))
    assert suggested == {"act": "leaky", "slope": 0.5}


@pytest.mark.parametrize("resolution", [None, 3])
def test_the_size_of_a_grid_is_known_beforehand(resolution):
    ranges = [Float("x", 0, 1, step=0.5, default=0.3), Float("rate", 1e-4, 1, sampling="log")]
    space = Space([*ranges, Int("units", 1, 3, default=2)])
    sampler = Grid(resolution=resolution)
    assert sampler.size(space) == len(searched(space, sampler=sampler))


def test_a_large_grid_is_not_listed():
    space = Space([Int(f"x{i}", 1, 10**6) for i in range(9)])
    assert [point["x8"] for point in searched(space, max_trials=3).points] == [1, 2, 3]


def test_resolution_spreads_values_from_end_to_end():
    space = Space([Int("units", 32, 512, step=32)])
    history = searched(space, sampler=Grid(resolution=4))
    assert [point["units"] for point in history.points] == [32, 192, 352, 512]


def valley(point):
    return (point["x"] - 0.3) ** 2


def test_each_round_halves_the_distance_to_the_neighbours_of_the_best():
    space = Space([Float("x", 0, 1)])
    history = searched(space, valley, Grid(refine=2, resolution=3))
    assert [point["x"] for point in history.points] == [0.0, 0.5, 1.0, 0.25, 0.75, 0.125, 0.375]


def test_refinement_is_on_the_scale_of_the_range():
    space = Space([Float("rate", 1e-4, 1.0, sampling="log")])
    history = searched(space, lambda p: abs(np.log10(p["rate"]) + 2), Grid(1, resolution=3))
    assert [p["rate"] for p in history.points] == pytest.approx([1e-4, 1e-2, 1, 1e-3, 1e-1])


def test_refinement_keeps_to_the_values_of_a_step():
    space = Space([Int("units", 0, 10, step=5), Int("layers", 1, 9)])
    history = searched(space, lambda p: abs(p["layers"] - 4), Grid(5, resolution=3))
    assert {point["units"] for point in history.points} == {0, 5, 10}
    assert history.points[int(np.argmin(history.losses))]["layers"] == 4


def test_refinement_keeps_the_best_choices():
    act = Choice("act", ("relu", "elu"))
    space = Space([act, Float("x", 0, 1, conditions=(Condition("act", ("elu",)),))])
    history = searched(space, lambda p: p.get("x", 9.0), Grid(1, resolution=3))
    assert list(history.points[4:]) == [{"act": "elu", "x": 0.25}]


def test_a_finer_grid_waits_until_the_coarse_one_has_ended():
    space, sampler = Space([Float("x", 0, 1)]), Grid(1, resolution=2)
    history = searched(space, valley, sampler, max_trials=1)
    last = history.start(sampler.suggest(history, space, trial_rng(0, 1)))
    with pytest.raises(SpaceExhausted):
        sampler.suggest(history, space, trial_rng(0, 2))
    history.finish(last, State.COMPLETED, 1.0)
    assert sampler.suggest(history, space, trial_rng(0, 2)) == {"x": 0.5}


def test_nothing_is_refined_when_all_trials_have_failed():
    history = searched(Space([Float("x", 0, 1)]), lambda _: np.inf, Grid(3, resolution=2))
    assert len(history) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"refine": -1}, "`refine` must be an integer from 0"), ({"resolution": 1}, "from 2, got 1")],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Grid(**arguments)
