import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS, trained


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
