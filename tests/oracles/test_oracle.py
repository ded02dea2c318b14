import json
import threading
import time

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.analysis.tables import rows_of
from kt_extras.bridge.metrics import LAST_EPOCH
from kt_extras.samplers.random import Random
from kt_extras.testing import OracleContract

COST = keras_tuner.Objective("cost", "min")


class TestRandomOracle(OracleContract):
    def make(self, **kwargs):
        return kte.SamplerOracle(Random(), **kwargs)


class TestRandomOracleWithMedianPruner(OracleContract):
    def make(self, **kwargs):
        return kte.SamplerOracle(Random(), kte.MedianPruner(n_startup_trials=2), **kwargs)


def make(sampler=None, pruner=None, *, directory=None, **kwargs):
    oracle = kte.SamplerOracle(
        sampler or Random(), pruner, **{"objective": COST, "max_trials": 20, "seed": 0, **kwargs}
    )
    if directory is not None:
        oracle._set_project_dir(str(directory), "project")
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    return oracle


def run(oracle, *costs):
    """Run one trial with these costs, one for each epoch; return its record."""
    trial = oracle.create_trial("worker")
    for epoch, cost in enumerate(costs):
        if oracle.update_trial(trial.trial_id, {"cost": cost}, step=epoch).status == "STOPPED":
            break
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    return oracle.trial_record(trial.trial_id)


def test_a_pruned_trial_keeps_the_score_of_its_best_epoch():
    oracle = make(pruner=kte.MedianPruner(n_startup_trials=2))
    run(oracle, 3.0, 2.0, 1.0)
    run(oracle, 4.0, 3.0, 2.0)
    record = run(oracle, 5.0, 6.0, 0.0)
    assert (record.state, record.trial.status, record.trial.score) == ("pruned", "COMPLETED", 5.0)
    assert record.trial.best_step == 0
    assert record.epochs == 1


def test_the_pruner_is_not_asked_in_an_epoch_marked_as_the_last():
    oracle = make(pruner=kte.ThresholdPruner(upper=0.0))
    trial = oracle.create_trial("worker")
    metrics = {"cost": 5.0, LAST_EPOCH: 1.0}
    assert oracle.update_trial(trial.trial_id, metrics, step=0).status == "RUNNING"
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    record = oracle.trial_record(trial.trial_id)
    assert (record.state, record.executions) == ("completed", [{0: {"cost": 5.0}}])


def test_low_scores_are_pruned_when_the_objective_is_maximised():
    oracle = make(
        pruner=kte.MedianPruner(n_startup_trials=2),
        objective=keras_tuner.Objective("cost", "max"),
    )
    run(oracle, 0.5, 0.8)
    run(oracle, 0.6, 0.9)
    assert run(oracle, 0.1, 0.9).state == "pruned"
    assert run(oracle, 0.9, 0.95).state == "completed"
    assert oracle.get_best_trials()[0].score == 0.95


def test_a_threshold_is_in_the_scale_of_the_objective():
    oracle = make(
        pruner=kte.ThresholdPruner(lower=0.2), objective=keras_tuner.Objective("cost", "max")
    )
    assert run(oracle, 0.5, 0.6).state == "completed"
    assert run(oracle, 0.1, 0.9).state == "pruned"


def test_the_score_of_several_executions_is_the_mean_of_their_best():
    oracle = make()
    trial = oracle.create_trial("worker")
    for step, cost in [(0, 3.0), (1, 1.0), (2, 2.0), (0, 9.0), (1, 8.0), (2, 7.0)]:
        oracle.update_trial(trial.trial_id, {"cost": cost}, step=step)
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    assert trial.score == 4.0
    assert trial.best_step == 2  # 1 and 2, and Python rounds a half to the even neighbour


def test_executions_of_one_epoch_are_counted_separately():
    oracle = make()
    trial = oracle.create_trial("worker")
    oracle.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
    oracle.update_trial(trial.trial_id, {"cost": 3.0}, step=0)
    trial.status = "COMPLETED"
    oracle.end_trial(trial)
    assert trial.score == 2.0


