"""Searches in the local files that the real wandb writes in offline mode."""

import importlib.util
import json
import struct
import time

import pytest

import kt_extras as kte
from kt_extras.analysis.search_data import TrialData
from kt_extras.loggers import SearchInfo, Wandb
from kt_extras.search.outcome import Target

if importlib.util.find_spec("wandb") is None:  # it takes seconds to import
    pytest.skip("wandb is not installed", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # those of wandb


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_MODE", "offline")


def info(directory):
    return SearchInfo("digits-1", "digits", str(directory), (Target("val_f1", "max"),), 3)


def trial(number, state="completed", epochs=3, **facts):
    values = [0.5 + 0.125 * step for step in range(epochs)]
    curve = {"steps": list(range(epochs)), "metrics": {"val_f1": values}}
    score = values[-1] if state in ("completed", "pruned") else None
    made = {"values": {"rate": 0.1}, "executions": (curve,), "epochs": epochs, "score": score}
    return TrialData(number=number, trial_id=f"{number:04d}", state=state, **{**made, **facts})


def parts(data):
    """Yield the records of a file in the log format of LevelDB, behind its header of 7 bytes."""
    position, found = 7, b""
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:  # the rest of a block is empty
            position += 32768 - position % 32768
            continue
        length, kind = struct.unpack("<HB", data[position + 4 : position + 7])
        found += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield found
            found = b""


def read(directory):
    """Return the content of the files of all sessions by run, once all of it is written."""
    for _ in range(100):
        found = content(directory)
        if all(session[-1] is not None for sessions in found.values() for session in sessions):
            break
        time.sleep(0.1)  # wandb writes the last records after `finish` has returned
    return found


def content(directory):
    """Return the rows, the summary, the configuration and the exit code of each session by run."""
    from wandb.proto.wandb_internal_pb2 import Record

    sessions = {}
    for file in sorted((directory / "wandb").glob("offline-run-*/run-*.wandb")):
        rows, summary, config, group, code = [], {}, {}, None, None
        for part in parts(file.read_bytes()):
            record = Record.FromString(part)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                group = record.run.run_group
                updates = record.run.config.update
                config |= {one.key: json.loads(one.value_json) for one in updates}
            elif kind == "history":
                items = record.history.item
                row = {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}
                rows.append({name: v for name, v in row.items() if not name.startswith("_")})
            elif kind == "summary":
                updates = record.summary.update
                summary |= {
                    "/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in updates
                }
            elif kind == "exit":
                code = record.exit.exit_code
        name = file.stem.removeprefix("run-")
        sessions.setdefault(name, []).append((rows, summary, config, group, code))
    return sessions


def test_each_trial_has_a_run_in_the_group_of_the_search(tmp_path):
    logger = Wandb(directory=tmp_path)
    logger.begin_search(info(tmp_path))
    logger.log_trial(trial(0, "running", epochs=1))
    logger.log_trial(trial(1, "running", epochs=1))  # they take turns
    logger.log_trial(trial(0))
    logger.log_trial(trial(1, "failed", message="ValueError: no"))
    logger.end_search(finished=True, weights={"0000": "checkpoint"})
    found = read(tmp_path)
    assert sorted(found) == ["digits-1", "digits-1-0000", "digits-1-0001"]
    ((rows, summary, config, group, code),) = found["digits-1-0000"]
    assert rows == [{"epoch": step, "val_f1": 0.5 + 0.125 * step} for step in range(3)]
    assert (summary["score"], summary["state"]) == (0.75, "completed")
    assert config["rate"] == 0.1
    assert (group, code) == ("digits-1", 0)
    ((_, summary, _, _, code),) = found["digits-1-0001"]
    assert (summary["message"], code) == ("ValueError: no", 1)
    ((rows, summary, config, _, code),) = found["digits-1"]
    assert rows == [{"trial": 0, "score": 0.75}]
    assert config["objectives"] == {"val_f1": "max"}
    assert code == 0


def test_a_paused_trial_goes_on_with_its_run(tmp_path):
    logger = Wandb(directory=tmp_path, mode="offline")
    logger.begin_search(info(tmp_path))
    logger.log_trial(trial(0, "paused", epochs=1))
    logger.log_trial(trial(0, epochs=3, values={"rate": 0.2}))
    logger.end_search(finished=False, weights={})
    found = read(tmp_path)
    (first, *_), (second, summary, config, *_) = found["digits-1-0000"]
    assert [row["epoch"] for row in first + second] == [0, 1, 2]
    assert summary["state"] == "completed"
    assert config["rate"] == 0.2
    assert found["digits-1"][0][-1] == 1


def test_a_search_logs_its_trials(tmp_path):
    class Squares(kte.Tuner):
        def run_trial(self, trial, *args, **kwargs):
            return trial.hyperparameters.Float("x", -1, 1) ** 2

    oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=2, seed=0)
    tuner = Squares(oracle, directory=tmp_path, project_name="squares")
    tuner.search(callbacks=[Wandb(mode="offline")], verbose=0)
    found = read(tmp_path / "squares")
    assert len(found) == 3
    for row in tuner.results():
        name = next(one for one in found if one.endswith(f"-{row['trial_id']}"))
        ((_, summary, config, _, code),) = found[name]
        assert (summary["score"], config["x"], code) == (row["score"], row["x"], 0)


def test_a_mode_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="mode"):
        Wandb(mode="local")
