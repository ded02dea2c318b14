"""Searches in several processes: trials a minute, overhead, reports a second, memory.

    python -m benchmarks.parallel_search scaling   # two workers against one, trials of seconds
    python -m benchmarks.parallel_search trivial   # trials that do nothing; `--ray-tune` for peers
    python -m benchmarks.parallel_search reports   # what the actor of the oracle answers a second

The start of Ray and of the processes is left out of all rates: ours are taken from the records,
from the beginning of the first trial to the end of the last one, and that of Ray Tune from the
difference of two searches, with Ray already started and actors that are used again.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras_tuner
import numpy as np

import kt_extras as kte

COST = keras_tuner.Objective("cost", "min")
REPORTS = 3  # epochs of a trivial trial


class Trivial(kte.Tuner):
    """Reports epochs and trains nothing."""

    def run_trial(self, trial):
        """Report a parabola."""
        x = trial.hyperparameters.Float("x", -1.0, 1.0)
        for epoch in range(REPORTS):
            cost = {"cost": x**2 + 1 / (epoch + 1)}
            self.oracle.update_trial(trial.trial_id, cost, step=epoch)


def rate(tuner):
    """Return trials a second, from the first beginning to the last end."""
    records = [record for record in tuner.oracle.trial_records() if record.ended]
    return len(records) / (max(r.ended for r in records) - min(r.began for r in records))


def build_model(hp):
    """Return a network whose training takes seconds."""
    import keras

    units = hp.Int("units", 64, 65)
    layers = [keras.layers.Dense(units, "relu") for _ in range(6)]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-2, sampling="log")), "mse")
    return model


def scaling():
    """Print trials a minute with one and two workers, and what a trial takes without a search."""
    os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1")
    x = np.random.default_rng(0).normal(size=(40_000, 64)).astype("float32")
    data = {"x": x, "y": x[:, 0], "epochs": 5, "batch_size": 32, "verbose": 0}
    found = {}
    for workers in (1, 2):
        tuner = kte.RandomSearch(
            build_model, "loss", 8, seed=0, directory=tempfile.mkdtemp(), trials_at_once=1
        )
        tuner.search(**data, workers=workers)
        found[workers] = 60 * rate(tuner)
    code = (
        "import time, numpy as np, keras_tuner\n"
        "from benchmarks.parallel_search import build_model\n"
        "x = np.random.default_rng(0).normal(size=(40_000, 64)).astype('float32')\n"
        "took = []\n"
        "for _ in range(3):\n"
        "    began = time.perf_counter()\n"
        "    hp = keras_tuner.HyperParameters()\n"
        "    build_model(hp).fit(x, x[:, 0], epochs=5, batch_size=32, verbose=0)\n"
        "    took.append(time.perf_counter() - began)\n"
        "print(sorted(took)[1])"
    )
    root = Path(__file__).parents[1]
    plain = float(
        subprocess.run(
            [sys.executable, "-c", code], cwd=root, capture_output=True, text=True
        ).stdout.split()[-1]
    )
    print(
        f"{found[1]:.1f} trials a minute with one worker, {found[2]:.1f} with two: "
        f"{found[2] / found[1]:.2f} times as many"
    )
    print(f"a trial takes {60 / found[1]:.2f} s, plain training {plain:.2f} s")


def trivial(with_ray_tune):
    """Print trials a second of trials that do nothing."""
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=COST, max_trials=2000, seed=0)
    tuner = Trivial(oracle, directory=tempfile.mkdtemp())
    tuner.search(workers=2, verbose=0)
    print(f"kt_extras: {rate(tuner):.0f} trials a second, {REPORTS} reports each")
    if with_ray_tune:
        import ray
        from ray import tune

        ray.init(address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR")

        def trainable(config):
            for epoch in range(REPORTS):
                tune.report({"cost": config["x"] ** 2 + 1 / (epoch + 1)})

        def seconds(trials):
            tuner = tune.Tuner(
                tune.with_resources(trainable, {"cpu": 1}),
                param_space={"x": tune.uniform(-1, 1)},
                tune_config=tune.TuneConfig(
                    num_samples=trials, max_concurrent_trials=2, reuse_actors=True
                ),
                run_config=tune.RunConfig(verbose=0, storage_path=tempfile.mkdtemp()),
            )
            began = time.perf_counter()
            tuner.fit()
            return time.perf_counter() - began

        few = seconds(20)  # with the start, which the difference leaves out
        print(f"Ray Tune: {100 / (seconds(120) - few):.1f} trials a second")
        ray.shutdown()


def reports():
    """Print how many reports the actor of the oracle answers, and its memory."""
    import ray
    from ray import cloudpickle

    from kt_extras.parallel.oracle_actor import BEATS, OracleActor
    from kt_extras.parallel.places import Place

    ray.init(address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR")
    folder = tempfile.mkdtemp()
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=COST, max_trials=20_000, seed=0)
    oracle.hyperparameters.Float("x", -1.0, 1.0)
    oracle._set_project_dir(folder, "reports")
    made = ray.remote(concurrency_groups={BEATS: 2})(OracleActor).options(num_cpus=0)
    actor = made.remote(cloudpickle.dumps(oracle), Place.of(f"{folder}/reports"), 60.0, None)
    number = 0

    def call(method, *arguments):
        nonlocal number
        number += 1
        return actor.call.remote("w", number, method, *arguments)

    def run(count):
        for _ in range(count):
            trial = ray.get(call("create_trial", "w")).result()
            for step in range(REPORTS):
                ray.get(call("update_trial", "w", trial.trial_id, {"cost": 1.0}, step)).result()
            trial.status = "COMPLETED"
            ray.get(call("end_trial", "w", trial)).result()

    def memory():
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            if b"OracleActor" in path.read_bytes():
                text = (path.parent / "status").read_text()
                return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024
        return float("nan")

    began = time.perf_counter()
    run(1000)
    print(f"{1000 / (time.perf_counter() - began):.0f} trials a second of one caller that waits")
    before = memory()
    trial = ray.get(call("create_trial", "w")).result()
    began = time.perf_counter()
    ray.get([call("update_trial", "w", trial.trial_id, {"cost": 1.0}, s) for s in range(3000)])
    print(f"{3000 / (time.perf_counter() - began):.0f} reports a second, 1,000 trials behind it")
    trial.status = "COMPLETED"
    ray.get(call("end_trial", "w", trial))
    run(9000)
    print(f"{before:.0f} MB after 1,000 trials, {memory():.0f} MB after 10,000")
    ray.shutdown()


def main():
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("scaling", "trivial", "reports"))
    parser.add_argument("--ray-tune", action="store_true")
    given = parser.parse_args()
    if given.what == "trivial":
        trivial(given.ray_tune)
    else:
        {"scaling": scaling, "reports": reports}[given.what]()


if __name__ == "__main__":
    main()
