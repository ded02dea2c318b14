"""Searches with `workers=2` whose worker, oracle's process and driver are killed in turn.

    python -m benchmarks.parallel_kills --kills 60

Each search runs on a Ray of its own; its epochs are a formula, and trials that pause write a small
state.  At random instants one of the processes is killed by SIGKILL; a driver is then started
again.  Told is how many searches came to their end, how many finished trials were lost or run
again, how many trials had to begin their last part once more, and how many processes the dead have
left behind.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np

import kt_extras as kte
from benchmarks.killed_searches import GIVEN_UP, PROJECT, cost, events, finished, repeated
from kt_extras.atomic_files import atomic_write
from kt_extras.bridge.metrics import epochs_reported
from kt_extras.bridge.trial_state import TrialState

COST = keras_tuner.Objective("cost", "min")
WORKERS = 2
_EPOCH = 0.05  # seconds
_MARK = "KT_EXTRAS_KILLS"  # the environment variable that tells which processes are of a search
_TARGETS = ("ray::WorkerActor.run", "ray::OracleActor", "driver")
_GAP = 2.0  # seconds between two kills, at most, once the search goes on
_PATIENCE = 300.0  # seconds in which a search must go on, and end
_LEFT = 120.0  # seconds in which the processes of dead drivers must end; Ray's own take a minute


class Formula(kte.Tuner):
    """Reports epochs of a formula; what pauses goes on from a file."""

    def run_trial(self, trial: Any, **_: Any) -> None:  # type: ignore[override]
        """Report epochs until the oracle says that it is enough."""
        states, first = self._states, epochs_reported(trial)
        assert states is not None
        if first and int(np.load(states.path(trial.trial_id, first))["epochs"]) != first:
            raise keras_tuner.errors.FatalValueError("The state is that of another epoch.")
        for step in range(first, 1000):
            time.sleep(_EPOCH)
            answer = self.oracle.update_trial(
                trial.trial_id, {"cost": cost(trial, step)}, step=step
            )
            if answer.status == "STOPPED":
                with atomic_write(states.path(trial.trial_id, step + 1)) as file:
                    np.savez(file, epochs=step + 1)
                return


def tuner_of(kind: str, directory: str) -> Formula:
    """Return the tuner of a search.

    Args:
        kind: `"ASHA"` or `"PBT"`.
        directory: Where it is.
    """
    space = keras_tuner.HyperParameters()
    space.Float("x", 1e-4, 1.0, sampling="log")
    given: dict[str, Any] = {"objective": COST, "seed": 1, "hyperparameters": space}
    oracle = (
        kte.ASHAOracle(max_epochs=9, max_trials=60, sampler="random", **given)
        if kind == "ASHA"
        else kte.PBTOracle(max_epochs=8, population_size=60, **given)
    )
    return Formula(oracle, directory=directory, project_name=PROJECT)


def drive(kind: str, directory: str) -> None:
    """Be the driver of a search."""
    tuner_of(kind, directory).search(workers=WORKERS, verbose=0, heartbeat_timeout=30)


def start(kind: str, directory: str) -> subprocess.Popen[bytes]:
    """Start the driver of a search."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.parallel_kills", "--drive", kind, directory],
        env={**os.environ, _MARK: directory},
        stdout=subprocess.DEVNULL,
        stderr=Path(directory, "log").open("ab"),
        start_new_session=True,
    )


def processes(directory: str) -> dict[int, str]:
    """Return the commands of the processes that belong to a search."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if f"{_MARK}={directory}".encode() in (path / "environ").read_bytes():
                found[int(path.name)] = (path / "cmdline").read_text().replace("\0", " ")
    return {pid: command for pid, command in found.items() if command}


class Torment:
    """Kills the processes of searches, and counts what becomes of them.

    Args:
        kills: How many kills.
        seed: Of the instants.
    """

    def __init__(self, kills: int, seed: int) -> None:
        self._kills, self._chance = kills, random.Random(seed)
        self.counts: collections.Counter[str] = collections.Counter()
        self._targets = [_TARGETS[number % 3] for number in range(kills)]

    def run(self, kind: str) -> None:
        """Kill one search until it has ended, or there were enough kills."""
        with tempfile.TemporaryDirectory() as directory:
            driver = start(kind, directory)
            before: dict[str, Any] = {}
            while self._targets and self._goes_on(driver, directory):
                time.sleep(self._chance.uniform(0, _GAP))
                before |= finished(directory)
                target = self._targets[0]
                pids = [driver.pid] if target == "driver" else self._of(target, directory)
                if driver.poll() is not None or not pids:
                    continue
                os.kill(self._chance.choice(pids), signal.SIGKILL)
                self._targets.pop(0)
                self.counts[f"kills of {target.removeprefix('ray::').partition('Actor')[0]}"] += 1
                self.counts["kills"] += 1
                if target == "driver":
                    driver.wait()
                    driver = start(kind, directory)
            try:
                driver.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                driver.kill()
            self._judge(kind, directory, before, driver.returncode)

    def _goes_on(self, driver: subprocess.Popen[bytes], directory: str) -> bool:
        """Wait until something new is on record; return whether it is before the search ends."""
        known, until = len(events(directory)), time.monotonic() + _PATIENCE
        while driver.poll() is None and time.monotonic() < until:
            if len(events(directory)) > known:
                return True
            time.sleep(0.05)
        return False

    def _of(self, target: str, directory: str) -> list[int]:
        return [pid for pid, said in processes(directory).items() if said.startswith(target)]

    def _left(self, directory: str) -> int:
        until = time.monotonic() + _LEFT
        while (left := processes(directory)) and time.monotonic() < until:
            time.sleep(0.2)
        return len(left)

    def _judge(self, kind: str, directory: str, before: dict[str, Any], code: int | None) -> None:
        after = finished(directory)
        tuner = tuner_of(kind, directory)
        records = tuner.oracle.trial_records()
        states = {record.state for record in records}
        found = {
            "searches": 1,
            "ended": code == 0 and states <= {TrialState.COMPLETED, TrialState.PAUSED},
            "trials": len(records),
            "lost": sum(after.get(name) != end for name, end in before.items()),
            "run again": repeated(directory),
            "given up": sum(GIVEN_UP in end for end in after.values()),
            "last part begun again": sum(record.attempt - 1 for record in records),
            "processes left behind": self._left(directory),
        }
        self.counts.update({name: int(number) for name, number in found.items()})
        print(f"{self.counts['kills']} kills; {kind}: {found}", flush=True)
        if not found["ended"]:
            print(Path(directory, "log").read_text()[-5000:], flush=True)

    def over(self) -> bool:
        """Whether there were enough kills."""
        return not self._targets


def main() -> None:
    """Kill searches, print what was counted, and exit with 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--drive", nargs=2, metavar=("KIND", "DIRECTORY"))
    given = parser.parse_args()
    if given.drive:
        drive(*given.drive)
        return
    torment = Torment(given.kills, given.seed)
    while not torment.over():
        for kind in ("ASHA", "PBT"):
            if not torment.over():
                torment.run(kind)
    counts = torment.counts
    print(dict(counts))
    kept = counts["searches"] == counts["ended"]
    bad = counts["lost"] + counts["run again"] + counts["processes left behind"]
    sys.exit(int(not kept or bad > 0))


if __name__ == "__main__":
    main()
