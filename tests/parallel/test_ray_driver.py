"""A driver that is killed or interrupted leaves no process, and a search that can go on."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import kt_extras as kte
from kt_extras.parallel.answers import answered
from kt_extras.parallel.served_oracle import served
from tests.parallel.conftest import wait_for
from tests.parallel.slow_trials import begun, slow_tuner

ROOT = Path(__file__).parents[2]


@pytest.fixture
def started(tmp_path, seen, monkeypatch):
    """Return what starts the script, in a session and so a group of processes of its own."""
    processes, shared_before = [], shared_memory()
    monkeypatch.setenv("PYTEST_PROJECT", str(tmp_path))  # marks all processes of the script

    def start(seconds):
        command = [sys.executable, "-m", "tests.parallel.search_script"]
        process = subprocess.Popen(
            [*command, str(tmp_path), str(seen), str(seconds)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
    wait_for(lambda: not descendants(tmp_path), 60)
    assert shared_memory() <= shared_before


def descendants(project):
    """Return the processes of Ray that work for a project, or are started by its driver."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
            command = (path / "cmdline").read_bytes()
        except OSError:
            continue
        ours = f"PYTEST_PROJECT={project}".encode() in environment
        if ours and command and str(os.getpid()) != path.name:
            found.append((path.name, command[:60]))
    return found


def shared_memory():
    return {name for name in os.listdir("/dev/shm") if "plasma" in name}


@pytest.mark.exhaustive
@pytest.mark.timeout(400)
def test_a_search_goes_on_when_its_driver_was_killed_and_interrupted(started, tmp_path, seen):
    killed = started(0.4)
    wait_for(lambda: len(begun(seen)) > 3)
    killed.kill()
    killed.wait()
    wait_for(lambda: not descendants(tmp_path))
    attempts = len(begun(seen))

    stopped_at_once = started(60)
    wait_for(lambda: len(begun(seen)) > attempts + 1)
    os.killpg(stopped_at_once.pid, signal.SIGINT)
    time.sleep(1)
    assert stopped_at_once.poll() is None  # after the running epoch, which takes a minute
    os.killpg(stopped_at_once.pid, signal.SIGINT)
    assert "interrupted" in stopped_at_once.communicate(timeout=30)[0]
    attempts = len(begun(seen))

    stopped = started(0.4)
    wait_for(lambda: len(begun(seen)) > attempts + 1)
    os.killpg(stopped.pid, signal.SIGINT)
    assert "interrupted" in stopped.communicate(timeout=30)[0]
    assert stopped.returncode == 3
    tuner = slow_tuner(tmp_path, max_trials=8)
    states = Counter(row["state"] for row in tuner.results())
    assert set(states) <= {"completed", "waiting"}
    assert 2 <= states["completed"] < 8

    assert "ended 8" in started(0.0).communicate(timeout=120)[0]
    tuner.oracle.reload()
    times = Counter(trial for trial, _ in begun(seen))
    recorded = {r.trial.trial_id: r.attempt for r in tuner.oracle.trial_records()}
    assert max(recorded.values()) <= 2  # only those of the killed driver count
    assert all(recorded[trial] <= times[trial] for trial in times)


def test_another_search_of_the_project_is_refused_when_it_goes_on(tmp_path):
    first, second = slow_tuner(tmp_path).oracle, slow_tuner(tmp_path).oracle
    first.open_session()
    try:
        assert served(second, 60.0, last_try=False) is None
        answer = answered(lambda: served(second, 60.0, last_try=True))
        with pytest.raises(kte.storage.ProjectInUseError):
            answer.result()
    finally:
        first.close_session()
