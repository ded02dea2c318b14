"""What a search costs beside the builds and fits in it.

Each loop runs in a process of its own, on the same data and models of the same size: a bare loop of
`build` and `fit`, ours without pruning, and KerasTuner's RandomSearch.  The processes take turns,
and the ratio to the bare loop is taken within each round, so a machine whose speed drifts does not
decide.  With `--warm 200` each process first runs two hundred short trials.

    python -m benchmarks.search_overhead --trials 12 --rounds 3
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from statistics import median

LOOPS = ("bare", "kt_extras", "keras_tuner")


def main() -> None:
    """Compare the loops, or run one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=12, help="measured trials a process")
    parser.add_argument("--warm", type=int, default=0, help="short trials before them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--loop", choices=LOOPS, help="run one loop and print its times as JSON")
    options = parser.parse_args()
    if options.loop:
        print(json.dumps(run(options.loop, options.trials, options.warm)))
        return
    loops = sorted({"bare", *options.loops}, key=LOOPS.index)
    report([{loop: measured(loop, options) for loop in loops} for _ in range(options.rounds)])


def measured(loop: str, options: argparse.Namespace) -> dict[str, float]:
    """Run a loop in a fresh process; return what it measured of itself."""
    arguments = ["--loop", loop, "--trials", str(options.trials), "--warm", str(options.warm)]
    command = [sys.executable, "-m", "benchmarks.search_overhead", *arguments]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(output.stdout.splitlines()[-1])


def run(loop: str, trials: int, warm: int) -> dict[str, float]:
    """Return seconds of wall and processor time a trial, and the growth of memory.

    The first trial of a process, which loads the rest of TensorFlow, is not counted.
    """
    import keras
    import keras_tuner
    from sklearn.datasets import load_digits

    import kt_extras as kte

    images, labels = load_digits(return_X_y=True)
    x, y, xv, yv = images[:1347] / 16, labels[:1347], images[1347:] / 16, labels[1347:]
    wall, cpu, memory = [], [], []

    def build(hp):
        """All models are of one size, so that the loops do the same work."""
        drop, rate = hp.Float("drop", 0.0, 0.5), hp.Float("rate", 1e-4, 1e-2, sampling="log")
        layers = keras.layers
        model = keras.Sequential(
            [layers.Input((64,)), layers.Dense(64, "relu"), layers.Dropout(drop), layers.Dense(10)]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        return model

    class Model(keras_tuner.HyperModel):
        """Short trials first, then those that are measured."""

        def build(self, hp):
            return build(hp)

        def fit(self, hp, model, *args, **kwargs):  # noqa: ARG002 - KerasTuner's signature
            wall.append(time.perf_counter())
            cpu.append(time.process_time())
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
            epochs = 1 if len(wall) <= warm else 10
            kwargs["verbose"] = 0
            return model.fit(*args, epochs=epochs, **kwargs)

    total = warm + trials + 2  # one more at the beginning, and the end of the last is the next
    data = {"x": x, "y": y, "validation_data": (xv, yv)}
    with tempfile.TemporaryDirectory() as directory:
        settings = {"max_trials": total, "seed": 0, "directory": directory}
        if loop == "bare":
            sampler = kte.SamplerOracle(kte.samplers.Random(), objective="val_loss", seed=0)
            build(sampler.hyperparameters)
            hypermodel = Model()
            for _ in range(total):
                hp = sampler.create_trial(str(time.monotonic_ns())).hyperparameters
                hypermodel.fit(hp, hypermodel.build(hp), **data)
        elif loop == "kt_extras":
            kte.TPE(Model(), "val_loss", **settings).search(**data, verbose=0)
        else:
            keras_tuner.RandomSearch(Model(), "val_loss", **settings).search(**data, verbose=0)
    counted = slice(warm + 1, warm + 2 + trials)
    return {
        "wall": median(differences(wall[counted])),
        "cpu": median(differences(cpu[counted])),
        "memory": memory[-1] - memory[min(10, len(memory) - 1)],
    }


def differences(times: list[float]) -> list[float]:
    """Return the time from the beginning of each trial's training to that of the next."""
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def report(rounds: list[dict[str, dict[str, float]]]) -> None:
    """Print medians over rounds, and ratios taken within each round."""
    print("| loop | wall s/trial | CPU s/trial | wall ratio (each round) | CPU ratio | MB grown |")
    print("|---|---|---|---|---|---|")
    for loop in rounds[0]:
        wall = [r[loop]["wall"] / r["bare"]["wall"] for r in rounds]
        cpu = [r[loop]["cpu"] / r["bare"]["cpu"] for r in rounds]
        each = ", ".join(f"{ratio:.2f}" for ratio in wall)
        print(
            f"| {loop} | {median(r[loop]['wall'] for r in rounds):.3f} "
            f"| {median(r[loop]['cpu'] for r in rounds):.3f} "
            f"| **{median(wall):.2f}** ({each}) | {median(cpu):.2f} "
            f"| {median(r[loop]['memory'] for r in rounds):.0f} |"
        )


if __name__ == "__main__":
    main()
