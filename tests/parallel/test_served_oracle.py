"""The service of an oracle of KerasTuner, whose process dies and is started again."""

import keras_tuner

from kt_extras.parallel.served_oracle import served


def started(directory):
    oracle = keras_tuner.oracles.RandomSearchOracle(
        objective=keras_tuner.Objective("cost", "min"), max_trials=3, seed=0
    )
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    oracle._set_project_dir(str(directory), "kt")
    return served(oracle, 60.0, last_try=True)


def test_a_trial_ends_in_a_process_that_did_not_begin_it(tmp_path, capsys):
    trial = started(tmp_path).call("w", 0, "create_trial", "w")
    service = started(tmp_path)
    service.call("w", 1, "update_trial", "w", trial.trial_id, {"cost": 1.0}, 0)
    trial.status = "COMPLETED"
    service.call("w", 2, "end_trial", "w", trial)
    assert "Trial 1 Complete" in capsys.readouterr().out
    assert service.call("w", 3, "create_trial", "w").trial_id != trial.trial_id
