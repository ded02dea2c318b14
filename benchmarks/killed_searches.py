"""Searches that are killed on purpose, and what their journals say of them afterwards.

Used by `crash_safety` and `power_cuts`.  A journal is read here line by line, not with the library
that is tested.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np

import kt_extras as kte

COST = keras_tuner.Objective("cost", "min")
PROJECT = "project"
GIVEN_UP = "Given up"  # how the message of a trial begins at which the process died too often
_PAUSE = 0.001  # seconds an epoch of the arithmetic takes
_PEEK = os.WEXITED | os.WNOHANG | os.WNOWAIT if hasattr(os, "WEXITED") else 0


class Search:
    """A search that can be killed and gone on with, whose records are in a journal."""

    def __call__(self, directory: str) -> None:
        """Run the search in a directory to its end, or go on with it."""
        raise NotImplementedError

    def load(self, directory: str) -> Any:
        """Load what the directory holds, and do no more."""
        raise NotImplementedError

    def written(self, directory: str) -> int:
        """Return how many records there are."""
        return len(events(directory))

    def finished(self, directory: str) -> dict[str, Any]:
        """Return how each trial that has ended for good has ended."""
        return finished(directory)

    def repeated(self, directory: str) -> int:
        """Return how often a trial was begun again after it had ended for good."""
        return repeated(directory)


@dataclass(frozen=True)
class Arithmetic(Search):
    """A search whose epochs are a formula.

    Args:
        make: The oracle's class.
        given: Its arguments.
    """

    make: Callable[..., kte.SamplerOracle]
    given: dict[str, Any]

    def __call__(self, directory: str) -> None:
        """Run the search in a directory to its end, or go on with it."""
        oracle = self.load(directory)
        oracle.open_session()
        while (trial := oracle.create_trial("worker")).status != "STOPPED":
            first = oracle.trial_record(trial.trial_id).paused_at_epoch
            for step in range(first, 9):
                time.sleep(_PAUSE)
                values = {"cost": cost(trial, step)}
                if oracle.update_trial(trial.trial_id, values, step).status == "STOPPED":
                    break
            trial.status = "COMPLETED"
            oracle.end_trial(trial)
        oracle.close_session()

    def load(self, directory: str) -> kte.SamplerOracle:
        """Return its oracle, which has loaded what the directory holds."""
        oracle = self.make(objective=COST, seed=1, **self.given)
        oracle._set_project_dir(directory, PROJECT)
        for index in range(3):
            oracle.hyperparameters.Float(f"float_{index}", 1e-4, 1.0, sampling="log")
        oracle.hyperparameters.Choice("kind", ["a", "b", "c"])
        if oracle.is_recorded():
            oracle.reload()
        return oracle


def arithmetic() -> dict[str, Search]:
    """Return a search for each kind of oracle; an epoch is a formula."""
    pruner = kte.MedianPruner(n_startup_trials=3)
    return {
        "TPE, pruned": Arithmetic(kte.TPEOracle, {"max_trials": 30, "pruner": pruner}),
        "Evolution": Arithmetic(kte.EvolutionOracle, {"max_trials": 30}),
        "ASHA": Arithmetic(kte.ASHAOracle, {"max_epochs": 9, "max_trials": 12}),
        "BOHB": Arithmetic(kte.BOHBOracle, {"max_epochs": 9, "max_trials": 20}),
        "PBT": Arithmetic(kte.PBTOracle, {"max_epochs": 6, "population_size": 6, "mutable": None}),
    }


@dataclass(frozen=True)
class Trained(Search):
    """A search that trains small Keras models.

    Args:
        make: The tuner's class.
        given: Its arguments.
        fit: Arguments of `search`.
    """

    make: Callable[..., kte.Tuner]
    given: dict[str, Any]
    fit: dict[str, Any] = field(default_factory=dict)

    def __call__(self, directory: str) -> None:
        """Run the search in a directory to its end, or go on with it."""
        x, y = _rows()
        self.load(directory).search(
            x, y, validation_data=(x, y), batch_size=32, verbose=0, **self.fit
        )

    def load(self, directory: str) -> kte.Tuner:
        """Return its tuner, which has loaded what the directory holds."""
        return self.make(
            _build, "val_loss", seed=1, directory=directory, project_name=PROJECT, **self.given
        )


def trained() -> dict[str, Search]:
    """Return searches that train small Keras models."""
    pruner = kte.MedianPruner(n_startup_trials=3)
    return {
        "TPE, pruned": Trained(kte.TPE, {"max_trials": 10, "pruner": pruner}, {"epochs": 4}),
        "ASHA": Trained(kte.ASHA, {"max_trials": 9, "max_epochs": 9}),
        "BOHB": Trained(kte.BOHB, {"max_trials": 9, "max_epochs": 9}),
        "PBT": Trained(kte.PBT, {"population_size": 4, "max_epochs": 5}),
    }


def _rows() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    return x, (x.sum(1) > 0).astype("float32")


def _build(hp: keras_tuner.HyperParameters) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    rate = hp.Float("learning_rate", 1e-3, 1.0, sampling="log")
    optimizer = keras.optimizers.SGD(rate, momentum=hp.Float("momentum", 0.0, 0.9))
    # Eagerly: a graph would take most of the time.
    model.compile(optimizer, "binary_crossentropy", run_eagerly=True)
    return model


def cost(trial: Any, step: int) -> float:
    """Return a number that follows from the hyperparameters and the epoch."""
    numbers = [float(v) for v in trial.hyperparameters.values.values() if not isinstance(v, str)]
    return sum(numbers) + 1.0 / (step + 1)


# Processes.


def start(work: Callable[[], Any]) -> int:
    """Begin to run in a forked process without output; return its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def in_child(work: Callable[[], Any], kill_after: float | None = None) -> int:
    """Run in a forked process, killed after so many seconds; return how it ended."""
    child = start(work)
    if kill_after is not None:
        wait_for(child, kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def wait_for(child: int, seconds: float) -> bool:
    """Wait until a process has ended, so many seconds at most; return whether it has."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, child, _PEEK) is not None:
            return True
        time.sleep(0.001)
    return False


# Journals.


def events(directory: str) -> list[dict[str, Any]]:
    """Return the whole lines of the journal; a torn last line is left out."""
    path = Path(directory, PROJECT, "journal.jsonl")
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line.partition(b" ")[2]) for line in lines]


def finished(directory: str) -> dict[str, tuple[Any, ...]]:
    """Return how each trial that has ended for good has ended."""
    ends: dict[str, tuple[Any, ...]] = {}
    for event in events(directory):
        if event["kind"] in {"create", "resume"}:
            ends.pop(event["trial"], None)
        if event["kind"] == "end" and event["state"] not in {"paused", "waiting"}:
            given_up = (event.get("message") or "").startswith(GIVEN_UP)
            values = tuple(sorted(event["values"].items()))
            score = GIVEN_UP if given_up else event.get("score")
            ends[event["trial"]] = (event["state"], score, event.get("best_step"), values)
    return ends


def repeated(directory: str) -> int:
    """Return how often a trial was begun again after it had ended for good."""
    over: set[str] = set()
    count = 0
    for event in events(directory):
        if event["kind"] in {"create", "resume"}:
            count += event["trial"] in over
        if event["kind"] == "end" and event["state"] not in {"paused", "waiting"}:
            over.add(event["trial"])
    return count