def test_only_the_first_execution_is_pruned():
    oracle = make(pruner=kte.MedianPruner(n_startup_trials=1))
    run(oracle, 1.0, 1.0)
    trial = oracle.create_trial("worker")
    for step, cost in [(0, 0.5), (1, 0.4), (0, 9.0), (1, 9.0)]:
        assert oracle.update_trial(trial.trial_id, {"cost": cost}, step=step).status == "RUNNING"


def test_a_trial_is_not_pruned_in_an_epoch_without_the_objective():
    oracle = make(pruner=kte.MedianPruner(n_startup_trials=1))
    run(oracle, 1.0, 1.0)
    trial = oracle.create_trial("worker")
    assert oracle.update_trial(trial.trial_id, {"loss": 9.0}, step=0).status == "RUNNING"
    assert oracle.update_trial(trial.trial_id, {"cost": 9.0}, step=1).status == "STOPPED"


def test_an_error_lists_the_metrics_when_the_objective_is_missing():
    oracle = make()
    trial = oracle.create_trial("worker")
    oracle.update_trial(trial.trial_id, {"loss": 1.0}, step=0)
    trial.status = "COMPLETED"
    with pytest.raises(ValueError, match=r"\['cost'\] was never reported.*\['loss'\]"):
        oracle.end_trial(trial)


def test_a_score_is_kept_when_the_worker_has_set_it():
    oracle = make()
    trial = oracle.create_trial("worker")
    oracle.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
    trial.score, trial.status = 5.0, "COMPLETED"
    oracle.end_trial(trial)
    assert oracle.get_trial(trial.trial_id).score == 5.0


def test_infeasible_trials_do_not_end_the_search():
    oracle = make(max_consecutive_failed_trials=2)
    for _ in range(5):
        trial = oracle.create_trial("worker")
        trial.status = "FAILED"
        oracle.end_trial(trial)
        assert oracle.trial_record(trial.trial_id).state == "infeasible"
    assert run(oracle, 1.0).state == "completed"


def test_a_trial_is_infeasible_when_its_score_is_infinite():
    assert run(make(), float("-inf")).state == "infeasible"


def test_nan_in_one_epoch_is_ignored_when_others_have_a_score():
    assert run(make(), float("nan"), 0.5, 0.1).trial.score == 0.1


def test_a_search_ends_when_every_point_has_been_tried():
    oracle = kte.SamplerOracle(Random(), objective=COST, max_trials=100, seed=0)
    oracle.hyperparameters.Choice("a", list(range(6)))
    oracle.hyperparameters.Boolean("b")
    oracle.hyperparameters.Fixed("c", 3)
    values = []
    while (trial := oracle.create_trial("worker")).status != "STOPPED":
        values.append(tuple(trial.hyperparameters.values.values()))
        oracle.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert len(values) == len(set(values)) == 12


def test_enqueued_points_come_first_and_missing_values_are_drawn():
    oracle = kte.SamplerOracle(Random(), objective=COST, max_trials=3, seed=0)
    oracle.hyperparameters.Float("drop", 0.0, 0.5, step=0.1)
    oracle.hyperparameters.Int("units", 1, 100)
    oracle.enqueue({"drop": 0.31, "units": 7})
    oracle.enqueue({"units": 9})
    first, second = oracle.create_trial("one"), oracle.create_trial("two")
    assert first.hyperparameters.values == {"drop": 0.3, "units": 7}
    assert second.hyperparameters.get("units") == 9
    assert "drop" in second.hyperparameters.values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"y": 1}, "no hyperparameter 'y'"),
        ({"xs": 1}, "did you mean 'x'"),
        ({"x": 2.0}, "'x' must be .*, got 2.0"),
    ],
)
def test_enqueue_refuses_a_point_that_is_not_in_the_space(values, message):
    with pytest.raises(ValueError, match=message):
        make().enqueue(values)


def test_a_trial_fails_after_its_process_has_died_in_each_attempt(tmp_path):
    for _ in range(4):
        oracle = make(directory=tmp_path)
        if (tmp_path / "project" / "journal.jsonl").exists():
            oracle.reload()
        assert oracle.create_trial("worker").trial_id == "0000"  # and the process dies
    oracle = make(directory=tmp_path)
    oracle.reload()
    assert oracle.create_trial("worker").trial_id == "0001"
    assert oracle.trial_record("0000").state == "failed"
    assert "died in each of its 4 attempts" in oracle.get_trial("0000").message


