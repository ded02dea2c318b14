"""Trials that do nothing, in two processes: what a search itself costs.

    python -m benchmarks.parallel_trivial --trials 300 --rounds 3

The peers run the same trials with the same reports beside it: Ray Tune, and the chief and workers
of KerasTuner.  The start of Ray and of the processes is left out of all rates: they count from the
first beginning of a trial to the end of the last one; that of Ray Tune, which does not tell these,
is the difference of two searches, with Ray already started and actors that are used again.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import keras_tuner

import kt_extras as kte

COST = keras_tuner.Objective("cost", "min")
REPORTS = 3  # epochs of a trial
WORKERS = 2
_PATIENCE = 600.0


def report(tuner: Any, trial: Any) -> None:
    """Report the epochs of a trial."""
    x = trial.hyperparameters.Float("x", -1.0, 1.0)
    for epoch in range(REPORTS):
        tuner.oracle.update_trial(trial.trial_id, {"cost": x**2 + 1 / (epoch + 1)}, step=epoch)


class Ours(kte.Tuner):
    """Reports epochs and trains nothing."""

    began = 0.0

    def run_trial(self, trial: Any) -> None:
        """Report a parabola."""
        self.began = self.began or time.time()
        report(self, trial)


class Theirs(keras_tuner.Tuner):
    """The same for KerasTuner."""

    began = 0.0

    def run_trial(self, trial: Any, **_: Any) -> None:
        """Report a parabola."""
        self.began = self.began or time.time()
        report(self, trial)


def ours(trials: int, directory: str) -> Ours:
    """Return a random search of kt_extras."""
    oracle = kte.RandomSearchOracle(objective=COST, max_trials=trials, seed=0)
    return Ours(oracle, directory=directory)


def theirs(trials: int, directory: str) -> Theirs:
    """Return a random search of KerasTuner."""
    oracle = keras_tuner.oracles.RandomSearchOracle(objective=COST, max_trials=trials, seed=0)
    return Theirs(oracle, lambda hp: hp.Float("x", -1.0, 1.0), directory=directory)


def on_ray(trials: int) -> float:
    """Return trials a second of `workers=2`."""
    tuner = ours(trials, tempfile.mkdtemp())
    tuner.search(workers=WORKERS, verbose=0)
    records = [record for record in tuner.oracle.trial_records() if record.ended]
    return len(records) / (max(r.ended for r in records) - min(r.began for r in records))


def with_chief(kind: str, trials: int) -> float:
    """Return trials a second of a chief and workers in processes of their own.

    Args:
        kind: Whose: `"ours"` or `"theirs"`.
        trials: How many.
    """
    from tests.tuners.processes import free_port

    address = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(free_port())}
    directory = tempfile.mkdtemp()
    command = [sys.executable, "-m", "benchmarks.parallel_trivial"]

    def start(name: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, "--trials", str(trials), "--process", kind, directory],
            env={**os.environ, **address, "KERASTUNER_TUNER_ID": name},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    chief = start("chief")
    workers = [start(f"worker{number}") for number in range(WORKERS)]
    try:
        said = [worker.communicate(timeout=_PATIENCE)[0].split()[-2:] for worker in workers]
    finally:
        for process in (chief, *workers):
            process.send_signal(signal.SIGKILL)
            process.wait()
    return trials / (max(float(s[1]) for s in said) - min(float(s[0]) for s in said))


def process(kind: str, trials: int, directory: str) -> None:
    """Be the chief or a worker; a worker prints when its first trial began and the last ended."""
    tuner: Any = (ours if kind == "ours" else theirs)(trials, directory)
    tuner.search(verbose=0)
    sys.stdout.write(f"{tuner.began} {time.time()}\n")


def with_ray_tune(trials: int) -> float:
    """Return trials a second of Ray Tune."""
    import ray
    from ray import tune

    def trainable(config: dict[str, float]) -> None:
        for epoch in range(REPORTS):
            tune.report({"cost": config["x"] ** 2 + 1 / (epoch + 1)})

    def seconds(count: int) -> float:
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            param_space={"x": tune.uniform(-1, 1)},
            tune_config=tune.TuneConfig(
                num_samples=count, max_concurrent_trials=WORKERS, reuse_actors=True
            ),
            run_config=tune.RunConfig(verbose=0, storage_path=tempfile.mkdtemp()),
        )
        began = time.perf_counter()
        tuner.fit()
        return time.perf_counter() - began

    options = {"include_dashboard": False, "logging_level": logging.ERROR}
    ray.init(address="local", num_cpus=WORKERS, **options)
    few = seconds(trials // 6)  # with the start, which the difference leaves out
    rate = (trials - trials // 6) / (seconds(trials) - few)
    ray.shutdown()
    return rate


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--process", nargs=2, metavar=("KIND", "DIRECTORY"))
    given = parser.parse_args()
    if given.process:
        process(given.process[0], given.trials, given.process[1])
        return
    searches = {
        "kt_extras, workers=2": lambda: on_ray(given.trials),
        "Ray Tune": lambda: with_ray_tune(given.trials),
        "kt_extras, chief and workers": lambda: with_chief("ours", given.trials),
        "KerasTuner, chief and workers": lambda: with_chief("theirs", given.trials),
    }
    rates: dict[str, list[float]] = {name: [] for name in searches}
    for _ in range(given.rounds):
        for name, search in searches.items():
            rates[name].append(search())
            print(f"{name}: {rates[name][-1]:.1f} trials a second", flush=True)
    print(f"\n| search | trials a second, median of {given.rounds} |\n| --- | --- |")
    for name, found in rates.items():
        print(f"| {name} | {statistics.median(found):.1f} |")


if __name__ == "__main__":
    main()
