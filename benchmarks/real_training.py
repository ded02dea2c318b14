"""Searches beside each other on networks that train for real, with as many epochs each.

    python -m benchmarks.real_training --seeds 5 --jobs 2

The models, the data and the grid are those of a table of `curve_tables.py`, whose best and median
errors scale the regret; here nothing is replayed, so that what a promotion really costs counts too:
KerasTuner's Hyperband goes on from the best epoch's weights with a new optimizer, ours from the
full state.  *anytime* is the regret averaged over the epochs from the 50th, *final* that after the
last, *seconds* the wall time of the search, everything included.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import itertools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.curve_tables import EPOCHS, TASKS, Task, plain_model
from benchmarks.learning_curves import Table, interval

BUDGET, FIRST, ETA = 375, 50, 3  # one sweep of Hyperband
OBJECTIVE = "val_accuracy"


class Spent(BaseException):
    """Raised when the last epoch of the budget is used up; no search takes it for a failure."""


class Ledger(keras.callbacks.Callback):
    """Writes down the validation error of every epoch that anybody trains."""

    def __init__(self, errors: list[float]) -> None:
        super().__init__()
        self.errors = errors

    def __deepcopy__(self, memo: dict[int, Any]) -> Ledger:
        """KerasTuner copies callbacks for each trial; there is one ledger."""
        return Ledger(self.errors)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Add an epoch, and end the search after the last."""
        self.errors.append(1 - logs[OBJECTIVE])
        if len(self.errors) == BUDGET:
            raise Spent


Search = Callable[[Task, Ledger, int, str], None]  # ends, or raises `Spent`


def keras_tuner(kind: str) -> Search:
    """Return a tuner of KerasTuner."""

    def search(task: Task, ledger: Ledger, seed: int, directory: str) -> None:
        import keras_tuner

        class Grid(_Grid, keras_tuner.HyperModel):
            pass

        given: dict[str, Any] = {"directory": directory, "seed": seed + 1}  # 0 is no seed to it
        objective = keras_tuner.Objective(OBJECTIVE, "max")
        if kind == "random":
            tuner = keras_tuner.RandomSearch(Grid(task), objective, max_trials=BUDGET, **given)
            tuner.search(**_data(task), epochs=EPOCHS, callbacks=[ledger], verbose=0)
        else:
            tuner = keras_tuner.Hyperband(
                Grid(task), objective, EPOCHS, ETA, hyperband_iterations=100, **given
            )
            tuner.search(**_data(task), callbacks=[ledger], verbose=0)

    return search


def ours(kind: str) -> Search:
    """Return a tuner of kt_extras."""

    def search(task: Task, ledger: Ledger, seed: int, directory: str) -> None:
        import keras_tuner

        import kt_extras as kte

        class Grid(_Grid, keras_tuner.HyperModel):
            pass

        given: dict[str, Any] = {"directory": directory, "seed": seed, "max_trials": BUDGET}
        if kind == "tpe":
            tuner = kte.TPE(
                Grid(task), OBJECTIVE, pruner=kte.MedianPruner(n_warmup_steps=2), **given
            )
            tuner.search(**_data(task), epochs=EPOCHS, callbacks=[ledger], verbose=0)
        else:
            sampler = {} if kind == "default" else {"sampler": kind}
            tuner = kte.ASHA(Grid(task), OBJECTIVE, max_epochs=EPOCHS, **sampler, **given)
            tuner.search(**_data(task), callbacks=[ledger], verbose=0)

    return search