def test_another_objective_is_refused_after_a_trial_has_a_score(tmp_path):
    run(make(directory=tmp_path), 1.0)
    other = make(directory=tmp_path, objective=keras_tuner.Objective("accuracy", "max"))
    with pytest.raises(ValueError, match=r"`objective` is now .*accuracy.*holds scores of .*cost"):
        other.reload()


def test_the_objective_can_be_corrected_before_a_trial_has_a_score(tmp_path):
    make(directory=tmp_path, objective=keras_tuner.Objective("csot", "min")).create_trial("worker")
    oracle = make(directory=tmp_path)
    oracle.reload()
    run(oracle, 1.0)
    again = make(directory=tmp_path)
    again.reload()
    assert again.get_best_trials()[0].score == 1.0


def test_a_recorded_search_that_was_not_reloaded_is_not_overwritten(tmp_path):
    run(make(directory=tmp_path), 1.0)
    with pytest.raises(RuntimeError, match=r"holds another search.*reload"):
        make(directory=tmp_path).create_trial("worker")


def test_a_reloaded_search_continues_when_max_trials_is_raised(tmp_path):
    oracle = make(directory=tmp_path, max_trials=2)
    while oracle.remaining_trials():
        run(oracle, 1.0)
    oracle = make(directory=tmp_path, max_trials=3)
    oracle.reload()
    assert run(oracle, 0.5).trial.trial_id == "0002"
    assert oracle.create_trial("worker").status == "STOPPED"


def test_a_random_seed_is_kept_when_the_search_is_reloaded(tmp_path):
    before = make(directory=tmp_path, seed=None)
    run(before, 1.0)
    after = make(directory=tmp_path, seed=None)
    after.reload()
    assert after.seed == before.seed


def test_the_hyperparameters_of_the_user_are_not_changed():
    hp = keras_tuner.HyperParameters()
    hp.Int("mine", 1, 3)
    oracle = make(hyperparameters=hp)
    assert "x" in [p.name for p in oracle.hyperparameters.space]
    assert [p.name for p in hp.space] == ["mine"]


def test_a_waiting_worker_continues_when_a_trial_ends():
    oracle = make()
    trial = oracle.create_trial("worker")
    began = time.monotonic()

    def end():
        oracle.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
        trial.status = "COMPLETED"
        oracle.end_trial(trial)

    threading.Timer(0.05, end).start()
    oracle.wait_for_change(60)
    assert time.monotonic() - began < 30


def test_the_journal_grows_linearly_with_the_number_of_trials(tmp_path):
    oracle = make(directory=tmp_path, max_trials=None)
    journal = tmp_path / "project" / "journal.jsonl"
    sizes = []
    for _ in range(3):
        for _ in range(50):
            run(oracle, 1.0, 2.0)
        sizes.append(journal.stat().st_size)
    assert sizes[2] - sizes[1] == pytest.approx(sizes[1] - sizes[0], rel=0.1)


def test_an_oracle_is_freed_when_its_last_reference_is_deleted():
    import gc
    import weakref

    oracle = make()
    run(oracle, 1.0)
    reference = weakref.ref(oracle)
    del oracle
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sampler": Random}, TypeError, "`sampler` must be an object with a method `suggest`"),
        ({"sampler": "tpe"}, TypeError, "`sampler` must be an object"),
        ({"pruner": kte.MedianPruner}, TypeError, "`pruner` must be an object"),
        ({"max_trials": 0}, ValueError, "`max_trials` must be an integer from 1"),
        ({"seed": -1}, ValueError, "`seed` must be an integer from 0"),
        ({"seed": True}, ValueError, "`seed` must be an integer"),
        ({"max_retries_per_trial": -1}, ValueError, "`max_retries_per_trial`"),
        ({"objective": "val_novelty"}, ValueError, "`objective` 'val_novelty' is not a metric"),
        ({"objective": 3}, TypeError, "`objective` must be the name"),
    ],
)
def test_an_error_names_the_argument_that_is_wrong(arguments, error, message):
    with pytest.raises(error, match=message):
        make(**arguments)


