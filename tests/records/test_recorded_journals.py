"""Journals and a database that earlier versions have written are read as they were meant."""

import json
import shutil
from pathlib import Path

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.records.events import from_record, to_record
from kt_extras.storage.journal import Journal
from tests.records.test_snapshot import seen

RECORDED = Path(__file__).parent / "recorded"  # by version 0.1.0, before events had types
COST = keras_tuner.Objective("cost", "max")
LENIENT = {"max_retries_per_trial": 1, "max_failure_fraction": None, "seed": 3}
MAKE = {
    "tpe": lambda: kte.SamplerOracle(kte.samplers.TPE(), kte.MedianPruner(2), COST, 40, **LENIENT),
    "asha": lambda: kte.ASHAOracle(COST, max_epochs=4, sampler="random", **LENIENT),
    "bohb": lambda: kte.BOHBOracle(COST, max_epochs=4, reduction_factor=2, **LENIENT),
    "pbt": lambda: kte.PBTOracle(COST, population_size=6, max_epochs=4, **LENIENT),
}


def reloaded(kind, directory, *, with_snapshot=False):
    project = directory / "project"
    project.mkdir()
    shutil.copy(RECORDED / f"{kind}.jsonl", project / "journal.jsonl")
    if with_snapshot:
        shutil.copy(RECORDED / f"{kind}.snapshot.jsonl", project / "snapshot.jsonl")
    oracle = MAKE[kind]()
    oracle._set_project_dir(str(directory), "project")
    oracle.reload()
    return oracle


def expected(kind):
    return json.loads((RECORDED / f"{kind}.state.json").read_text())


@pytest.mark.parametrize(
    ("kind", "with_snapshot"),
    [("tpe", False), ("tpe", True), ("asha", False), ("bohb", False), ("pbt", False)],
)
def test_an_old_journal_gives_the_state_that_it_gave(kind, with_snapshot, tmp_path):
    oracle = reloaded(kind, tmp_path, with_snapshot=with_snapshot)
    then = expected(kind)
    following = then.pop("next")
    now = json.loads(seen(oracle._state))
    for trial in then["trials"]:  # which held what was declared after they began, without a value
        hp = trial["hyperparameters"]
        hp["space"] = [p for p in hp["space"] if p["config"]["name"] in hp["values"]]
    then["totals"]["added"] = 0  # which later versions count
    for name, value in then.items():
        assert repr(now[name]) == repr(value), name  # by their text, for NaN is not equal to itself
    trial = oracle.create_trial("next")
    if following is None:
        assert trial.status in {"STOPPED", "IDLE"}
    else:
        suggested = trial.hyperparameters.values
        assert suggested.pop("x") == pytest.approx(following.pop("x"), rel=1e-9)
        assert suggested == following


@pytest.mark.parametrize("kind", list(MAKE))
def test_old_records_are_written_again_as_they_were(kind):
    for record in Journal(RECORDED / f"{kind}.jsonl").read():
        same = to_record(from_record(record))
        defaults = {name for name in record if name not in same}
        assert defaults <= {"kept", "bracket"}  # which were written where they are 0, too
        assert {**record, **same} == record


def test_an_old_database_gives_the_state_that_it_gave(tmp_path):
    pytest.importorskip("sqlalchemy")
    shutil.copy(RECORDED / "asha.db", tmp_path / "runs.db")
    oracle = MAKE["asha"]()
    oracle.use_storage(f"sqlite:///{tmp_path}/runs.db")
    oracle._set_project_dir(str(tmp_path), "project")
    oracle.reload()
    then = expected("asha")
    now = json.loads(seen(oracle._state))
    for name in ("states", "ended", "attempts", "unit"):
        assert now[name] == then[name]
