"""Oracles that share one search through a database, as processes do."""

from functools import partial

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.storage.errors import LostTurnError

pytest.importorskip("sqlalchemy", reason="the extra `sql` is not installed")

COST = keras_tuner.Objective("cost", "min")


@pytest.fixture
def join(tmp_path):
    """A function that makes an oracle of the search; all are closed at the end."""
    opened = []

    def join(make=kte.SamplerOracle, directory="runs", high=1.0, **given):
        hp = keras_tuner.HyperParameters()
        hp.Float("x", 0.0, high)
        samplers = [kte.samplers.Random()] if make is kte.SamplerOracle else []
        oracle = make(*samplers, **{"objective": COST, "hyperparameters": hp, **given})
        oracle.use_storage(f"sqlite:///{tmp_path}/runs.db")
        oracle._set_project_dir(str(tmp_path / directory), "project")
        if oracle.is_recorded():
            oracle.reload()
            oracle.redeclare(hp)
        opened.append(oracle)
        return oracle

    yield join
    for oracle in opened:
        oracle.close_session()


def end(oracle, trial, cost=1.0, status="COMPLETED"):
    oracle.update_trial(trial.trial_id, {"cost": cost}, 0)
    trial.status = status
    oracle.end_trial(trial)


def records(oracle):
    return list(oracle._recorder._store.read())


def test_two_oracles_give_out_each_trial_once(join):
    one, two = join(max_trials=5), join(max_trials=5)
    seen = []
    for oracle in (one, two, two, one, two):
        trial = oracle.create_trial("tuner0")
        seen.append(trial.trial_id)
        end(oracle, trial)
    assert seen == ["0000", "0001", "0002", "0003", "0004"]
    assert [o.create_trial("tuner0").status for o in (one, two)] == ["STOPPED"] * 2
    assert one.seed == two.seed
    assert [len(o.get_best_trials(9)) for o in (one, two)] == [5, 5]
    assert len({str(r.trial.values) for r in one.trial_records()}) == 5


def test_a_trial_of_an_oracle_that_is_gone_is_run_again_first(join):
    one, two = join(max_trials=3), join(max_trials=3)
    lost = one.create_trial("tuner0").trial_id
    other = two.create_trial("tuner0")
    end(two, other)
    one._recorder._store.release()  # as its death does
    again = two.create_trial("tuner0")
    assert (again.trial_id, two.trial_record(lost).attempt) == (lost, 2)


def test_a_trial_of_a_living_oracle_is_left_to_it_by_one_that_starts(join):
    one = join(max_trials=3)
    trial = one.create_trial("tuner0")
    two = join(max_trials=3)
    with two.session("tuner0"):
        assert two.create_trial("tuner0").trial_id != trial.trial_id
        end(one, trial, 0.5)
        assert two.create_trial("other").trial_id == "0002"
        assert two.trial_record(trial.trial_id).trial.score == 0.5


@pytest.mark.parametrize("ends", [False, True])
def test_an_oracle_that_was_cut_off_is_told_that_its_trial_is_taken(join, ends):
    one, two = join(max_trials=3), join(max_trials=3)
    trial = one.create_trial("tuner0")
    end(two, two.create_trial("tuner0"))
    one.close_session()
    taken = two.create_trial("tuner0")
    assert taken.trial_id == trial.trial_id
    report = partial(one.update_trial, trial.trial_id, {"cost": 1.0}, 0)
    with pytest.raises(TrialTakenError):
        (partial(one.end_trial, trial) if ends else report)()
    assert one.create_trial("tuner0").trial_id == "0002"
    end(two, taken, 0.1)
    assert one.create_trial("tuner0").trial_id == "0002"
    assert one.trial_record(trial.trial_id).trial.score == 0.1


def test_an_oracle_waits_for_the_trials_of_others_at_the_end(join):
    one, two = join(max_trials=2), join(max_trials=2)
    trial = one.create_trial("tuner0")
    end(two, two.create_trial("tuner0"))
    assert two.create_trial("tuner0").status == "IDLE"
    end(one, trial)
    assert two.create_trial("tuner0").status == "STOPPED"


def test_the_target_that_one_reaches_ends_the_search_of_all(join):
    one, two = join(target=0.1), join(target=0.1)
    end(one, one.create_trial("tuner0"), 0.05)
    assert two.create_trial("tuner0").status == "STOPPED"
    assert "target" in two.ended_because


def test_failures_of_all_are_counted_and_end_the_search_of_all(join):
    one, two = join(), join()
    trials = [oracle.create_trial("tuner0") for oracle in (one, two)]
    for oracle, trial in zip((one, two), trials, strict=True):
        end(oracle, trial, status="INVALID")
    with pytest.raises(RuntimeError, match="last 3 trials crashed"):
        end(one, one.create_trial("tuner0"), status="INVALID")
    answer = two.create_trial("tuner0")
    assert answer.status == "STOPPED"
    assert "last 3 trials crashed" in answer.message


