"""How many seconds a random search takes, beside other libraries and a bare loop.

Every search trains as many models for as many epochs on the same data, in a process of its own, and
the processes take turns.  Wall time and processor time are those of the whole search; what loads
TensorFlow and compiles the first model of all is not counted.

    python -m benchmarks.seconds dense cnn lstm architectures --trials 100
    python -m benchmarks.seconds reuse --trials 20
    python -m benchmarks.seconds memory --trials 300
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

Values = Any  # has `Float`, `Int` and `Choice`, as KerasTuner's hyperparameters
Build = Callable[[Values], Any]


@dataclass(frozen=True)
class Case:
    """What is searched.

    Args:
        build: Returns a compiled model.
        shape: Of an image, as the model takes it.
        epochs: Of each trial.
        searches: Which are compared.
        images: How many there are to learn from.
    """

    build: Build
    shape: tuple[int, ...]
    epochs: int
    searches: tuple[str, ...]
    images: int = 1440


def dense(hp: Values) -> Any:
    """Numbers alone differ."""
    from keras import layers

    drop = hp.Float("dropout", 0.05, 0.5)
    body = [layers.Dense(64, "relu"), layers.Dropout(drop), layers.Dense(64, "relu")]
    return compiled(hp, [*body, layers.Dropout(drop)], (64,))


def architectures(hp: Values) -> Any:
    """Three depths and four widths."""
    from keras import layers

    depth, units = hp.Int("depth", 1, 3), hp.Choice("units", [16, 32, 64, 128])
    drop = hp.Float("dropout", 0.05, 0.5)
    body = [
        part for _ in range(depth) for part in (layers.Dense(units, "relu"), layers.Dropout(drop))
    ]
    return compiled(hp, body, (64,))


def cnn(hp: Values) -> Any:
    """Two convolutions of which numbers alone differ."""
    from keras import layers

    body = [layers.Conv2D(16, 3, activation="relu"), layers.Conv2D(32, 3, activation="relu")]
    drop = layers.Dropout(hp.Float("dropout", 0.05, 0.5))
    return compiled(hp, [*body, layers.Flatten(), drop], (8, 8, 1))


def lstm(hp: Values) -> Any:
    """Rows of an image one after the other."""
    from keras import layers

    drop = layers.Dropout(hp.Float("dropout", 0.05, 0.5))
    return compiled(hp, [layers.LSTM(32), drop], (8, 8))


def wide(hp: Values) -> Any:
    """A large model, of another width in every trial."""
    from keras import layers

    units = hp.Int("units", 900, 1100)
    body = [layers.Dense(units, "relu"), layers.Dense(units, "relu")]
    return compiled(hp, body, (64,))


def resnet(hp: Values) -> Any:
    """ResNet50, of which the learning rate and its decay differ."""
    import keras

    model = keras.applications.ResNet50(weights=None, input_shape=(32, 32, 1), classes=10)
    return _compiled(hp, model)


def compiled(hp: Values, body: list[Any], shape: tuple[int, ...]) -> Any:
    """Return a classifier of the ten digits."""
    import keras

    output = keras.layers.Dense(10, "softmax")
    return _compiled(hp, keras.Sequential([keras.Input(shape), *body, output]))


def _compiled(hp: Values, model: Any) -> Any:
    import keras

    rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
    decay = hp.Float("weight_decay", 1e-5, 1e-2, sampling="log")
    optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


ALL = ("bare", "keras_tuner", "optuna", "ours", "one_at_a_time")
CASES = {
    "dense": Case(dense, (64,), 10, ALL),
    "cnn": Case(cnn, (8, 8, 1), 10, ALL),
    "lstm": Case(lstm, (8, 8), 10, ALL),
    "architectures": Case(architectures, (64,), 10, ALL),
    "reuse": Case(cnn, (8, 8, 1), 3, ("bare", "reuse_alone", "one_at_a_time")),
    "resnet": Case(resnet, (32, 32, 1), 1, ("bare", "reuse_alone", "ours"), images=64),
    "wide": Case(wide, (64,), 3, ("bare", "no_reuse", "ours")),
    "memory": Case(dense, (64,), 2, ("bare", "ours", "one_at_a_time")),
}


def main() -> None:
    """Compare searches, or run one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="+", choices=CASES)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES)
    parser.add_argument("--search", choices=SEARCHES, help="run this one and print JSON")
    options = parser.parse_args()
    if options.search:
        print(json.dumps(run(options.search, options.cases[0], options.trials)))
        return
    for case in options.cases:
        report(case, options)


