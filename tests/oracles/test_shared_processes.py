"""Processes that share a search through a database, of which one is killed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the extra `sql` is not installed")

from kt_extras.records.query_tables import SearchTables
from kt_extras.storage.database import Database
from tests.oracles.shared_tuner import MAX_TRIALS, PROCESSES
from tests.storage.conftest import server  # noqa: F401 - a fixture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PATIENCE = 240  # seconds


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs.db"
    url = request.getfixturevalue("server").url
    Database(url, "shared", SearchTables()).delete()  # that of the test before
    return url


def start(url, directory, tuner):
    command = [sys.executable, "-m", "tests.oracles.shared_tuner", url, str(directory), tuner]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)


def records(url):
    database = Database(url, "shared")
    try:
        return list(database.read()) if database.exists() else []
    finally:
        database.release()


def begun(url):
    """Return who has begun or resumed trials so far."""
    return [(r["trial"], r["worker"]) for r in records(url) if r["kind"] in {"create", "resume"}]


def wait_for_workers(url, count):
    end = time.monotonic() + PATIENCE
    while len({worker for _, worker in begun(url)}) < count:
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize("tuner", ["ASHA", pytest.param("TPE", marks=pytest.mark.exhaustive)])
def test_a_killed_process_loses_no_trial_of_a_shared_search(url, tmp_path, tuner):
    processes = [start(url, tmp_path, tuner) for _ in range(PROCESSES)]
    try:
        wait_for_workers(url, PROCESSES)
        processes[0].kill()
        processes[0].communicate()
        out, err = processes[1].communicate(timeout=PATIENCE)
    finally:
        for one in processes:
            one.kill()
    assert processes[1].returncode == 0, err
    assert int(out.splitlines()[-1].split()[0]) == MAX_TRIALS
    found = records(url)
    if tuner == "TPE":
        ends = [r["trial"] for r in found if r["kind"] == "end"]
        assert sorted(ends) == [f"{number:04d}" for number in range(MAX_TRIALS)]
    open_ones = {r["trial"] for r in found if r["kind"] in {"create", "resume"}}
    assert open_ones == {r["trial"] for r in found if r["kind"] == "end"}
    attempts = [trial for trial, _ in begun(url)]
    assert tuner == "ASHA" or len(attempts) == MAX_TRIALS + 1  # one was run again
    assert list(tmp_path.glob("logs/**/events*"))
