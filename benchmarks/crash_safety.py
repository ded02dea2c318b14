"""Searches killed with SIGKILL at random instants, reloaded, and run to their end.

    python -m benchmarks.crash_safety --kills 200
    python -m benchmarks.crash_safety --kills 30 --keras

Each search runs in a forked process that the parent kills, again and again until the search is
done; then the next search begins.  Told is how many kills came after the loading, when trials
ran, how many reloads worked, how many finished trials were lost or run twice, and whether the
suggestions are those of a search that nobody killed.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner

import kt_extras as kte

TRIALS = 60
COST = keras_tuner.Objective("cost", "min")


def main() -> None:
    """Kill ours and KerasTuner's searches, and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="kills that hit a running search")
    parser.add_argument("--keras", action="store_true", help="train real models, with pruning")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    fast = {"kt_extras": ours, "keras_tuner": theirs}
    targets = {"kt_extras": ours_keras} if options.keras else fast
    print("| search | kills (amid trials) | good reloads | lost | twice | same suggestions |")
    print("|---|---|---|---|---|---|")
    for name, make in targets.items():
        counts = torment(make, options.kills, random.Random(options.seed))
        print(
            f"| {name} | {counts['kills']} ({counts['amid']}) "
            f"| {counts['reloaded']} of {counts['reloads']} "
            f"| {counts['lost']} | {counts['twice']} | {counts['same']} of {counts['searches']} |",
            flush=True,
        )


def ours(directory: str) -> keras_tuner.Tuner:
    """A fast search of ours: TPE with a cost that is computed at once."""

    class Fast(kte.TPE):
        def run_trial(self, trial):
            log(directory, trial)
            return {"cost": cost(trial)}

    return Fast(None, COST, max_trials=TRIALS, seed=1, hyperparameters=space(), directory=directory)


def theirs(directory: str) -> keras_tuner.Tuner:
    """The same with KerasTuner's random search."""

    class Fast(keras_tuner.RandomSearch):
        def run_trial(self, trial, **kwargs):  # noqa: ARG002 - it is given `verbose`
            log(directory, trial)
            return {"cost": cost(trial)}

    return Fast(None, COST, max_trials=TRIALS, seed=1, hyperparameters=space(), directory=directory)


def ours_keras(directory: str) -> keras_tuner.Tuner:
    """A search that trains real models on the digits and stops hopeless ones."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x, y = images[:400] / 16, labels[:400]

    def build(hp):
        layers = [keras.layers.Input((64,)), keras.layers.Dense(hp.Int("units", 4, 64), "relu")]
        model = keras.Sequential([*layers, keras.layers.Dense(10)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(hp.Float("rate", 1e-4, 1e-1, sampling="log")), loss)
        return model

    class Real(kte.TPE):
        def run_trial(self, trial, **kwargs):
            log(directory, trial)
            return super().run_trial(
                trial, x, y, validation_split=0.25, epochs=3, verbose=0, **kwargs
            )

    pruner = kte.MedianPruner(n_startup_trials=3)
    return Real(build, "val_loss", max_trials=12, seed=1, pruner=pruner, directory=directory)


def torment(
    make: Callable[[str], keras_tuner.Tuner], kills: int, chance: random.Random
) -> collections.Counter[str]:
    """Kill searches until so many kills have hit; return what was counted."""
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as directory:
        began = time.monotonic()
        in_child(lambda: run(make, directory))
        whole, length = suggestions(directory), time.monotonic() - began
    while counts["kills"] < kills:
        directory = tempfile.mkdtemp()
        counts["searches"] += 1
        done = False
        while not done and counts["kills"] < kills:
            before, begun = finished(directory), log_of(directory)
            code = in_child(lambda: run(make, directory), chance.uniform(0, length))  # noqa: B023
            done = code == 0
            counts["kills"] += code == -signal.SIGKILL
            counts["amid"] += code == -signal.SIGKILL and log_of(directory) != begun
            if code != -signal.SIGKILL and code != 0:
                break  # it cannot be reloaded any more
            counts["reloads"] += 1
            if in_child(lambda: make(directory)) != 0:  # noqa: B023 - called at once
                break
            counts["reloaded"] += 1
            counts["lost"] += len(before - finished(directory))
        counts["twice"] += log_of(directory).count("-after-end")
        while not done and counts["reloaded"] == counts["reloads"]:
            done = in_child(lambda: run(make, directory)) == 0  # noqa: B023
        counts["same"] += suggestions(directory) == whole
        shutil.rmtree(directory)
    return counts


def run(make: Callable[[str], keras_tuner.Tuner], directory: str) -> None:
    """Load the search and run it to its end."""
    tuner = make(directory)
    tuner.search(**({"verbose": 0} if isinstance(tuner, keras_tuner.RandomSearch) else {}))


def in_child(work: Callable[[], Any], kill_after: float | None = None) -> int:
    """Run in a forked process, killed after so many seconds; return how it ended."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    if kill_after is not None:
        deadline = time.monotonic() + kill_after
        while time.monotonic() < deadline and os.waitid(os.P_PID, child, _PEEK) is None:
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


_PEEK = os.WEXITED | os.WNOHANG | os.WNOWAIT


def space() -> keras_tuner.HyperParameters:
    """Ten hyperparameters of several kinds."""
    hp = keras_tuner.HyperParameters()
    for index in range(4):
        hp.Float(f"float_{index}", 1e-4, 1.0, sampling="log")
        hp.Int(f"int_{index}", 1, 100)
    hp.Choice("kind", ["a", "b", "c"])
    hp.Boolean("flag")
    return hp


def cost(trial: Any) -> float:
    """A number that depends on the hyperparameters alone."""
    values = trial.hyperparameters.values
    return sum(float(value) for value in values.values() if not isinstance(value, str))


def log(directory: str, trial: Any) -> None:
    """Note the beginning of a trial, and whether it had an end already."""
    again = "-after-end" if trial.trial_id in finished(directory) else ""
    with open(Path(directory, "begun"), "a") as file:
        file.write(f"{trial.trial_id}{again}\n")


def log_of(directory: str) -> str:
    """Return what was noted of a search."""
    path = Path(directory, "begun")
    return path.read_text() if path.exists() else ""


def finished(directory: str) -> set[str]:
    """Return the trials that are on the disk as completed."""
    names = set()
    for path in Path(directory).glob("*/trial_*/trial.json"):
        with contextlib.suppress(ValueError):
            state = json.loads(path.read_text())
            if state["status"] == "COMPLETED":
                names.add(state["trial_id"])
    return names


def suggestions(directory: str) -> list[Any]:
    """Return the values of every trial in order."""
    values = {}
    for path in Path(directory).glob("*/trial_*/trial.json"):
        with contextlib.suppress(ValueError):
            state = json.loads(path.read_text())
            values[state["trial_id"]] = state["hyperparameters"]["values"]
    return [values[name] for name in sorted(values)]


if __name__ == "__main__":
    main()