def test_the_journal_is_plain_json_when_a_metric_is_nan(tmp_path):
    oracle = make(directory=tmp_path)
    run(oracle, float("nan"), 1.0)
    for line in (tmp_path / "project" / "journal.jsonl").read_text().splitlines():
        json.loads(line.partition(" ")[2], parse_constant=pytest.fail)


def test_the_metrics_of_a_trial_have_the_direction_of_their_names(tmp_path):
    oracle = make(directory=tmp_path)
    trial = oracle.create_trial("worker")
    for step, accuracy in enumerate([0.6, 0.9, 0.7]):
        oracle.update_trial(trial.trial_id, {"cost": 1.0, "val_accuracy": accuracy}, step=step)
    oracle.end_trial(trial.trial_id)
    assert trial.metrics.get_best_value("val_accuracy") == 0.9
    written = json.loads((tmp_path / "project" / "trial_0000" / "trial.json").read_text())
    assert written["metrics"]["metrics"]["val_accuracy"]["direction"] == "max"


@pytest.mark.parametrize("directory", [False, True])
def test_the_parts_of_an_objective_have_their_own_direction(directory, tmp_path):
    parts = [keras_tuner.Objective("cost", "min"), keras_tuner.Objective("profit", "max")]
    oracle = make(objective=parts, directory=tmp_path if directory else None)
    trial = oracle.create_trial("worker")
    for step in range(3):
        oracle.update_trial(trial.trial_id, {"cost": 1.0, "profit": float(step)}, step=step)
    oracle.end_trial(trial_id=trial.trial_id, status="COMPLETED")
    assert trial.metrics.get_best_value("profit") == 2.0


@pytest.mark.parametrize("status", ["COMPLETED", "INVALID"])
def test_end_trial_accepts_an_id_and_a_status_as_in_keras_tuner(status):
    oracle = make()
    trial = oracle.create_trial("worker")
    values = dict(trial.hyperparameters.values)
    oracle.update_trial(trial.trial_id, {"cost": 4.0}, step=0)
    oracle.end_trial(trial.trial_id, status)
    record = oracle.trial_record(trial.trial_id)
    assert record.state == ("completed" if status == "COMPLETED" else "failed")
    assert record.trial.hyperparameters.values == values


def test_end_trial_names_its_argument_when_it_is_no_trial():
    with pytest.raises(TypeError, match="`trial` must be a trial or the ID of one, got 3"):
        make().end_trial(3)


def test_end_trial_refuses_a_status_that_keras_tuner_does_not_have():
    oracle = make()
    trial = oracle.create_trial("worker")
    with pytest.raises(ValueError, match=r"`status` must be one of .*, got 'PERFECT'"):
        oracle.end_trial(trial.trial_id, "PERFECT")
    assert oracle.trial_record(trial.trial_id).state == "running"


def test_enqueue_accepts_hyperparameters_and_lists():
    oracle = make()
    oracle.hyperparameters.Int("units", 1, 9)
    hp = oracle.hyperparameters.copy()
    hp.values = {"x": 0.25, "units": 3}
    oracle.enqueue(hp)
    oracle.enqueue([hp, {"x": 0.5, "units": 4}])
    values = [oracle.create_trial(name).hyperparameters.values for name in "abc"]
    assert values == [hp.values, hp.values, {"x": 0.5, "units": 4}]


def test_enqueue_accepts_what_a_search_has_found():
    oracle = make()
    best = run(oracle, 1.0).trial.hyperparameters
    oracle.enqueue(best)
    assert oracle.create_trial("worker").hyperparameters.values == best.values


@pytest.mark.parametrize("given", ["x", 3, None, [["x", 1]], ["x"], [None]])
def test_enqueue_names_its_argument_when_it_holds_no_points(given):
    with pytest.raises(TypeError, match="`values` must be a dictionary of values, a `keras_tuner"):
        make().enqueue(given)


