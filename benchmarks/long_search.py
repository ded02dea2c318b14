"""Ten thousand trials, and three hundred real ones: what grows with a search and what does not.

python -m benchmarks.long_search --trials 10000
python -m benchmarks.long_search --real 300
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import keras_tuner

import kt_extras as kte
from benchmarks.crash_safety import COST, space


def main() -> None:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--real", type=int, help="real trials, and what memory does meanwhile")
    options = parser.parse_args()
    if options.real:
        real(options.real)
        return
    print("| oracle | CPU ms/trial: first, last tenth | bytes/trial: first, last | reload s |")
    print("|---|---|---|---|")
    for make in (ours, theirs):
        print(f"| {make.__name__} | {grow(make, options.trials)} |", flush=True)


def ours() -> keras_tuner.Oracle:
    """Our oracle with random sampling."""
    return kte.SamplerOracle(
        kte.samplers.Random(), objective=COST, max_trials=None, hyperparameters=space(), seed=1
    )


def theirs() -> keras_tuner.Oracle:
    """KerasTuner's."""
    return keras_tuner.oracles.RandomSearchOracle(
        COST, max_trials=10**9, hyperparameters=space(), seed=1
    )


def grow(make: Any, trials: int) -> str:
    """Run trials in an oracle; return its cost at the beginning and at the end as table cells."""
    with tempfile.TemporaryDirectory() as directory:
        oracle = placed(make(), directory)
        times, written = [time.process_time()], [written_bytes()]
        for number in range(1, trials + 1):
            run(oracle)
            if number % (trials // 10) == 0:
                times.append(time.process_time())
                written.append(written_bytes())
        tenth = trials / 10
        cpu = [1e3 * (times[i + 1] - times[i]) / tenth for i in (0, 9)]
        size = [(written[i + 1] - written[i]) / tenth for i in (0, 9)]
        if not isinstance(oracle, kte.SamplerOracle):
            oracle.save()
        began = time.process_time()
        placed(make(), directory).reload()
        reload = time.process_time() - began
    return (
        f"{cpu[0]:.2f}, {cpu[1]:.2f} ({cpu[1] / cpu[0]:.2f}) "
        f"| {size[0]:.0f}, {size[1]:.0f} ({size[1] / size[0]:.2f}) | {reload:.2f}"
    )


def placed(oracle: keras_tuner.Oracle, directory: str) -> keras_tuner.Oracle:
    """Tell an oracle where its project is, and not to print."""
    oracle.verbose = 0
    oracle._set_project_dir(directory, "project")
    return oracle


def run(oracle: keras_tuner.Oracle) -> None:
    """Run a trial whose cost is computed at once."""
    trial = oracle.create_trial("worker")
    cost = sum(v for v in trial.hyperparameters.values.values() if not isinstance(v, str))
    oracle.update_trial(trial.trial_id, {"cost": float(cost)}, step=0)
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def written_bytes() -> int:
    """Return the bytes that this process has handed to the operating system."""
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counters["wchar"])


def real(trials: int) -> None:
    """Train real models one after the other; print the memory every thirty trials."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x, y = images / 16, labels

    def build(hp: Any) -> keras.Model:
        layers = [keras.layers.Input((64,)), keras.layers.Dense(hp.Int("units", 4, 64), "relu")]
        model = keras.Sequential([*layers, keras.layers.Dense(10)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-1, sampling="log")), loss)
        return model

    class Measured(kte.TPE):
        """Says how large the process is."""

        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            number = int(trial.trial_id) + 1
            if number % 30 == 0:
                gc.collect()
                print(f"| {number} | {resident():.0f} |", flush=True)

    print("| trials | resident MB |\n|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        tuner = Measured(build, "val_loss", max_trials=trials, seed=0, directory=directory)
        tuner.search(x, y, validation_split=0.2, epochs=1, batch_size=256, verbose=0)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def resident() -> float:
    """Return the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
