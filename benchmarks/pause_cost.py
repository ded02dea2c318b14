"""Measure what a pause, a promotion and an exploit cost in addition to the training itself.

Real searches with Keras, of an MLP and of a small CNN on the 8x8 digits.  After each part of a
trial, the same epochs are run once more by `model.fit` alone: by a newly built model where the
search has built one, and by the model in memory where the search has reused it.  The cost of a part
is the time of the search, from the end of the part before to the end of this one, minus the time of
that `model.fit`.  It includes writing and reading states, keeping the best weights, and recording
events.  It is given as a fraction of the time that it takes to build the same model and to trace
its first batch, which is measured after each part as well.

Measure on an idle machine.  A pause waits until its state is on the disk, so the wall time depends
on the disk.

    python -m benchmarks.pause_cost --rounds 3
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

MODELS = ("mlp", "cnn")
SEARCHES = ("ASHA", "PBT")
PARTS = {
    "ASHA": ("a trial's first part, to its pause", "a promotion, to the next pause or the end"),
    "PBT": ("a member's first part", "a member goes on", "an exploit"),
}
BATCH = 128


class Times(NamedTuple):
    """Seconds of wall and of processor time."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Times:
        """Read both clocks."""
        return cls(time.perf_counter(), time.process_time())

    def since(self, before: Times) -> Times:
        """Return the seconds since an earlier reading."""
        return Times(self.wall - before.wall, self.cpu - before.cpu)


def main() -> None:
    """Measure in fresh processes, or in this one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes for each model and search")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument(
        "--one", nargs=2, metavar=("MODEL", "SEARCH"), help="measure in this process"
    )
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(*options.one)))
        return
    print("| model | part | count | build and trace, s CPU | extra, wall | extra, CPU |")
    print("|---|---|---|---|---|---|")
    for model in options.models:
        for search in options.searches:
            report(model, search, [in_a_process(model, search) for _ in range(options.rounds)])


def in_a_process(model: str, search: str) -> list[dict[str, Any]]:
    """Run one search in a fresh process; return what it measured of itself."""
    command = [sys.executable, "-m", "benchmarks.pause_cost", "--one", model, search]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(output.stdout.splitlines()[-1])


def report(model: str, search: str, rounds: list[list[dict[str, Any]]]) -> None:
    """Print for each kind of part the medians, and the fractions of each round."""
    for name in PARTS[search]:
        fractions, traces, count = [], [], 0
        for parts in rounds:
            extras = [Times(*part["extra"]) for part in parts if part["name"] == name]
            # The first trace in a process also loads the rest of TensorFlow.
            trace = middle([Times(*part["trace"]) for part in parts[1:]])
            fractions.append(Times(*(e / t for e, t in zip(middle(extras), trace, strict=True))))
            traces.append(trace)
            count += len(extras)
        each = [", ".join(f"{100 * s[clock]:.1f}" for s in fractions) for clock in (0, 1)]
        fraction = middle(fractions)
        print(
            f"| {model} | {search}: {name} | {count} | {middle(traces).cpu:.2f} "
            f"| **{fraction.wall:.1%}** ({each[0]}) | **{fraction.cpu:.1%}** ({each[1]}) |",
            flush=True,
        )


def middle(times: list[Times]) -> Times:
    """Return the medians of both clocks."""
    return Times(median(t.wall for t in times), median(t.cpu for t in times))


def measured(model: str, search: str) -> list[dict[str, Any]]:
    """Run a search; return each part's kind, its cost, and the time to build and trace."""
    import keras
    import keras_tuner
    from sklearn.datasets import load_digits

    import kt_extras as kte

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).reshape(-1, 8, 8, 1).astype("float32")
    x, y = images[:1347], labels[:1347]
    data = {"x": x, "y": y, "validation_data": (images[1347:], labels[1347:]), "batch_size": BATCH}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    parts: list[dict[str, Any]] = []

    def build(hp: Any) -> Any:
        network = keras.Sequential(
            [keras.Input((8, 8, 1)), *layers_of(model), keras.layers.Dense(10)]
        )
        rate = hp.Float("rate", 1e-4, 1e-2, sampling="log")
        network.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        return network

    class Model(keras_tuner.HyperModel):
        """Trains once more by `model.fit` alone after each training, and times both."""

        live: Any = None
        beside = bare = trace = Times(0, 0)
        begun = 0

        def build(self, hp: Any) -> Any:
            return build(hp)

        def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
            kwargs["verbose"] = 0
            history = model.fit(*args, **kwargs)
            begin = Times.now()
            self.begun = kwargs["initial_epoch"]
            epochs = self.begun + len(history.epoch)
            kwargs = {**kwargs, "epochs": epochs, "callbacks": None}
            goes_on, self.live = model is self.live, model
            self.bare = timed(lambda: (model if goes_on else build(hp)).fit(*args, **kwargs))
            self.trace = timed(lambda: build(hp).train_on_batch(x[:BATCH], y[:BATCH]))
            gc.collect()
            self.beside = Times.now().since(begin)
            return history

    hypermodel = Model()

    class Timed(getattr(kte, search)):
        """Records how much longer each part of a trial took than `model.fit` alone."""

        ended = Times(0, 0)

        def on_search_begin(self) -> None:
            super().on_search_begin()
            self.ended = Times.now()

        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            whole = Times.now().since(self.ended)
            extra = whole.since(hypermodel.beside).since(hypermodel.bare)
            exploits = self.lineage() if search == "PBT" else []
            place = int(trial.trial_id), hypermodel.begun
            kind = 2 * (place in [(row["member"], row["epoch"]) for row in exploits])
            name = PARTS[search][kind or hypermodel.begun > 0]
            parts.append({"name": name, "extra": extra, "trace": hypermodel.trace})
            self.ended = Times.now()

    settings: dict[str, Any] = {
        "ASHA": {"max_epochs": 4, "reduction_factor": 2, "max_trials": 16},
        "PBT": {"population_size": 4, "max_epochs": 20, "interval": 2},
    }[search]
    with tempfile.TemporaryDirectory() as directory:
        tuner = Timed(hypermodel, "val_loss", seed=0, directory=directory, **settings)
        tuner.search(**data, verbose=0)
        return parts


def layers_of(model: str) -> list[Any]:
    """Return the layers of a network, without its last."""
    from keras import layers

    if model == "mlp":
        return [layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(64, "relu")]
    convolutions = [layers.Conv2D(n, 3, padding="same", activation="relu") for n in (16, 32)]
    return [*convolutions, layers.MaxPooling2D(), layers.Flatten(), layers.Dense(64, "relu")]


def timed(run: Callable[[], object]) -> Times:
    """Return how long a function runs."""
    begin = Times.now()
    run()
    return Times.now().since(begin)


if __name__ == "__main__":
    main()
