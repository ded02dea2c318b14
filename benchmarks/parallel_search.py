"""Searches in several processes: what two workers gain, and what the oracle's process bears.

    python -m benchmarks.parallel_search scaling   # two workers against one, trials of seconds
    python -m benchmarks.parallel_search reports   # what the oracle's process answers a second

The start of Ray and of the processes is left out: trials count from the beginning of the first one
to the end of the last one.  `parallel_trivial` compares trials that do nothing with other
libraries, `parallel_kills` kills the processes.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np

import kt_extras as kte
from kt_extras.oracles.workers import part_of
from kt_extras.parallel.direct_calls import DirectCalls
from kt_extras.parallel.oracle_actor import BEATS, OracleActor
from kt_extras.parallel.places import Place

COST = keras_tuner.Objective("cost", "min")
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
CALLERS = 2
EPOCHS = 10  # of a trial whose reports are counted


# Real trials.


def build_model(hp: keras_tuner.HyperParameters) -> Any:
    """Return a network whose training takes seconds."""
    import keras

    units = hp.Fixed("units", 64)
    layers = [keras.layers.Dense(units, "relu") for _ in range(6)]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-2, sampling="log")), "mse")
    return model


def data() -> dict[str, Any]:
    """Return the arguments of `fit`."""
    x = np.random.default_rng(0).normal(size=(40_000, 64)).astype("float32")
    return {"x": x, "y": x[:, 0], "epochs": 5, "batch_size": 32, "verbose": 0}


def searched(workers: int, trials: int) -> tuple[float, list[float]]:
    """Return the seconds of a search from its first trial on, and those of each trial."""
    tuner = kte.RandomSearch(
        build_model, "loss", trials, seed=0, directory=tempfile.mkdtemp(), trials_at_once=1
    )
    tuner.search(**data(), workers=workers)
    records = tuner.oracle.trial_records()
    took = [record.ended - record.began for record in records]
    return max(r.ended for r in records) - min(r.began for r in records), took


def plain(trials: int) -> None:
    """Print the seconds of builds and trainings without a search, and their processor time."""
    given = data()
    for _ in range(trials):
        began = time.perf_counter()
        build_model(keras_tuner.HyperParameters()).fit(**given)
        sys.stdout.write(f"{time.perf_counter() - began}\n")


def scaling(trials: int, rounds: int) -> None:
    """Print trials a minute with one and two workers, and what a trial takes without a search."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    command = [sys.executable, "-m", "benchmarks.parallel_search", "plain", "--trials", str(trials)]
    gains, overheads = [], []
    for _ in range(rounds):
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        bare = statistics.median(map(float, said.split()[1:]))  # the first one loads libraries
        (one, took), (two, _) = searched(1, trials), searched(2, trials)
        gains.append(one / two)
        overheads.append(statistics.median(took[1:]) / bare - 1)
        print(
            f"{60 * trials / one:.1f} trials a minute with one worker, {60 * trials / two:.1f} "
            f"with two; a trial takes {statistics.median(took[1:]):.2f} s, without a search "
            f"{bare:.2f} s",
            flush=True,
        )
    print(
        f"medians: {statistics.median(gains):.2f} times as many trials with two workers, "
        f"{100 * statistics.median(overheads):.1f}% more time a trial than without a search"
    )


# The oracle's process.


class Measured(OracleActor):
    """An oracle's process that tells what it uses."""

    def used(self) -> tuple[float, float]:
        """Return the seconds of processor time, and the megabytes of memory."""
        found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
        return time.process_time(), int(found[1]) / 1024 if found else float("nan")


class Caller:
    """A worker that trains nothing.

    Args:
        actor: The oracle's process.
        name: Its name.
    """

    def __init__(self, actor: Any, name: str) -> None:
        import ray

        self._calls, self._name, self._number = DirectCalls(ray, actor), name, 0

    def _call(self, method: str, *args: Any) -> Any:
        self._number += 1
        return self._calls.call(self._name, self._number, method, *args).result()

    def run(self, at_once: int, epochs: int, rounds: int = 1) -> float:
        """Run trials, so many at once; return the seconds that their reports took."""
        spent = 0.0
        names = [part_of(self._name, slot) for slot in range(at_once)]
        for _ in range(rounds):
            trials = [self._call("create_trial", name) for name in names]
            began = time.perf_counter()
            for step in range(epochs):
                for name, trial in zip(names, trials, strict=True):
                    self._call("update_trial", name, trial.trial_id, {"cost": 1.0}, step)
            spent += time.perf_counter() - began
            for name, trial in zip(names, trials, strict=True):
                trial.status = "COMPLETED"
                self._call("end_trial", name, trial)
        return spent


def reports(trials: int, rounds: int) -> None:
    """Print how many reports the oracle's process answers, and its memory."""
    import ray
    from ray import cloudpickle

    options: dict[str, Any] = {"include_dashboard": False, "logging_level": logging.ERROR}
    ray.init(address="local", num_cpus=CALLERS, **options)
    folder = tempfile.mkdtemp()
    oracle = kte.RandomSearchOracle(objective=COST, max_trials=trials + 10_000, seed=0)
    oracle.hyperparameters.Float("x", -1.0, 1.0)
    oracle._set_project_dir(folder, "reports")
    made = ray.remote(concurrency_groups={BEATS: 2})(Measured).options(num_cpus=0)
    actor = made.remote(cloudpickle.dumps(oracle), Place.of(f"{folder}/reports"), 60.0, None)
    callers = [ray.remote(Caller).remote(actor, f"worker{n}") for n in range(CALLERS)]

    def all_run(*args: int) -> float:
        return max(ray.get([caller.run.remote(*args) for caller in callers]))

    all_run(10, 3, 1000 // 10 // CALLERS)
    before = ray.get(actor.used.remote())[1]
    rates, costs = [], []
    for _ in range(rounds):
        began = ray.get(actor.used.remote())[0]
        spent, count = all_run(50, EPOCHS), CALLERS * 50 * EPOCHS
        rates.append(count / spent)
        costs.append(1000 * (ray.get(actor.used.remote())[0] - began) / count)
    print(
        f"{statistics.median(rates):.0f} reports a second of two callers, 1,000 trials behind it; "
        f"at most {statistics.median(costs):.2f} ms of processor time each, with the begin and the "
        "end of the trials"
    )
    for _ in range(3):
        all_run(10, 3, trials // 3 // 10 // CALLERS)
        print(f"{ray.get(actor.used.remote())[1]:.0f} MB", flush=True)
    print(f"{before:.0f} MB after 1,000 trials; {trials} more after them")
    ray.shutdown()


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("scaling", "reports", "plain"))
    parser.add_argument("--trials", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.what == "scaling":
        scaling(given.trials or 8, given.rounds)
    elif given.what == "reports":
        reports(given.trials or 9000, given.rounds)
    else:
        plain(given.trials or 3)


if __name__ == "__main__":
    main()