def report(case: str, options: argparse.Namespace) -> None:
    """Print a table of the searches of a case."""
    names = options.searches or CASES[case].searches
    rounds = [
        {name: measured(name, case, options.trials) for name in names}
        for _ in range(options.rounds)
    ]
    first = names[0] if "keras_tuner" not in names else "keras_tuner"
    print(f"\n{case}: {options.trials} trials of {CASES[case].epochs} epochs\n")
    print(f"| search | seconds | of {first} | processor | of {first} | best | MB, 10% to the end |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        mean = {key: median(r[name][key] for r in rounds) for key in rounds[0][name]}
        of = {key: median(r[name][key] / r[first][key] for r in rounds) for key in ("wall", "cpu")}
        print(
            f"| {name} | {mean['wall']:.1f} | {of['wall']:.3f} | {mean['cpu']:.1f} | "
            f"{of['cpu']:.3f} | {mean['best']:.3f} | {mean['early']:.0f} to {mean['late']:.0f} |",
            flush=True,
        )


def measured(search: str, case: str, trials: int) -> dict[str, float]:
    """Run a search in a fresh process; return what it measured of itself."""
    command = [sys.executable, "-m", "benchmarks.seconds", case]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command += ["--search", search, "--trials", str(trials)]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(output.stdout.splitlines()[-1])


def run(search: str, name: str, trials: int) -> dict[str, float]:
    """Return the seconds of wall and processor time of a search, its best score and its memory."""
    import keras
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(0)
    case = CASES[name]
    images, labels = load_digits(return_X_y=True)
    x = (images / 16).astype("float32")
    if case.shape[0] == 32:
        x = x.reshape(-1, 8, 8, 1).repeat(4, axis=1).repeat(4, axis=2)
    x = x.reshape(-1, *case.shape)
    rest = slice(case.images, None if case.images == 1440 else case.images + 64)
    data = {
        "x": x[: case.images],
        "y": labels[: case.images],
        "validation_data": (x[rest], labels[rest]),
        "epochs": case.epochs,
        "verbose": 0,
    }
    warm(data)
    memory: list[float] = []
    wall, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as directory:
        best = SEARCHES[search](
            case.build, data, trials, directory, lambda: memory.append(resident())
        )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    early = memory[max(len(memory) // 10 - 1, 0)]
    return {"wall": wall, "cpu": cpu, "best": best, "early": early, "late": memory[-1]}


def warm(data: dict[str, Any]) -> None:
    """Let TensorFlow load what it loads once."""
    import keras

    layers = [keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential([keras.Input(data["x"].shape[1:]), *layers])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(**{**data, "epochs": 1})


def resident() -> float:
    """Return the memory of this process in MB."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() / 1e6
    except OSError:  # not on Linux: the highest so far
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


Trained = Callable[[], None]


def bare(build: Build, data: dict[str, Any], trials: int, _: str, trained: Trained) -> float:
    """Build and fit, one after the other."""
    import gc

    import keras

    best, hp = 0.0, declared(build)
    for trial in range(trials):
        for number, one in enumerate(hp.space):
            hp.values[one.name] = one.random_sample(seed=100 * number + trial)
        keras.backend.clear_session()
        gc.collect()
        best = max(best, *build(hp).fit(**data).history["val_accuracy"])
        trained()
    return best


def declared(build: Build) -> Values:
    """Return the hyperparameters of a model."""
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    build(hp)
    return hp


def keras_tuner_search(
    build: Build, data: dict[str, Any], trials: int, directory: str, trained: Trained
) -> float:
    """Search with KerasTuner's random search."""
    import keras_tuner

    class Search(keras_tuner.RandomSearch):
        def on_trial_end(self, trial: Any) -> None:
            super().on_trial_end(trial)
            trained()

    tuner = Search(build, "val_accuracy", max_trials=trials, seed=1, directory=directory)
    tuner.search(**data)
    return float(tuner.oracle.get_best_trials()[0].score)


def optuna_search(
    build: Build, data: dict[str, Any], trials: int, _: str, trained: Trained
) -> float:
    """Search with Optuna's random sampler."""
    import keras
    import keras_tuner
    import optuna

    hp = declared(build)

    def suggested(trial: optuna.Trial, one: Any) -> Any:
        if isinstance(one, keras_tuner.engine.hyperparameters.Choice):
            return trial.suggest_categorical(one.name, one.values)
        if isinstance(one, keras_tuner.engine.hyperparameters.Int):
            return trial.suggest_int(one.name, one.min_value, one.max_value)
        log = one.sampling == "log"
        return trial.suggest_float(one.name, one.min_value, one.max_value, log=log)

    def objective(trial: optuna.Trial) -> float:
        hp.values = {one.name: suggested(trial, one) for one in hp.space}
        keras.backend.clear_session()
        history = build(hp).fit(**data).history
        trained()
        return max(history["val_accuracy"])

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=trials)
    return float(study.best_value)


def ours(by_batches: bool = False, **arguments: Any) -> Callable[..., float]:
    """Return a search of kt_extras.

    Args:
        by_batches: Whether a callback asks for each batch, so that Keras' own `fit` is used.
        **arguments: Of the tuner.
    """

    def search(
        build: Build, data: dict[str, Any], trials: int, directory: str, trained: Trained
    ) -> float:
        import keras

        import kt_extras as kte

        class Search(kte.Tuner):
            def on_trial_end(self, trial: Any) -> None:
                super().on_trial_end(trial)
                trained()

        class Batches(keras.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                pass

        oracle = kte.SamplerOracle(
            kte.samplers.Random(), objective="val_accuracy", max_trials=trials, seed=0
        )
        tuner = Search(oracle, build, directory=directory, **arguments)
        callbacks = [Batches()] if by_batches else []
        tuner.search(**data, callbacks=callbacks)
        return float(tuner.oracle.get_best_trials()[0].score)

    return search


SEARCHES: dict[str, Callable[..., float]] = {
    "bare": bare,
    "keras_tuner": keras_tuner_search,
    "optuna": optuna_search,
    "ours": ours(),
    "one_at_a_time": ours(trials_at_once=1),
    "no_reuse": ours(by_batches=True, trials_at_once=1, reuse_models=0),
    "reuse_alone": ours(by_batches=True, trials_at_once=1),
}


if __name__ == "__main__":
    main()
