"""A chief and workers, each in a process of its own, that are killed, stopped, or late."""

import os
import signal
import sys
import time

import pytest

from tests.tuners.processes import free_port, start
from tests.tuners.test_distributed import journal_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

SCRIPT = """
import os, sys, time
from pathlib import Path
import kt_extras as kte

folder = Path(sys.argv[1])

class Steps(kte.Tuner):
    def run_trial(self, trial):
        x = trial.hyperparameters.Float("x", 0.0, 1.0)
        for step in range(6):
            (folder / f"{self.tuner_id}-trains").touch()
            while (folder / f"{self.tuner_id}-waits").exists():
                time.sleep(0.05)
            time.sleep(float(sys.argv[2]))
            self.oracle.update_trial(trial.trial_id, {"cost": x + step}, step=step)

import keras_tuner
oracle = kte.SamplerOracle(
    kte.samplers.Random(), objective=keras_tuner.Objective("cost", "min"), max_trials=6, seed=0
)
oracle.hyperparameters.Float("x", 0.0, 1.0)
tuner = Steps(oracle, directory=sys.argv[1], project_name="shared")
(folder / f"{tuner.tuner_id}-is-up").touch()
began = time.process_time()
tuner.search(verbose=1)
print("CPU", time.process_time() - began)
"""


class Processes:
    """A chief and workers of one search.

    Args:
        directory: Where the project is.
    """

    def __init__(self, directory):
        self.directory, self.port, self.running = directory, free_port(), {}

    def start(self, who, seconds=0.05, script=SCRIPT):
        self.running[who] = start(who, self.port, self.directory, script, str(seconds))
        return self.running[who]

    def wait_for(self, name):
        deadline = time.monotonic() + 200
        while not (self.directory / name).exists():
            assert time.monotonic() < deadline, f"{name} was not seen"
            time.sleep(0.05)

    def said(self, who, code=0, timeout=200):
        text = self.running[who].communicate(timeout=timeout)[0]
        assert self.running[who].returncode == code, text
        return text

    def check(self, again=()):
        """Check that every trial has ended once, and that the given ones were begun twice."""
        events = journal_of(self.directory)
        ends = [event["trial"] for event in events if event["kind"] == "end"]
        assert sorted(ends) == [f"{n:04}" for n in range(6)]
        begins = [event["trial"] for event in events if event["kind"] == "create"]
        assert sorted(begins) == sorted([*ends, *again])
        return events


@pytest.fixture
def processes(tmp_path, monkeypatch):
    monkeypatch.setenv("KT_EXTRAS_WORKER_TIMEOUT", "3")
    made = Processes(tmp_path)
    yield made
    for process in made.running.values():
        process.kill()
        process.wait()
        process.stdout.close()


def running_trial(directory):
    """Return the trial that has begun last."""
    return [event for event in journal_of(directory) if event["kind"] == "create"][-1]["trial"]


def test_others_run_the_trial_of_a_worker_that_is_killed(processes, tmp_path):
    processes.start("chief")
    (tmp_path / "worker0-waits").touch()
    processes.start("worker0")
    processes.wait_for("worker0-trains")
    lost = running_trial(tmp_path)
    processes.start("worker1")
    processes.wait_for("worker1-trains")
    processes.running["worker0"].kill()
    processes.said("worker1")
    said = processes.said("chief", timeout=30)
    assert "was not heard from for 3 seconds; its trial is run again" in said
    processes.check(again=[lost])


def test_a_chief_that_is_killed_and_started_again_disturbs_no_worker(processes, tmp_path):
    chief = processes.start("chief")
    (tmp_path / "worker0-waits").touch()
    processes.start("worker0")
    processes.wait_for("worker0-trains")
    chief.kill()
    chief.communicate()
    (tmp_path / "worker0-waits").unlink()  # it reports an epoch to nobody
    (tmp_path / "chief-is-up").unlink()
    processes.start("chief")
    processes.said("worker0")
    processes.said("chief", timeout=30)
    processes.check()


