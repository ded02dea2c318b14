"""Searches for more than one objective."""

import keras_tuner

import kt_extras as kte


class Costs(kte.Tuner):
    def run_trial(self, trial):
        x = trial.hyperparameters.Float("x", 0.0, 1.0)
        return {"time": x, "profit": 2.0}


def test_a_search_with_a_list_says_once_that_it_is_a_sum(capsys):
    parts = [keras_tuner.Objective("time", "min"), keras_tuner.Objective("profit", "max")]
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=parts, max_trials=3, seed=0)
    tuner = Costs(oracle)
    tuner.search(verbose=1)
    said = capsys.readouterr().out
    assert said.count("their sum, as in KerasTuner; minimised is time - profit.") == 1
    for row in tuner.results():
        assert row["score"] == row["time"] - row["profit"]
