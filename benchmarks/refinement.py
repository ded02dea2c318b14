"""Stopping by `val_refinement` against stopping by `val_loss`, on ten tables.

    python -m benchmarks.refinement --seeds 10

For each seed a table is split 60/20/20 by class, and a network is trained once for all epochs, with
both measured after each.  Each way to stop has the weights of its best epoch; these are calibrated
on the validation rows and judged on the test rows, which nothing else has seen.  Lower is better:
Brier score, and cross-entropy.  The interval is that of the mean difference over the seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from statistics import mean
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks gain nothing from threads
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import numpy as np

from benchmarks.imbalanced_data import Part, split
from benchmarks.offline_tables import TABLES, table

WAYS = {"loss": "val_loss", "refinement": "val_refinement"}
METHODS = ("temperature", "auto")
EPOCHS = 40
TRAINING = {"batch_size": 64, "validation_batch_size": 4096, "verbose": 0}
UNITS = (128, 128)
RATE = 0.002


def main() -> None:
    """Run the tables, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    options = parser.parse_args()
    rounds = {}
    for name in options.tables:
        rounds[name] = list(run(name, options.seeds))
        print(name, json.dumps(rounds[name]), file=sys.stderr, flush=True)
    report(rounds)


def run(name: str, seeds: int) -> Iterator[dict[str, Any]]:
    """Yield for each seed the epochs of both ways to stop, and the scores after each calibration.

    One model serves all seeds, with new weights and a new state of its optimizer.
    """
    import keras

    import kt_extras as kte

    x, y = table(name)
    model = network(x.shape[1], int(y.max()) + 1)
    model.optimizer.build(model.trainable_variables)
    state = [variable.numpy() for variable in model.optimizer.variables]
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        model.set_weights(keras.models.clone_model(model).get_weights())
        for variable, value in zip(model.optimizer.variables, state, strict=True):
            variable.assign(value)
        train, validation, test = split(x, y, seed)
        best = {way: _Best(monitor) for way, monitor in WAYS.items()}
        data = {"validation_data": tuple(validation), "callbacks": [*best.values()]}
        kte.training.fit(model, *train, epochs=EPOCHS, **data, **TRAINING)
        found: dict[str, Any] = {}
        for way, kept in best.items():
            model.set_weights(kept.weights)
            found[way] = {"epoch": kept.epoch, **scores(model, validation, test)}
        yield found


def network(columns: int, classes: int) -> Any:
    """Return a compiled network that overfits these tables."""
    import keras

    import kt_extras as kte

    layers = [keras.layers.Dense(units, "relu") for units in UNITS]
    head = keras.layers.Dense(classes, "softmax")
    model = keras.Sequential([keras.Input((columns,)), *layers, head])
    refinement = kte.metrics.Refinement(classes)
    optimizer, loss = keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, weighted_metrics=[refinement])
    return model


def scores(model: Any, validation: Part, test: Part) -> dict[str, list[float]]:
    """Return Brier score and cross-entropy on the test rows after each calibration."""
    from kt_extras.calibration import fit_calibration

    shown, unseen = (np.asarray(model(part.x)) for part in (validation, test))
    found = {}
    for method in METHODS:
        p = np.asarray(fit_calibration(validation.y, shown, method)(unseen), dtype=np.float64)
        own = p[np.arange(len(p)), test.y]
        brier = np.mean(np.sum((p - np.eye(p.shape[1])[test.y]) ** 2, axis=1))
        found[method] = [float(brier), float(-np.log(np.maximum(own, 1e-7)).mean())]
    return found


def _Best(monitor: str) -> Any:  # noqa: N802 - a class that needs Keras
    """Return a callback that keeps the weights of the best epoch."""
    import keras

    class Best(keras.callbacks.Callback):
        """Keeps them in memory, since one training serves both ways."""

        def __init__(self) -> None:
            super().__init__()
            self.least, self.epoch, self.weights = np.inf, -1, None

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if logs[monitor] < self.least:
                self.least, self.epoch = logs[monitor], epoch
                self.weights = self.model.get_weights()

    return Best()


def report(rounds: dict[str, list[dict[str, Any]]]) -> None:
    """Print a table for each score, of means over the seeds."""
    for method in METHODS:
        for place, score in enumerate(("Brier score", "cross-entropy")):
            print(f"\n{score} on test data after calibration by {method!r}\n")
            print("| table | stopped by val_loss | by val_refinement | difference | epochs |")
            print("| --- | --: | --: | --: | --: |")
            not_above = 0
            for name, runs in rounds.items():
                values = {way: [run[way][method][place] for run in runs] for way in WAYS}
                gaps = np.subtract(values["refinement"], values["loss"])
                not_above += gaps.mean() <= 0
                error = 1.96 * gaps.std(ddof=1) / len(gaps) ** 0.5 if len(gaps) > 1 else 0
                epochs = [mean(run[way]["epoch"] + 1 for run in runs) for way in WAYS]
                before, after = (f"{mean(values[way]):.4f}" for way in WAYS)
                print(
                    f"| {name} | {before} | {after} | {gaps.mean():+.4f} ({error:.4f}) "
                    f"| {epochs[0]:.0f}, {epochs[1]:.0f} |"
                )
            print(f"\nnot above in {not_above} of {len(rounds)}", flush=True)


if __name__ == "__main__":
    main()