@pytest.mark.exhaustive
def test_a_chief_that_is_started_again_loses_the_silent_alone(processes, tmp_path):
    chief = processes.start("chief")
    for name in ("worker0", "worker1"):
        (tmp_path / f"{name}-waits").touch()
        processes.start(name)
        processes.wait_for(f"{name}-trains")
    begins = [event for event in journal_of(tmp_path) if event["kind"] == "create"]
    (lost,) = [event["trial"] for event in begins if event["worker"].startswith("worker0@")]
    for process in (chief, processes.running["worker0"]):
        process.kill()
        process.communicate()
    processes.start("chief")
    (tmp_path / "worker1-waits").unlink()
    processes.said("worker1")
    processes.said("chief", timeout=30)
    processes.check(again=[lost])


@pytest.mark.exhaustive
def test_a_worker_that_starts_late_is_told_that_the_search_is_over(processes):
    processes.start("chief")
    processes.start("worker0", seconds=0)
    processes.said("worker0")
    processes.said("chief", timeout=30)
    processes.start("worker1")
    said = processes.said("worker1")
    assert "The search has ended, and its chief at 127.0.0.1" in said
    assert "`max_trials=6`" in said
    processes.check()


def test_a_worker_that_was_stopped_drops_its_trial(processes, tmp_path):
    processes.start("chief")
    (tmp_path / "worker0-waits").touch()
    stopped = processes.start("worker0")
    processes.wait_for("worker0-trains")
    lost = running_trial(tmp_path)
    os.kill(stopped.pid, signal.SIGSTOP)
    processes.start("worker1", seconds=0.5)
    deadline = time.monotonic() + 200
    while [e["trial"] for e in journal_of(tmp_path) if e["kind"] == "create"].count(lost) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    (tmp_path / "worker0-waits").unlink()
    os.kill(stopped.pid, signal.SIGCONT)
    assert f"Trial '{lost}' was given to another worker" in processes.said("worker0")
    processes.said("worker1")
    processes.said("chief", timeout=30)
    processes.check(again=[lost])


@pytest.mark.exhaustive
def test_a_worker_that_waits_takes_hardly_any_time_of_the_processor(processes, tmp_path):
    one = SCRIPT.replace("max_trials=6", "max_trials=1")
    (tmp_path / "worker0-waits").touch()
    processes.start("chief", script=one)
    processes.start("worker0", script=one)
    processes.wait_for("worker0-trains")
    processes.start("worker1", script=one)
    processes.wait_for("worker1-is-up")
    time.sleep(15)
    (tmp_path / "worker0-waits").unlink()
    processes.said("worker0")
    seconds = float(processes.said("worker1").split("CPU")[1])
    processes.said("chief", timeout=30)
    assert seconds < 1.0  # of 15


FULL = SCRIPT.replace(
    "tuner.search",
    """
if tuner.tuner_id == "chief":
    import resource, signal
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
tuner.search""",
)


def test_a_full_disk_of_the_chief_ends_all_processes_with_its_error(processes):
    for who in ("chief", "worker0", "worker1"):
        processes.start(who, script=FULL)
    assert "OSError: [Errno 28] No space left on device" in processes.said("chief", code=1)
    for worker in ("worker0", "worker1"):
        assert "The chief has ended with an error: OSError" in processes.said(worker, code=1)


@pytest.mark.exhaustive
def test_a_chief_listens_at_its_address_alone(processes):
    if not sys.platform.startswith("linux"):
        pytest.skip("`/proc` is there on Linux alone")
    chief = processes.start("chief")
    processes.start("worker0", seconds=0.5)
    processes.wait_for("worker0-trains")
    assert listening(chief.pid) == {f"0100007F:{processes.port:04X}"}


IPV4 = "0000000000000000FFFF0000"  # what an address of IPv4 begins with in the table of IPv6


def listening(pid):
    """Return the local addresses at which a process listens, as the kernel writes them."""
    folder = f"/proc/{pid}/fd"
    sockets = {os.readlink(f"{folder}/{n}") for n in os.listdir(folder)}
    found = set()
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}") as lines:
            for line in list(lines)[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == "0A" and f"socket:[{inode}]" in sockets:
                    found.add(local.removeprefix(IPV4))
    return found
