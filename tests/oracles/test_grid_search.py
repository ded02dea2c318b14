import keras_tuner
import pytest
from keras_tuner.engine.trial import TrialStatus

import kt_extras as kte
from kt_extras.bridge.spaces import to_space
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS, trained
from tests.samplers.grids import searched


class TestGridSearchOracle(OracleContract):
    def make(self, **kwargs):
        return kte.GridSearchOracle(**kwargs)

    def test_suggestions_differ_with_different_seeds(self):
        assert self._values(self._oracle(seed=1)) == self._values(self._oracle(seed=2))


def declare(hp):
    if hp.Choice("model", ["mlp", "svm"]) == "mlp":
        with hp.conditional_scope("model", ["mlp"]):
            hp.Int("layers", 1, 3, default=2)
    hp.Float("x", 0.0, 1.0, step=0.5)


GRID = [("mlp", layers, x) for layers in (2, 1, 3) for x in (0.0, 0.5, 1.0)]
GRID += [("svm", None, x) for x in (0.0, 0.5, 1.0)]


def tried(oracle):
    values = [record.trial.values for record in oracle.trial_records()]
    return [(v["model"], v.get("layers"), v.get("x")) for v in values]


def test_all_combinations_are_tried_in_order_without_max_trials():
    oracle = kte.GridSearchOracle(LOSS)
    declare(oracle.hyperparameters)
    trained(oracle, epochs=1)
    assert tried(oracle) == GRID
    assert "of the grid, has been tried" in oracle.ended_because


def test_a_hyperparameter_that_a_trial_declares_joins_the_grid():
    oracle = kte.GridSearchOracle(LOSS)
    oracle.hyperparameters.Choice("model", ["mlp", "svm"])
    while (trial := oracle.create_trial("worker")).status != "STOPPED":
        declare(trial.hyperparameters)
        oracle.update_trial(trial.trial_id, {"val_loss": 1.0})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert tried(oracle) == GRID


@pytest.mark.parametrize("refine", [0, 2])
def test_an_interrupted_search_goes_on_with_the_same_points(refine, tmp_path):
    def begun(project):
        space = keras_tuner.HyperParameters()
        space.Float("x", 0.0, 1.0, default=0.5)
        space.Boolean("y")
        oracle = kte.GridSearchOracle(
            LOSS, hyperparameters=space, resolution=3 if refine else None, refine=refine
        )
        oracle._set_project_dir(str(tmp_path), project)
        return oracle

    whole = begun("whole")
    trained(whole, epochs=1)
    for _ in range(len(whole.trials)):
        part = begun("part")
        if part.is_recorded():
            part.reload()
        if (trial := part.create_trial("worker")).status == "STOPPED":
            break
        part.update_trial(trial.trial_id, {"val_loss": trial.hyperparameters["x"]})
        trial.status = "COMPLETED"
        part.end_trial(trial)
        part.create_trial("another")  # which is running when the process dies
        part.close_session()
    points = [record.trial.values for record in whole.trial_records()]
    assert [record.trial.values for record in part.trial_records()] == points


def test_refinement_finds_better_points_than_the_first_grid():
    def best(refine):
        oracle = kte.GridSearchOracle(LOSS, refine=refine, resolution=3)
        oracle.hyperparameters.Float("x", 0.0, 1.0)
        trained(oracle, epochs=1, loss=lambda trial: abs(trial.hyperparameters["x"] - 0.3))
        return oracle.get_best_trials()[0].score

    assert best(refine=5) < 0.02 < best(refine=0)


def test_finer_grids_are_refused_with_a_scheduler():
    scheduler = kte.schedulers.SuccessiveHalving(9)
    with pytest.raises(ValueError, match=r"`refine` must be 0 with a scheduler, got 2: .* end"):
        kte.GridSearchOracle(LOSS, refine=2, scheduler=scheduler)
    kte.GridSearchOracle(LOSS, resolution=4, scheduler=scheduler)


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
