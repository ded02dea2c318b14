"""Searches in a local store of the real MLflow."""

import importlib.util

import pytest

import kt_extras as kte
from kt_extras.analysis.search_data import Takeover, TrialData
from kt_extras.loggers import MLflow, SearchInfo
from kt_extras.search.outcome import Target

if importlib.util.find_spec("mlflow") is None:  # it takes seconds to import
    pytest.skip("mlflow is not installed", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # those of MLflow

INFO = SearchInfo("digits-1", "digits", "runs/digits", (Target("val_f1", "max"),), 3)


@pytest.fixture(autouse=True)
def no_telemetry(monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("DO_NOT_TRACK", "true")


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """A store; its tables are made once."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


def trial(number, state="completed", epochs=3, **facts):
    values = [0.5 + 0.1 * step for step in range(epochs)]
    curve = {"steps": list(range(epochs)), "metrics": {"val_f1": values, "loss": values}}
    score = values[-1] if values and state in ("completed", "pruned") else None
    made = {
        "trial_id": f"{number:04d}",
        "values": {"rate": 0.1, "units[0]": 8},
        "executions": (curve,),
        "epochs": epochs,
        "score": score,
        "objective_values": {} if score is None else {"val_f1": score},
        **facts,
    }
    return TrialData(number=number, state=state, **made)


def runs_of(uri, experiment):
    """Return the run of the search, and those of its trials by their ids."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    trials = {run.data.tags.get("kt_extras.trial"): run for run in found}
    assert len(trials) == len(found)
    return client, trials.pop(None), trials


def points(client, run, name):
    return [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]


def test_a_trial_goes_on_with_its_run_also_in_another_session(uri):
    first = MLflow(uri, "resumed")
    first.begin_search(INFO)
    first.log_trial(trial(0, "running", epochs=1))
    first.log_trial(trial(0, "paused", epochs=2))
    first.log_trial(trial(1, "failed", message="ValueError: no"))
    first.end_search(finished=False, weights={})
    client, parent, trials = runs_of(uri, "resumed")
    assert parent.info.status == "KILLED"
    assert trials["0000"].info.status == "SCHEDULED"
    second = MLflow(uri, "resumed")
    second.begin_search(INFO)
    second.log_trial(trial(0, "completed", epochs=4))
    second.log_trial(trial(2, "pruned"))
    second.end_search(finished=True, weights={"0000": "trial_0000/checkpoint"})
    client, parent, trials = runs_of(uri, "resumed")
    assert sorted(trials) == ["0000", "0001", "0002"]
    assert points(client, trials["0000"], "val_f1") == [
        (step, pytest.approx(0.5 + 0.1 * step)) for step in range(4)
    ]
    assert trials["0000"].data.params == {"rate": "0.1", "units_0_": "8"}
    assert trials["0000"].data.metrics["score"] == pytest.approx(0.8)
    assert trials["0000"].data.tags["weights"] == "trial_0000/checkpoint"
    assert trials["0000"].data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert [run.info.status for _, run in sorted(trials.items())] == [
        "FINISHED",
        "FAILED",
        "FINISHED",
    ]
    assert trials["0001"].data.tags["message"] == "ValueError: no"
    assert trials["0002"].data.tags["state"] == "pruned"
    assert parent.info.status == "FINISHED"
    assert points(client, parent, "score") == [(0, pytest.approx(0.8)), (2, pytest.approx(0.7))]


def test_executions_attempts_and_exploits_are_logged(uri):
    logger = MLflow(uri, "others")
    logger.begin_search(INFO)
    curves = trial(0).executions * 2
    logger.log_trial(trial(0, executions=curves))
    taken = Takeover(1, "0000", {"rate": 0.1}, {"rate": 0.2})
    logger.log_trial(trial(1, values={"rate": 0.2}, takeovers=[taken]))
    logger.log_trial(trial(2, "waiting", epochs=2, message="it crashed"))
    logger.log_trial(trial(2, "running", epochs=1, attempt=2))
    client, _, trials = runs_of(uri, "others")
    assert len(points(client, trials["0000"], "execution1/val_f1")) == 3
    assert trials["0001"].data.params == {"rate": "0.1"}
    assert [step for step, _ in points(client, trials["0002"], "loss")] == [0, 1, 0]
    assert trials["0002"].info.status == "RUNNING"


def test_a_search_logs_its_trials(uri, tmp_path):
    class Steps(kte.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            x = trial.hyperparameters.Float("x", -1, 1)
            for step in range(3):
                self.oracle.update_trial(trial.trial_id, {"score": x**2 - step}, step=step)

    def tuner(max_trials):
        objective = kte.Objective("score", "min")
        oracle = kte.SamplerOracle(
            kte.samplers.Random(), objective=objective, max_trials=max_trials, seed=0
        )
        return Steps(oracle, directory=tmp_path, project_name="steps")

    for max_trials in (2, 3):  # the second search goes on
        tuner(max_trials).search(callbacks=[MLflow(uri)], verbose=0)
    client, parent, trials = runs_of(uri, "steps")
    assert sorted(trials) == ["0000", "0001", "0002"]
    assert {run.info.status for run in (parent, *trials.values())} == {"FINISHED"}
    for row in tuner(3).results():
        run = trials[row["trial_id"]]
        assert run.data.metrics["score"] == row["score"]
        assert float(run.data.params["x"]) == row["x"]
        assert len(points(client, run, "score")) >= 3


def test_a_tracker_that_cannot_be_reached_does_not_end_the_search(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    logger = MLflow("http://127.0.0.1:9")  # nothing listens there

    class Squares(kte.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            return trial.hyperparameters.Float("x", -1, 1) ** 2

    oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=3, seed=0)
    tuner = Squares(oracle, directory=tmp_path)
    with pytest.warns(UserWarning, match="MLflow does not log all of the search now") as caught:
        tuner.search(callbacks=[logger], verbose=0)
    assert sum("MLflow does not log" in str(one.message) for one in caught) == 1
    assert len(tuner.results()) == 3
