"""Ensembles and soups of the trials of a search against its best trial, on ten tables.

    python -m benchmarks.ensembles --seeds 3

For each seed a table is split 60/20/20 by class.  A random search trains small networks, each
trial from weights of its own; ensembles of ten are chosen on the validation rows, by which the
trials were compared, too.  In a second search all trials begin with the weights of one network
that was trained before, as in fine-tuning: it has the soup.  All are judged on the test rows by
cross-entropy, which nothing else has seen, beside the best trial of their search; lower is better.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
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

METHODS = ("greedy", "average", "stacking")
SIZE = 10
TRIALS = 10
TRAINING = {"epochs": 10, "batch_size": 64, "verbose": 0}


def main() -> None:
    """Run the tables, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--soup", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    rounds = {}
    for name in options.tables:
        rounds[name] = list(run(name, options.seeds, options.methods, options.soup))
        print(name, json.dumps(rounds[name]), file=sys.stderr, flush=True)
    report(rounds, options.methods, soup=options.soup)


def run(name: str, seeds: int, methods: Sequence[str], soup: bool) -> Iterator[dict[str, float]]:
    """Yield the cross-entropy on the test rows of each way, for each seed."""
    import keras

    x, y = table(name)
    shape = x.shape[1], int(y.max()) + 1
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        train, validation, test = split(x, y, seed)
        with tempfile.TemporaryDirectory() as directory:
            tuner = search(own(*shape), train, validation, seed, f"{directory}/own")
            found = {"best trial": tuner.get_best_models()[0]}
            for method in methods:
                found[method] = tuner.ensemble(SIZE, *validation, method=method)
            if soup:
                build = fine_tuned(*shape, train)
                tuner = search(build, train, validation, seed, f"{directory}/fine_tuned")
                found["best fine-tuned"] = tuner.get_best_models()[0]
                found["soup"] = tuner.soup(*validation)
            yield {way: crossentropy(model, test) for way, model in found.items()}


def own(columns: int, classes: int) -> Any:
    """Return the `build` of networks that begin with weights of their own."""
    return lambda hp: network(hp, columns, classes, hp.Choice("units", [16, 64]))


def fine_tuned(columns: int, classes: int, train: Part) -> Any:
    """Return the `build` of networks that all begin with the weights of a trained one."""
    import keras

    base = keras.Sequential([keras.Input((columns,)), *layers(32, 0.0, classes)])
    base.compile("adam", "sparse_categorical_crossentropy")
    base.fit(*train, **{**TRAINING, "epochs": 4})

    def build(hp: Any) -> Any:
        model = network(hp, columns, classes, 32)
        model.set_weights(base.get_weights())
        return model

    return build


def network(hp: Any, columns: int, classes: int, units: int) -> Any:
    """Return a compiled network of the search space."""
    import keras

    rate = hp.Float("rate", 3e-4, 3e-2, sampling="log")
    parts = layers(units, hp.Float("dropout", 0.0, 0.5), classes)
    model = keras.Sequential([keras.Input((columns,)), *parts])
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    return model


def layers(units: int, dropout: float, classes: int) -> list[Any]:
    """Return the layers of every network here."""
    import keras

    hidden = [keras.layers.Dense(units, "relu"), keras.layers.Dropout(dropout)]
    return [*hidden, keras.layers.Dense(units, "relu"), keras.layers.Dense(classes, "softmax")]


def search(build: Any, train: Part, validation: Part, seed: int, directory: str) -> Any:
    """Return a tuner that has run."""
    import kt_extras as kte

    tuner = kte.RandomSearch(
        build, "val_loss", max_trials=TRIALS, seed=seed, keep_checkpoints="all", directory=directory
    )
    tuner.search(*train, validation_data=tuple(validation), **TRAINING)
    return tuner


def crossentropy(model: Any, test: Part) -> float:
    """Return the mean cross-entropy, with probabilities of 1e-7 at least."""
    p = np.asarray(model(test.x), dtype=np.float64)
    return float(-np.log(np.maximum(p[np.arange(len(p)), test.y], 1e-7)).mean())


def report(
    rounds: dict[str, list[dict[str, float]]], methods: Sequence[str], *, soup: bool
) -> None:
    """Print the means over the seeds, and how often the best trial was beaten."""
    ways = ["best trial", *methods, *(["best fine-tuned", "soup"] if soup else [])]
    print("| table |", " | ".join(ways), "|")
    print("| --- |" + " --: |" * len(ways))
    means = {
        name: {way: mean(run[way] for run in runs) for way in ways} for name, runs in rounds.items()
    }
    for name, found in means.items():
        print(f"| {name} |", " | ".join(f"{found[way]:.4f}" for way in ways), "|")
    for way in [*methods, "soup"][: None if soup else -1]:
        rival = "best fine-tuned" if way == "soup" else "best trial"
        better = sum(found[way] < found[rival] for found in means.values())
        seeds = [run[way] < run[rival] for runs in rounds.values() for run in runs]
        print(
            f"\n{way}: better than the {rival} on {better} of {len(means)} tables, "
            f"{sum(seeds)} of {len(seeds)} splits",
            flush=True,
        )


if __name__ == "__main__":
    main()
