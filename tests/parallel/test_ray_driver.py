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
from tests.parallel.slow_trials import begun, slow_tuner

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def seen(tmp_path):
    folder = tmp_path / "seen"
    folder.mkdir()
    return folder


@pytest.fixture
def started(tmp_path, seen):
    """Return what starts the script, in a session and so a group of processes of its own."""
    processes = []

    def start(seconds=0.5):
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


def wait_for(condition, seconds=300):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.1)


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


@pytest.fixture(autouse=True)
def _marked(tmp_path, monkeypatch):
    """Mark the processes of this test, and find none of them at its end, nor shared memory."""
    before = set(os.listdir("/dev/shm"))
    monkeypatch.setenv("PYTEST_PROJECT", str(tmp_path))
    yield
    wait_for(lambda: not descendants(tmp_path), 60)
    assert not [name for name in set(os.listdir("/dev/shm")) - before if "plasma" in name]


def test_a_search_goes_on_when_its_driver_was_killed(started, tmp_path, seen):
    process = started()
    wait_for(lambda: len(begun(seen)) > 3)
    process.kill()
    process.wait()
    assert "ended 6" in started().communicate(timeout=400)[0]
    tuner = slow_tuner(tmp_path)
    attempts = [record.attempt for record in tuner.oracle.trial_records()]
    assert Counter(attempts)[1] >= 4
    assert max(attempts) <= 2
    times = Counter(trial for trial, _ in begun(seen))
    assert sum(times.values()) == sum(attempts)


def test_the_first_ctrl_c_ends_a_search_after_the_epoch(started, tmp_path, seen):
    process = started()
    wait_for(lambda: len(begun(seen)) > 2)
    os.killpg(process.pid, signal.SIGINT)
    assert "interrupted" in process.communicate(timeout=120)[0]
    assert process.returncode == 3
    tuner = slow_tuner(tmp_path)
    assert all(record.attempt == 1 for record in tuner.oracle.trial_records())
    assert {row["state"] for row in tuner.results()} <= {"completed", "waiting"}


def test_the_second_ctrl_c_ends_a_search_at_once(started, seen):
    process = started(30)
    wait_for(lambda: len(begun(seen)) > 1)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(1)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    assert "interrupted" in process.communicate(timeout=120)[0]
    assert time.monotonic() - began < 25


def test_another_search_of_the_project_is_refused(started, tmp_path, seen):
    process = started(3)
    wait_for(lambda: len(begun(seen)) > 0)
    with pytest.raises(kte.storage.ProjectInUseError):
        slow_tuner(tmp_path).search(0, str(seen), verbose=0)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
