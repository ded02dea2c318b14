"""A tuner that trains arithmetic, and the searches that are simulated.

Only the model, its optimizer and the loop over epochs are replaced: sessions, trials, callbacks,
states, weights and their order on the disk are those of a real search.
"""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import keras_tuner
import numpy as np

import kt_extras as kte
from kt_extras import atomic_files, compat
from kt_extras.checkpoints import full_state
from kt_extras.oracles.asha import ASHAOracle
from kt_extras.oracles.bohb import BOHBOracle
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.pasha import PASHAOracle
from kt_extras.oracles.pbt import PBTOracle
from kt_extras.oracles.tpe import TPEOracle
from kt_extras.storage import journal
from kt_extras.tuners import trial_loop

try:
    from kt_extras.tuners import environment_errors
except ImportError:  # versions before it are simulated, too
    environment_errors = None  # type: ignore[assignment]
try:
    from kt_extras.tuners import search_run
except ImportError:  # it was in `tuner`, then
    from kt_extras.tuners import tuner as search_run  # type: ignore[no-redef]

COST = keras_tuner.Objective("cost", "min")
BEGIN = 1.0  # the weight before the first epoch
PROJECT = "search"


def next_weight(weight: float, values: Mapping[str, Any], epoch: int) -> float:
    """Return the weight after one more epoch."""
    return 0.5 * weight + values["x"] / (epoch + 1) + 0.01 * "abc".index(values["c"])


def cost_of(weight: float) -> float:
    """Return the objective of a weight."""
    return round(abs(weight - 0.6) + 0.001 * weight, 9)


class CrashError(RuntimeError):
    """The user's code has failed in a trial."""


class _Variable:
    """What code that saves states asks of a Keras variable."""

    name = "weight"
    shape = ()

    def __init__(self) -> None:
        self.value = np.float64(BEGIN)

    def numpy(self) -> Any:
        return np.asarray(self.value)

    def assign(self, value: Any) -> None:
        self.value = np.float64(value)


class _Optimizer:
    """What checks of a training ask of an optimizer."""

    def __init__(self) -> None:
        self.iterations = _Variable()


class Arithmetic:
    """What a tuner and its callbacks ask of a Keras model."""

    built, stop_training, layers = True, False, ()
    train_function, trainable_variables = None, ()

    def __init__(self) -> None:
        self.variable = _Variable()
        self.variables = [self.variable]
        self.optimizer = _Optimizer()

    def get_weights(self) -> list[Any]:
        return [self.variable.numpy()]

    def set_weights(self, weights: list[Any]) -> None:
        self.variable.assign(weights[0])

    def save_weights(self, path: Any, *_: Any, **__: Any) -> None:
        """Write as Keras does: in place, and not synced."""
        text = json.dumps(float(self.variable.value)).encode()
        if hasattr(path, "write"):
            path.write(text)
        else:
            Path(path).write_bytes(text)

    def load_weights(self, path: Any) -> None:
        self.variable.assign(json.loads(Path(path).read_text()))

    def _flatten_layers(self, **_: Any) -> list[Any]:
        return []

    def get_build_config(self) -> dict[str, Any]:
        return {"input_shape": [None, 1]}


class ArithmeticTuner(kte.Tuner):
    """A tuner whose trials are arithmetic.

    Args:
        oracle: The oracle.
        at: Called between the steps of a trial, with what has just happened.
        **kwargs: As for `kt_extras.Tuner`.
    """

    def __init__(self, oracle: SamplerOracle, at: Callable[..., Any], **kwargs: Any) -> None:
        self._at = at
        super().__init__(oracle, **kwargs)

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        return super().run_trial(trial, *args, **kwargs)

    def on_trial_begin(self, trial: Any) -> None:
        super().on_trial_begin(trial)
        self._at("begun", trial.trial_id)

    def on_trial_end(self, trial: Any) -> None:
        self._at("ending", trial.trial_id)
        super().on_trial_end(trial)
        self._at("ended", trial.trial_id)

    def _build_and_fit_model(self, trial: Any, *_: Any, callbacks: Any, **kwargs: Any) -> Any:
        """Do what `fit` does, and write the configuration as KerasTuner does."""
        model, values = Arithmetic(), trial.hyperparameters.values
        first, epochs = kwargs.get("initial_epoch", 0), kwargs["epochs"]
        for callback in callbacks:
            callback.set_params({"epochs": epochs, "verbose": 0, "steps": 1})
            callback.set_model(model)
        for callback in callbacks:
            callback.on_train_begin({})
        self._at("training", trial.trial_id, first)
        for epoch in range(first, epochs):
            for callback in callbacks:
                callback.on_epoch_begin(epoch, {})
            weight = next_weight(float(model.variable.value), values, epoch)
            answer = self._at("epoch", trial.trial_id, epoch)
            model.variable.assign(weight)
            model.optimizer.iterations.assign(epoch + 2)
            logs = {"cost": math.nan if answer == "nan" else cost_of(weight)}
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        for callback in callbacks:
            callback.on_train_end({})
        if compat.KERAS_3:
            write_build_config(self._get_build_config_fname(trial.trial_id), model)
        history = keras.callbacks.History()
        history.set_params({"epochs": epochs})
        return history

    def _try_build(self, hp: Any) -> Any:
        return Arithmetic()


