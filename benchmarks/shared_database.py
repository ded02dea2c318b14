"""Searches that several processes share through a database, whose processes and server are killed.

`python -m benchmarks.shared_database [--kills 30] [--processes 3] [--only sqlite|postgresql]`

Each process runs the same search; its epochs are a formula.  At random instants one of them, or the
server of PostgreSQL with all its connections, is killed by SIGKILL and started again.  The search
must finish, each trial that has ended for good must have ended once, and each process must see the
same results.  Beforehand the cost of a turn is measured, with and without other processes.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import keras_tuner

import kt_extras as kte
from benchmarks.killed_searches import cost
from kt_extras.storage.database import Database

_PROJECT = "project"
_EPOCH = 0.1  # seconds
_GAP = (1.0, 4.0)  # seconds between two kills
_PATIENCE = 240.0  # seconds for the end of a search after the last kill


def oracle_of(
    url: str, directory: str, trials: int, *, scheduled: bool = True
) -> kte.SamplerOracle:
    """Return the oracle of one process."""
    given: Any = {"objective": keras_tuner.Objective("cost", "min"), "seed": 1}
    make: Any = kte.ASHAOracle if scheduled else kte.RandomSearchOracle
    given |= {"max_epochs": 9, "sampler": "random"} if scheduled else {}
    oracle = make(max_trials=trials, **given)
    oracle.use_storage(url)
    oracle._set_project_dir(directory, _PROJECT)
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    if oracle.is_recorded():
        oracle.reload()
    return oracle


def work(url: str, directory: str, trials: int) -> None:
    """Take part in the search until it has ended, and print what has come of it."""
    oracle = oracle_of(url, directory, trials)
    with oracle.session("tuner0"):
        while (trial := oracle.create_trial("tuner0")).status != "STOPPED":
            if trial.status == "IDLE":
                oracle.wait_for_change(1.0)
                continue
            try:
                _train(oracle, trial)
            except kte.oracles.taken.TrialTakenError:
                sys.stdout.write("taken\n")
    sys.stdout.write(f"ended {oracle.totals.ended}\n")


def _train(oracle: kte.SamplerOracle, trial: Any) -> None:
    for step in range(oracle.trial_record(trial.trial_id).paused_at_epoch, 9):
        time.sleep(_EPOCH)
        if oracle.update_trial(trial.trial_id, {"cost": cost(trial, step)}, step).status != (
            "RUNNING"
        ):
            break
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def start(url: str, directory: str, trials: int) -> subprocess.Popen[str]:
    """Start a process that takes part in the search."""
    command = [sys.executable, "-m", "benchmarks.shared_database", "--work", url, directory]
    return subprocess.Popen(
        [*command, "--trials", str(trials)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(url: str, server: Any, kills: int, processes: int, trials: int) -> dict[str, Any]:
    """Run a search to its end under kills; return what was counted."""
    chance, directory = random.Random(0), tempfile.mkdtemp()
    running = [start(url, directory, trials) for _ in range(processes)]
    counts: Counter[str] = Counter()
    _wait_for_records(url)
    for number in range(kills):
        time.sleep(chance.uniform(*_GAP))
        if server is not None and number % 2:
            counts["kills of the server"] += 1
            server.process.kill()
            server.process.wait()
            time.sleep(chance.uniform(0, 1.5))
            server.start()
        else:
            counts["kills of a process"] += 1
            victim = chance.randrange(processes)
            counts["had ended"] += running[victim].poll() is not None
            running[victim].send_signal(signal.SIGKILL)
            running[victim].communicate()
            running[victim] = start(url, directory, trials)
    errors = []
    for one in running:
        out, err = one.communicate(timeout=_PATIENCE)
        counts["trials taken from a living process"] += out.count("taken")
        if one.returncode or "ended" not in out:
            errors.append(err[-2000:])
    ends, states, again = _outcome(url)
    return {
        **counts,
        "processes that failed": len(errors),
        "trials": len(states),
        "ended for good": len(ends),
        "not ended": sum(state == "running" for state in states.values()),
        "given up": sum(state == "failed" for state in states.values()),
        "repeated": again,
        "errors": errors,
    }


def _wait_for_records(url: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not Database(url, _PROJECT).exists():
        if time.monotonic() > end:
            raise TimeoutError("no process has begun a trial")
        time.sleep(0.5)


def _outcome(url: str) -> tuple[dict[str, str], dict[str, str], int]:
    """Return the final ends, the last state of each trial, and how many began after such an end."""
    ends: dict[str, str] = {}
    states: dict[str, str] = {}
    again = 0
    for record in Database(url, _PROJECT).read():
        name = record.get("trial")
        if record["kind"] in {"create", "resume"}:
            states[name] = "running"
            again += name in ends
        elif record["kind"] == "end":
            states[name] = record["state"]
            if record["state"] not in {"paused", "waiting"}:
                again += name in ends
                ends[name] = record["state"]
    return ends, states, again


def turn_cost(url: str, others: bool, turns: int = 300) -> float:
    """Return the milliseconds of a report of an epoch, alone or in turn with another oracle."""
    directory = tempfile.mkdtemp()
    oracles = [oracle_of(url, directory, 1000, scheduled=False) for _ in range(1 + others)]
    trials = [oracle.create_trial("tuner0") for oracle in oracles]
    began = time.perf_counter()
    for step in range(turns):
        for oracle, trial in zip(oracles, trials, strict=True):
            oracle.update_trial(trial.trial_id, {"cost": 1.0}, step)
    spent = time.perf_counter() - began
    for oracle in oracles:
        oracle.close_session()
    oracles[0].forget_recorded()
    return 1000 * spent / turns / len(oracles)


def main() -> None:
    """Run the searches, print what was counted, and exit with 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--work", nargs=2, metavar=("URL", "DIRECTORY"))
    given = parser.parse_args()
    if given.work:
        work(*given.work, given.trials)
        return
    from tests.storage.server import Server

    bad = False
    for kind in [given.only] if given.only else ["sqlite", "postgresql"]:
        server = Server() if kind == "postgresql" else None
        url = server.url if server else f"sqlite:///{Path(tempfile.mkdtemp(), 'runs.db')}"
        try:
            for others in (False, True):
                spent = turn_cost(url, others)
                sys.stdout.write(f"{kind}, others: {others}: {spent:.2f} ms a report\n")
            found = run(url, server, given.kills, given.processes, given.trials)
        finally:
            if server is not None:
                server.remove()
        sys.stdout.write(f"{kind}: {found}\n")
        bad |= bool(found["processes that failed"] or found["not ended"] or found["repeated"])
    sys.exit(int(bad))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