def test_a_trial_that_is_given_back_goes_to_another_oracle(join):
    one, two = join(max_trials=2), join(max_trials=2)
    trial = one.create_trial("tuner0")
    end(two, two.create_trial("tuner0"))
    one.abandon("tuner0")
    again = two.create_trial("tuner0")
    assert (again.trial_id, two.trial_record(again.trial_id).attempt) == (trial.trial_id, 1)


def test_asha_promotes_and_resumes_the_trials_of_others(join):
    settings = {"make": kte.ASHAOracle, "sampler": "random", "max_epochs": 3, "max_trials": 6}
    one, two = join(**settings), join(**settings)
    began = {}
    for turn in range(40):
        oracle = (one, two)[turn % 2]
        trial = oracle.create_trial("tuner0")
        if trial.status != "RUNNING":
            break
        began.setdefault(trial.trial_id, set()).add(turn % 2)
        first = oracle.trial_record(trial.trial_id).paused_at_epoch
        for step in range(first, 3):
            cost = float(trial.trial_id) + 1 / (step + 1)
            if oracle.update_trial(trial.trial_id, {"cost": cost}, step).status == "STOPPED":
                break
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    assert trial.status == "STOPPED"
    assert any(len(oracles) == 2 for oracles in began.values())
    assert one.totals == two.totals


def test_the_end_of_a_trial_that_was_resumed_since_removes_no_weights(join):
    settings = {"make": kte.ASHAOracle, "sampler": "random", "max_epochs": 3, "max_trials": 6}
    one, two, seen = join(**settings), join(**settings), []
    two.open_session()
    two.when_ended = lambda record: seen.append((record.trial.trial_id, record.state))
    for cost in (0.1, 0.2, 0.3):
        end(one, one.create_trial("tuner0"), cost)
    assert one.create_trial("tuner0").trial_id == "0000"
    two.create_trial("tuner0")
    assert seen == [("0001", "paused"), ("0002", "paused")]


def test_a_point_that_another_enqueues_is_tried_next(join):
    one, two = join(), join()
    end(one, one.create_trial("tuner0"))
    two.enqueue({"x": 0.25})
    assert one.create_trial("tuner0").hyperparameters.values == {"x": 0.25}


def test_other_hyperparameters_are_refused_while_others_search(join):
    one = join()
    trial = one.create_trial("tuner0")
    two = join(high=2.0)
    with pytest.raises(ValueError, match=r"hyperparameters must be the same .*\n  x: 0 to 2"):
        two.create_trial("tuner0")
    end(one, trial)
    one.close_session()
    assert two.create_trial("tuner0").status == "RUNNING"


def test_another_objective_is_refused_while_others_search(join):
    one = join()
    one.create_trial("tuner0")
    two = join(objective=keras_tuner.Objective("profit", "max"))
    with pytest.raises(ValueError, match="`objective` is now"):
        two.create_trial("tuner0")


def test_another_directory_is_refused_while_others_search(join):
    one = join()
    one.create_trial("tuner0")
    two = join(directory="elsewhere")
    with pytest.raises(ValueError, match="`directory` must be the same"):
        two.create_trial("tuner0")
    one.close_session()
    assert two.create_trial("tuner0").trial_id == "0000"


def test_nothing_is_written_outside_a_turn(join):
    one = join()
    one.create_trial("tuner0")
    before = records(one)
    with pytest.raises(RuntimeError, match="turn must be held"):
        one._recorder._write(kte.records.events.PointEnqueued(values={"x": 0.5}))
    assert records(one) == before


def test_a_turn_that_was_lost_is_decided_again(join, monkeypatch):
    one, two = join(max_trials=9), join(max_trials=9)
    end(one, one.create_trial("tuner0"))
    end(two, two.create_trial("tuner0"))
    store = one._recorder._store
    append, meanwhile = store.append, []

    def lose(record, *, sync=False):
        if record["kind"] == "create" and not meanwhile:
            store._session.end_turn()
            meanwhile.append(two.create_trial("tuner0").trial_id)
            store._session.begin_turn()
        append(record, sync=sync)

    monkeypatch.setattr(store, "append", lose)
    assert one.create_trial("tuner0").trial_id == "0003"
    assert meanwhile == ["0002"]


def test_what_a_lost_turn_has_written_is_not_written_again(join, monkeypatch):
    one = join(pruner=kte.ThresholdPruner(upper=0.5))
    trial = one.create_trial("tuner0")
    append, lost = one._recorder._store.append, []

    def lose(record, *, sync=False):
        if record["kind"] == "stop" and not lost:
            lost.append(record)
            raise LostTurnError("lost")
        append(record, sync=sync)

    monkeypatch.setattr(one._recorder._store, "append", lose)
    assert one.update_trial(trial.trial_id, {"cost": 1.0}, 0).status == "STOPPED"
    assert [r["kind"] for r in records(one)].count("report") == 1


def test_no_lock_file_is_left_when_all_have_ended(join, tmp_path):
    one, two = join(), join()
    for oracle in (one, two, one):
        end(oracle, oracle.create_trial("tuner0"))
    for oracle in (one, two):
        oracle.close_session()
    assert {path.name for path in tmp_path.iterdir()} <= {"runs", "runs.db"}