def optuna(task: Task, ledger: Ledger, seed: int, directory: str) -> None:  # noqa: ARG001
    """Run Optuna's TPE with its median pruner."""
    import optuna

    class Prune(keras.callbacks.Callback):
        def __init__(self, trial: optuna.Trial) -> None:
            super().__init__()
            self.trial = trial

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.trial.report(logs[OBJECTIVE], epoch)
            if self.trial.should_prune():
                raise optuna.TrialPruned

    def objective(trial: optuna.Trial) -> float:
        keras.backend.clear_session()
        values = {}
        for name, options in task.grid.items():
            if isinstance(options[0], str):
                values[name] = trial.suggest_categorical(name, options)
            else:
                values[name] = options[trial.suggest_int(name, 0, len(options) - 1)]
        model = plain_model(task, _row(task, values))
        callbacks = [ledger, Prune(trial)]
        given = {**_data(task), "batch_size": values.get("batch", 32)}
        log = model.fit(**given, epochs=EPOCHS, callbacks=callbacks, verbose=0).history
        return max(log[OBJECTIVE])

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(n_warmup_steps=2),
    )
    study.optimize(objective, n_trials=BUDGET)


class _Grid:
    """The models of a task, for both tuners."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task

    def build(self, hp: Any) -> keras.Model:
        values = {
            name: hp.Choice(name, list(options), ordered=not isinstance(options[0], str) or None)
            for name, options in self.task.grid.items()
        }
        return plain_model(self.task, _row(self.task, values))

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        batch = hp.get("batch") if "batch" in self.task.grid else 32
        return model.fit(*args, batch_size=batch, **kwargs)


def _row(task: Task, values: dict[str, Any]) -> int:
    at = [options.index(values[name]) for name, options in task.grid.items()]
    return int(np.ravel_multi_index(at, [len(options) for options in task.grid.values()]))


def _data(task: Task) -> dict[str, Any]:
    x, y, x_val, y_val = task.data()
    return {"x": x, "y": y, "validation_data": (x_val, y_val)}


SEARCHES: dict[str, Search] = {
    "KerasTuner RandomSearch": keras_tuner("random"),
    "KerasTuner Hyperband": keras_tuner("hyperband"),
    "Optuna TPE + median": optuna,
    "TPE + MedianPruner": ours("tpe"),
    "ASHA, random": ours("random"),
    "ASHA": ours("default"),
}


def run(name: str, table: str, seed: int) -> tuple[np.ndarray, float]:
    """Return the best error after each epoch, and the seconds, of one search."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(seed)
    task = TASKS[table]
    plain_model(task, 0).fit(**_data(task), verbose=0)  # not the first search pays for the start
    ledger, began = Ledger([]), time.perf_counter()
    quiet = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as directory, quiet, contextlib.suppress(Spent):
        SEARCHES[name](task, ledger, seed, directory)
    seconds = time.perf_counter() - began
    if len(ledger.errors) < BUDGET:
        raise RuntimeError(f"{name} stopped after {len(ledger.errors)} epochs.")
    return np.minimum.accumulate(ledger.errors), seconds


def main() -> None:
    """Run the searches and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--table", choices=["digits", "noisy_classes"], default="digits")
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    optimum, _, median = Table.read(args.table).marks
    seeds = range(args.first, args.first + args.seeds)
    tasks = list(itertools.product(args.searches, [args.table], seeds))
    # A process for each search: none pays for what another has left in TensorFlow.
    with multiprocessing.get_context("spawn").Pool(args.jobs, maxtasksperchild=1) as pool:
        results = pool.starmap(run, tasks, chunksize=1)
    print(f"{args.table}, seeds {seeds[0]} to {seeds[-1]}, {BUDGET} epochs\n")
    print("| search | anytime | final | seconds |\n| --- | --- | --- | --- |")
    for number, name in enumerate(args.searches):
        mine = results[number * args.seeds : (number + 1) * args.seeds]
        regret = (np.array([best for best, _ in mine]) - optimum) / (median - optimum)
        mean = functools.partial(interval, statistic=np.mean, digits=3)
        seconds = np.median([seconds for _, seconds in mine])
        anytime = mean(regret[:, FIRST - 1 :].mean(axis=1))
        print(f"| {name} | {anytime} | {mean(regret[:, -1])} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