def write_build_config(path: str, model: Arithmetic) -> None:
    """Write the configuration as KerasTuner does: in place, and not synced."""
    Path(path).write_text(json.dumps(model.get_build_config()))


def space(edited: int = 0) -> keras_tuner.HyperParameters:
    """Return the space of all searches; an edited program has another range."""
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, 1.0 if not edited else 0.5)
    hp.Choice("c", ["a", "b", "c"])
    return hp


def _random(**kwargs: Any) -> SamplerOracle:
    return kte.SamplerOracle(kte.samplers.Random(), max_trials=2, **kwargs)


def _tpe(**kwargs: Any) -> SamplerOracle:
    sampler = kte.samplers.TPE(n_startup_trials=2)
    return TPEOracle(sampler=sampler, pruner=kte.MedianPruner(2), max_trials=4, **kwargs)


def _asha(**kwargs: Any) -> SamplerOracle:
    return ASHAOracle(max_epochs=4, reduction_factor=2, sampler="random", max_trials=4, **kwargs)


def _bohb(**kwargs: Any) -> SamplerOracle:
    return BOHBOracle(max_epochs=4, reduction_factor=2, max_trials=4, **kwargs)


def _pbt(**kwargs: Any) -> SamplerOracle:
    return PBTOracle(population_size=3, max_epochs=3, interval=1, quantile=0.5, **kwargs)


def _pasha(**kwargs: Any) -> SamplerOracle:
    return PASHAOracle(max_epochs=4, reduction_factor=2, sampler="random", max_trials=4, **kwargs)


def _pb2(**kwargs: Any) -> SamplerOracle:
    return _pbt(explore="pb2", **kwargs)


ORACLES: dict[str, Callable[..., SamplerOracle]] = {
    "random": _random,
    "tpe": _tpe,
    "asha": _asha,
    "bohb": _bohb,
    "pasha": _pasha,
    "pbt": _pbt,
    "pb2": _pb2,
}
EPOCHS = 2  # of a trial without a scheduler


def tuner_in(
    directory: Path,
    kind: str,
    at: Callable[..., Any] = lambda *_: None,
    *,
    edited: int = 0,
    max_trials: int | None = None,
    **kwargs: Any,
) -> ArithmeticTuner:
    """Return a tuner as a program makes it.

    Args:
        directory: Where its project is, or will be.
        kind: A key of `ORACLES`.
        at: As for `ArithmeticTuner`.
        edited: Whether the program has another range of `x` than at first.
        max_trials: Another number than at first. Defaults to None, the same.
        **kwargs: For the oracle.
    """
    oracle = ORACLES[kind](objective=COST, hyperparameters=space(edited), **kwargs)
    if max_trials is not None:
        oracle.max_trials = max_trials
    return ArithmeticTuner(oracle, at, directory=str(directory), project_name=PROJECT)


def forget_process() -> None:
    """Forget what modules know of a process that has ended."""
    getattr(atomic_files, "_new", set()).clear()


def nothing(*_: Any, **__: Any) -> Any:
    """Do nothing."""


@contextmanager
def installed(growth: int = 1_000_000) -> Iterator[None]:
    """Let callbacks save and restore the arithmetic, and Keras forget nothing, which is slow.

    Args:
        growth: After how many bytes of the journal a snapshot is written.
    """
    replaced: list[tuple[Any, str, Any]] = [
        (compat, "make_randomness_restorable", nothing),
        (compat, "state_variables", lambda model: model.variables),
        (compat, "optimizer_variables", lambda _: []),
        (compat, "input_spec", lambda model: model.get_build_config()),
        (compat, "build_from_spec", nothing),
        (compat, "build_for_loading", nothing),
        (compat, "learning_rates_kept", lambda _: nothing),
        (compat, "retrace", nothing),
        (full_state, "random_state", dict),
        (full_state, "set_random_state", nothing),
        (keras.backend, "clear_session", nothing),
        (search_run, "move_gradients_to_graphs", nothing),
        (trial_loop, "random_state_kept", nullcontext),
        (gc, "collect", lambda *_: 0),
        (journal, "_MIN_GROWTH", growth),
        (gc, "get_freeze_count", lambda: 1),  # so that nothing is frozen and collected
    ]
    if environment_errors is not None:  # the calls that are replaced are those of libraries
        mine = str(Path(__file__).parent)
        libraries, writing = environment_errors._LIBRARIES, environment_errors._WRITING
        replaced += [
            (environment_errors, "_LIBRARIES", (*libraries, mine)),
            (environment_errors, "_WRITING", (*writing, __file__)),
        ]
    with ExitStack() as stack:
        for module, name, replacement in replaced:
            stack.enter_context(mock.patch.object(module, name, replacement))
        yield
