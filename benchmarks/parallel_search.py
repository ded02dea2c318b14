"""Searches in several processes: what two workers gain, and what the oracle's process bears.

    python -m benchmarks.parallel_search scaling   # two workers against one, trials of seconds
    python -m benchmarks.parallel_search reports   # what the oracle's process answers a second

Trials count once each worker has ended one, and so has loaded libraries and traced a model.
`parallel_trivial` compares trials that do nothing with other libraries, `parallel_kills` kills
the processes.
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

import keras
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


class Clock(keras.callbacks.Callback):
    """Writes down when trainings begin, and the processor time of the process until then.

    Args:
        path: Where to.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.clock = path

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002
        """Write it down."""
        with open(self.clock, "a") as file:
            file.write(f"{time.perf_counter()} {time.process_time()}\n")


def from_one_to_the_next(path: str) -> np.ndarray:
    """Return the seconds from one training to the next, and those of processor time; medians.

    The first training is left out: it loads libraries.
    """
    return np.median(np.diff(np.loadtxt(path)[1:], axis=0), axis=0)


def build_model(hp: keras_tuner.HyperParameters) -> keras.Model:
    """Return a network whose training takes seconds."""
    layers = [keras.layers.Dense(64, "relu") for _ in range(6)]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-2, sampling="log")), "mse")
    return model


def data(clock: str) -> dict[str, Any]:
    """Return the arguments of `fit`."""
    x = np.random.default_rng(0).normal(size=(40_000, 64)).astype("float32")
    given = {"x": x, "y": x[:, 0], "epochs": 5, "batch_size": 32, "verbose": 0}
    return {**given, "callbacks": [Clock(clock)]}


def searched(workers: int, trials: int, clock: str) -> float:
    """Return the trials a minute of a search, once each worker has ended one."""
    tuner = kte.RandomSearch(
        build_model, "loss", trials, seed=0, directory=tempfile.mkdtemp(), trials_at_once=1
    )
    tuner.search(**data(clock), workers=workers)
    ends: dict[str, list[float]] = {}
    for record in tuner.oracle.trial_records():
        ends.setdefault(record.worker, []).append(record.ended)
    first, last = max(map(min, ends.values())), max(map(max, ends.values()))
    return 60 * sum(end > first for each in ends.values() for end in each) / (last - first)


def plain(trials: int, clock: str) -> None:
    """Build and train without a search."""
    given = data(clock)
    for _ in range(trials):
        build_model(keras_tuner.HyperParameters()).fit(**given)


def scaling(trials: int, rounds: int) -> None:
    """Print trials a minute with one and two workers, and what a trial takes without a search."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    gains, overheads = [], []
    for _ in range(rounds):
        paths = [str(Path(tempfile.mkdtemp(), "clock")) for _ in range(3)]
        command = [sys.executable, "-m", "benchmarks.parallel_search", "plain", "--clock", paths[0]]
        subprocess.run([*command, "--trials", "4"], check=True)
        one, two = searched(1, trials, paths[1]), searched(2, trials, paths[2])
        bare, took = from_one_to_the_next(paths[0]), from_one_to_the_next(paths[1])
        gains.append(two / one)
        overheads.append(took / bare - 1)
        print(
            f"{one:.1f} trials a minute with one worker, {two:.1f} with two; a trial takes "
            f"{took[0]:.2f} s ({took[1]:.2f} of processor time), without a search "
            f"{bare[0]:.2f} ({bare[1]:.2f})",
            flush=True,
        )
    more = 100 * np.median(overheads, axis=0)
    print(
        f"medians: {statistics.median(gains):.2f} times as many trials with two workers; a trial "
        f"takes {more[0]:.1f}% more than without a search ({more[1]:.1f}% of processor time)"
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
    parser.add_argument("--clock", help="of `plain`: the file that it writes")
    given = parser.parse_args()
    if given.what == "scaling":
        scaling(given.trials or 16, given.rounds)
    elif given.what == "reports":
        reports(given.trials or 9000, given.rounds)
    else:
        plain(given.trials or 5, given.clock)


if __name__ == "__main__":
    main()
