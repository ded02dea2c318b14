"""Results of a search without its tuner and its model."""

import keras_tuner
import pytest

import kt_extras as kte


class Curves(kte.Tuner):
    """Reports three epochs of a made-up curve."""

    def run_trial(self, trial):
        x = trial.hyperparameters.Float("x", 0.0, 1.0)
        if trial.hyperparameters.Boolean("deep"):
            with trial.hyperparameters.conditional_scope("deep", [True]):
                trial.hyperparameters.Int("depth", 1, 4)
        for step in range(3):
            self.oracle.update_trial(trial.trial_id, {"cost": x / (step + 1), "gain": x}, step=step)


def searched(objective, **where):
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=objective, max_trials=4, seed=0)
    tuner = Curves(oracle, directory="runs", project_name="curves", **where)
    tuner.search(verbose=0)
    return tuner


COST, GAIN = keras_tuner.Objective("cost", "min"), keras_tuner.Objective("gain", "max")


@pytest.mark.parametrize("objective", [COST, GAIN, [COST, GAIN]])
@pytest.mark.parametrize("storage", [None, "sqlite:///runs.db"])
def test_results_are_those_of_the_tuner(objective, storage):
    if storage is not None:
        pytest.importorskip("sqlalchemy")
    tuner = searched(objective, storage=storage)
    found = kte.load_results("runs", "curves", storage=storage)
    assert found.results() == tuner.results()
    assert found.history(2) == tuner.history(2)
    best = [hp.values for hp in tuner.get_best_hyperparameters(3)]
    assert [hp.values for hp in found.get_best_hyperparameters(3)] == best
    assert str(found.objective) == str(tuner.oracle.objective)


def test_nothing_is_written_and_a_running_search_is_read(tmp_path):
    seen = []

    class Reading(Curves):
        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            before = journal.read_bytes()
            seen.append([row["state"] for row in kte.load_results("runs", "curves").results()])
            assert journal.read_bytes() == before

    journal = tmp_path / "runs" / "curves" / "journal.jsonl"
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=COST, max_trials=2, seed=0)
    Reading(oracle, directory="runs", project_name="curves").search(verbose=0)
    assert seen == [["completed"], ["completed", "completed"]]
    files = sorted(path.name for path in journal.parent.iterdir())
    kte.load_results("runs", "curves")
    assert sorted(path.name for path in journal.parent.iterdir()) == files


def test_a_project_without_records_is_refused_and_not_created(tmp_path):
    with pytest.raises(FileNotFoundError, match="`project_name` must name a search"):
        kte.load_results("runs", "other")
    assert list(tmp_path.iterdir()) == []
    pytest.importorskip("sqlalchemy")
    with pytest.raises(FileNotFoundError, match="no records in `storage`"):
        kte.load_results("runs", "other", storage="sqlite:///none.db")
    assert list(tmp_path.iterdir()) == []