def test_enqueue_takes_no_point_of_a_list_when_one_is_wrong():
    oracle = make()
    with pytest.raises(ValueError, match="no hyperparameter 'y'"):
        oracle.enqueue([{"x": 0.5}, {"y": 1}])
    assert not oracle._state.enqueued


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("populate_space", "write a sampler"),
        ("_populate_space", "write a sampler"),
        ("get_state", "history"),
        ("set_state", "history"),
    ],
)
@pytest.mark.parametrize("base", [kte.SamplerOracle, kte.TPEOracle, kte.ASHAOracle, kte.PBTOracle])
def test_an_override_that_would_never_be_called_is_refused(base, name, instead):
    mine = type("Mine", (base,), {name: print})
    arguments = [Random()] if base is kte.SamplerOracle else []
    with pytest.raises(TypeError, match=f"`Mine` must not override `{name}`.*{instead}"):
        mine(*arguments, objective=COST)


def test_a_second_worker_waits_while_a_trial_may_declare_more():
    oracle = kte.SamplerOracle(Random(), objective=COST, max_trials=4, seed=0)
    first = oracle.create_trial("one")
    assert oracle.create_trial("two").status == "IDLE"
    first.hyperparameters.Float("x", 0.0, 1.0)
    oracle.update_trial(first.trial_id, {"cost": 1.0}, step=0)
    oracle.end_trial(first.trial_id)
    assert oracle.create_trial("two").status == "RUNNING"
    assert oracle.create_trial("one").status == "RUNNING"


def test_workers_stop_when_all_points_are_tried_and_no_trial_runs():
    oracle = kte.SamplerOracle(Random(), objective=COST, max_trials=4, seed=0)
    oracle.hyperparameters.Boolean("a")
    one, two = oracle.create_trial("one"), oracle.create_trial("two")
    assert oracle.create_trial("three").status == "IDLE"
    for trial in (one, two):
        oracle.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
        oracle.end_trial(trial.trial_id)
    assert oracle.create_trial("three").status == "STOPPED"


@pytest.mark.parametrize(
    ("status", "state"), [("FAILED", "infeasible"), ("INVALID", "failed"), ("IDLE", "rejected")]
)
@pytest.mark.parametrize("max_trials", [2, None])
def test_a_search_without_a_score_says_why(status, state, max_trials):
    oracle = kte.SamplerOracle(Random(), objective=COST, max_trials=max_trials, seed=0)
    oracle.hyperparameters.Choice("a", [1, 2])
    while (trial := oracle.create_trial("worker")).status != "STOPPED":
        trial.status, trial.message = status, "too large\n  somewhere"
        oracle.end_trial(trial)
    ending = f"No trial has a score (2 {state}).  Trial 0 said: too large"
    assert oracle.ended_because.endswith(ending)


def test_results_have_the_metrics_of_the_best_epoch():
    oracle = make()
    oracle.hyperparameters.Choice("loss", ["mse"])
    trial = oracle.create_trial("worker")
    for step, (cost, loss) in enumerate([(3.0, 0.3), (1.0, 0.1), (2.0, 0.2)]):
        metrics = {"cost": cost, "loss": loss, "epochs": 7.0}
        oracle.update_trial(trial.trial_id, metrics, step=step)
    oracle.end_trial(trial.trial_id)
    oracle.create_trial("worker")
    row, running = rows_of(oracle.search_data())
    assert (row["cost"], row["score"], row["loss"], row["metrics.loss"]) == (1.0, 1.0, "mse", 0.1)
    assert (row["epochs"], row["metrics.epochs"]) == (3, 7.0)
    assert "cost" not in running


def test_results_have_the_mean_of_the_best_epochs_of_all_executions():
    oracle = make()
    trial = oracle.create_trial("worker")
    for step, cost, loss in [(0, 3.0, 0.3), (1, 1.0, 0.1), (0, 2.0, 0.4), (1, 5.0, 0.5)]:
        oracle.update_trial(trial.trial_id, {"cost": cost, "loss": loss}, step=step)
    oracle.end_trial(trial.trial_id)
    (row,) = rows_of(oracle.search_data())
    assert row["cost"] == row["score"] == 1.5
    assert row["loss"] == pytest.approx(0.25)
