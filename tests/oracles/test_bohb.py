import pytest

import kt_extras as kte
from kt_extras.checkpoints.state_file import write_state
from kt_extras.checkpoints.state_paths import StateFiles
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS, trained


class TestBOHBOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        return kte.BOHBOracle(max_epochs=4, reduction_factor=2, **kwargs)


def test_the_best_point_of_a_finite_space_is_trained_to_the_end():
    oracle = kte.BOHBOracle(LOSS, max_epochs=4, reduction_factor=2, seed=0)
    oracle.hyperparameters.Choice("x", [3, 1, 2])
    trials = trained(oracle)
    assert sorted(record.trained for record in trials) == [1, 2, 4] or len(trials) == 3
    best = min(trials, key=lambda record: record.trial.hyperparameters.get("x"))
    assert best.trained == 4
    assert "every point" in oracle.ended_because


def test_a_trial_of_a_bracket_is_replaced_when_it_fails():
    oracle = kte.BOHBOracle(LOSS, max_epochs=2, reduction_factor=2, seed=0)
    oracle.hyperparameters.Float("x", 0, 1)
    first = oracle.create_trial("worker")
    first.status = "FAILED"
    oracle.end_trial(first)
    trials = trained(oracle, epochs=2)
    planned = sum(bracket.sizes[0] for bracket in oracle.scheduler.brackets)
    assert len(trials) == planned + 1


def test_the_sampler_learns_from_the_longest_trials_by_default():
    assert kte.BOHBOracle(LOSS).sampler.inner.inner == kte.samplers.LargestBudget()


@pytest.mark.parametrize("preset", [kte.BOHBOracle, kte.ASHAOracle])
@pytest.mark.parametrize("max_epochs", [9, 10])
def test_paused_trials_are_promoted_when_all_points_are_tried(preset, max_epochs, tmp_path):
    limits = {} if preset is kte.BOHBOracle else {"max_trials": 36, "sampler": "random"}
    oracle = preset(LOSS, max_epochs=max_epochs, reduction_factor=3, seed=0, **limits)
    oracle.hyperparameters.Choice("x", list(range(12)))
    trials = trained(oracle, epochs=max_epochs)
    plan = oracle.scheduler.plan(oracle.max_trials)
    assert len(trials) == 12
    for level in {rung.epochs for rung in plan}:
        lowest = {r.bracket: r.trials for r in reversed(plan) if r.epochs >= level}
        there = sum(record.trained >= level for record in trials)
        assert there >= min(12, sum(lowest.values()))
    assert oracle.totals.epochs <= sum(rung.new_epochs for rung in plan)
    best = min(trials, key=lambda record: record.trial.hyperparameters.get("x"))
    assert best.trained == max_epochs


@pytest.mark.parametrize("sampler", [None, kte.samplers.Grid(resolution=12)])
def test_a_small_space_or_grid_keeps_the_states_of_all_paused_trials(sampler, tmp_path):
    oracle = kte.BOHBOracle(LOSS, max_epochs=9, reduction_factor=3, seed=0, sampler=sampler)
    oracle.restore_states()
    oracle._set_project_dir(str(tmp_path), "project")
    if sampler is None:
        oracle.hyperparameters.Choice("x", list(range(12)))
    else:
        oracle.hyperparameters.Float("x", 0.0, 11.0)
    states, epochs = StateFiles(tmp_path / "project"), 0
    while (trial := oracle.create_trial("worker")).status != "STOPPED":
        record = oracle.trial_record(trial.trial_id)
        for step in range(record.trained, 9):
            epochs += 1
            answer = oracle.update_trial(
                trial.trial_id, {"val_loss": trial.hyperparameters["x"]}, step
            )
            if answer.status == "STOPPED":
                write_state(states.path(trial.trial_id, step + 1), {})
                break
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert len(oracle.trial_records()) == 12
    assert epochs == sum(record.trained for record in oracle.trial_records())


def test_max_trials_ends_a_search_with_the_rungs_that_were_planned():
    oracle = kte.BOHBOracle(LOSS, max_epochs=9, reduction_factor=3, max_trials=12, seed=0)
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    trained(oracle, epochs=9)
    assert oracle.totals.epochs == sum(rung.new_epochs for rung in oracle.scheduler.plan(12))
