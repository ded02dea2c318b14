"""Searches in processes of Ray go on, or end with an error, when one of these dies or hangs."""

import os
import signal
import threading
from collections import Counter
from pathlib import Path

import pytest

import kt_extras as kte
from tests.parallel.slow_trials import actors, begun, slow_keras_tuner, slow_tuner

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # of Ray, about itself
    pytest.mark.usefixtures("started_ray"),
]


def kill(pids, with_signal=signal.SIGKILL):
    for pid in pids:
        os.kill(pid, with_signal)


def ended(tuner):
    return [trial.status for trial in tuner.oracle.trials.values()]


@pytest.mark.parametrize(
    "make", [slow_tuner, pytest.param(slow_keras_tuner, marks=pytest.mark.exhaustive)]
)
def test_a_killed_worker_and_oracle_lose_and_repeat_nothing(make, tmp_path, seen, when):
    tuner = make(tmp_path)
    killed = []

    def kill_both():
        killed.append(int(begun(seen)[0][1]))
        kill([*killed, *actors("OracleActor")])

    when(lambda: len(begun(seen)) > 1, kill_both)
    kte.parallel.search(tuner, 0.3, str(seen), workers=2)
    assert killed
    assert ended(tuner) == ["COMPLETED"] * 6
    attempts = Counter(trial for trial, _ in begun(seen))
    assert sorted(attempts.values()) == [1] * 5 + [2]
    if isinstance(tuner, kte.Tuner):
        assert {r.trial.trial_id: r.attempt for r in tuner.oracle.trial_records()} == attempts
        assert all(row["epochs"] == 4 for row in tuner.results())


@pytest.mark.exhaustive
def test_workers_that_are_silent_or_hang_are_replaced(tmp_path, seen, when):
    tuner = slow_tuner(tmp_path, max_trials=3)

    def has_second():  # the first one hangs
        return [int(pid) for trial, pid in begun(seen) if trial == "0001"]

    when(has_second, lambda: kill(has_second(), signal.SIGSTOP))
    tuner.search(
        0.5, str(seen), "hangs", workers=2, heartbeat_timeout=5, progress_timeout=5, verbose=0
    )
    assert ended(tuner) == ["COMPLETED"] * 3
    assert [record.attempt for record in tuner.oracle.trial_records()] == [2, 2, 1]
    first = sorted(seen.iterdir(), key=lambda path: path.stat().st_mtime)[:2]
    assert not [path for path in first if Path("/proc", path.name.split(".")[1]).exists()]


def test_workers_that_die_at_their_start_end_the_search(tmp_path, seen):
    killed, over = set(), threading.Event()

    def kill_all():
        while not over.wait(0.05):
            for pid in actors("WorkerActor"):
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_all)
    killer.start()
    try:
        with pytest.raises(RuntimeError, match="3 workers in a row have died before they asked"):
            slow_tuner(tmp_path).search(0.1, str(seen), workers=2, verbose=0)
    finally:
        over.set()
        killer.join()
    assert len(killed) >= 3
    assert not begun(seen)


def test_a_directory_that_other_processes_do_not_see_is_an_error(tmp_path, seen, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tuner = slow_tuner("/proc/self/cwd")  # the working directory, which is that of this process
    with pytest.raises(FileNotFoundError, match="`directory` must be one that all workers see"):
        tuner.search(0.1, str(seen), workers=2, verbose=0)
    assert not begun(seen)
