"""The bad inputs of `benchmarks.bad_inputs`: who is called, with which argument, and its value."""

from __future__ import annotations

import contextlib
import functools
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import keras_tuner
import numpy as np
import tensorflow as tf

import kt_extras as kte

NAME = "project"  # of every search here
NAN, INF = math.nan, math.inf
LOSS = keras_tuner.Objective("loss", "min")
X, Y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")


@dataclass(frozen=True)
class BadInput:
    """One call that must be refused.

    Args:
        kind: The group in which it is counted.
        called: What is called.
        argument: The argument that is wrong.
        value: What it is given.
        call: Calls it; takes the directory of a search that is new.
        shown: What the error must show of the value.
        trials: Trials on record before the call.  Defaults to 0.
        also: What the error must show besides, such as the name of a hyperparameter.
    """

    kind: str
    called: str
    argument: str
    value: Any
    call: Callable[[str], Any] = field(repr=False)
    shown: str
    trials: int = 0
    also: str = ""

    def __str__(self) -> str:
        return f"{self.called}({self.argument}={self.shown})"


@dataclass(frozen=True)
class Shown:
    """A value of which an error shows something else than its `repr`."""

    value: Any
    text: str


def refused(
    kind: str, called: str, make: Callable[..., Any], bad: dict[str, list[Any]], **more: Any
) -> Iterator[BadInput]:
    """Yield a bad input for each value of each argument; `make` takes the directory as well."""
    for argument, values in bad.items():
        for given in values:
            value = given.value if isinstance(given, Shown) else given
            shown = given.text if isinstance(given, Shown) else repr(given)
            call = functools.partial(make, **{argument: value})
            yield BadInput(kind, called, argument, value, call, shown, **more)


def without_directory(make: Callable[..., Any], **good: Any) -> Callable[..., Any]:
    """Return a function that takes a directory and does not use it."""
    return lambda _, **bad: make(**{**good, **bad})


def model() -> keras.Model:
    """Return the one model that all searches here train."""
    return _MODEL


_MODEL = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
_MODEL.compile("sgd", "mse")


def build(hp: Any) -> keras.Model:
    """Declare two hyperparameters and build nothing."""
    hp.Int("units", 1, 8)
    hp.Float("rate", 1e-3, 1e-1, sampling="log")
    return model()


def tuner(folder: str, preset: str = "TPE", **bad: Any) -> Any:
    """Return a tuner with good arguments, and with the bad ones in their place."""
    good: dict[str, Any] = {"objective": LOSS, "directory": folder, "project_name": NAME}
    return getattr(kte, preset)(**{"hypermodel": build, "seed": 0, **good, **bad})


def preset(name: str) -> Callable[..., Any]:
    """Return what makes a tuner of that name."""
    return functools.partial(tuner, preset=name)


def general(folder: str, **bad: Any) -> Any:
    """Return the general tuner."""
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=LOSS, max_trials=2)
    good = {"oracle": oracle, "hypermodel": build, "directory": folder, "project_name": NAME}
    return kte.Tuner(**{**good, **bad})


# The tuners and what decides in them.

COUNT = [0, -1, 1.5, "3", True, NAN]
FLAG = ["no", 1, None]
ORACLE: dict[str, list[Any]] = {
    "objective": [
        3,
        [],
        "val_acuracy",
        Shown([3], "3"),
        Shown(keras_tuner.Objective("f", "up"), "'up'"),
    ],
    "seed": [-1, 1.5, "0", True, NAN],
    "hyperparameters": [{"units": 3}, "units"],
    "allow_new_entries": FLAG,
    "tune_new_entries": FLAG,
    "max_retries_per_trial": [-1, 1.5, "1", None, True],
    "max_consecutive_failed_trials": [0, -1, 1.5, None, "3"],
    "max_time": [0, -1, "1h", NAN, INF],
    "max_total_epochs": COUNT,
    "target": [NAN, INF, "0.9", True],
    "max_trials_without_improvement": COUNT,
    "max_failure_fraction": [0, 1.5, -0.1, "0.5", NAN],
    "prior": [
        3,
        "units",
        Shown({"units": None}, "None"),
        Shown({"units": {8: -1}}, "-1"),
        Shown({"units": [8]}, "[8]"),
    ],
    "try_defaults": FLAG,
    "warm_start": [
        "runs/old",
        3,
        Shown([3], "3"),
        Shown([("old", "runs")], "'runs'"),
        Shown([[({"units": 8}, "good")]], "'good'"),
        Shown(["old", "old"], "'old'"),
    ],
}
TRIALS: dict[str, list[Any]] = {"max_trials": COUNT}
TUNER: dict[str, list[Any]] = {
    "resume": ["yes", True, None],
    "keep_checkpoints": [0, -1, 1.5, "some", None, True],
    "constraint": ["small", 3],
    "directory": [3, ["runs"], "s3://bucket/runs"],
    "project_name": [3, b"runs", ["runs"], ".", "..", "../runs", "/", "/runs", "a/../../b", "a\0b"],
    "overwrite": ["no", 1, None],
    "executions_per_trial": [0, 1.5, "2", None, True],
    "max_model_size": [0, -1, 1.5, "1e6", True],
    "distribution_strategy": ["mirrored", 2],
    "storage": [
        3,
        "runs.db",
        "mysql://host/db",
        Shown("sqlite+nodriver:///runs.db", "sqlite+nodriver"),
        Shown(b"sqlite:///a.db", "a bytes"),
    ],
    "optimizer": [3, "addam"],
    "loss": [3, "msse"],
    "metrics": [3, "acuracy"],  # codespell:ignore acuracy
}
HALVING: dict[str, list[Any]] = {
    "max_epochs": [0, -1, 1.5, "27", None, True],
    "min_epochs": [0, 1.5, "1", None, 99],
    "reduction_factor": [1, 0, 2.5, "3", None],
}
POPULATION: dict[str, list[Any]] = {
    "population_size": [1, 0, 2.5, "8", None],
    "max_epochs": [1, 0, 1.5, "20", None],
    "interval": [0, -1, 1.5, "2", 99],
    "quantile": [0, 0.6, -0.1, "0.25", NAN, None],
    "resample_probability": [-0.1, 1.5, "0.25", NAN, None],
    "perturbation_factors": [1.2, (0, 1.2), (0.8,), (1.2, 0.8, 1), ("a", "b"), None, (NAN, 1.2)],
    "mutable": ["rate", [3], 3],
}
SAMPLERS: dict[str, dict[str, list[Any]]] = {
    "Sobol": {"seed": [-1, 1.5, "0", None]},
    "TPE": {
        "n_startup_trials": [0, 1.5, "10", None],
        "candidates": [0, 1.5, "16"],
        "quantile": [0, 1, -0.1, "0.2", NAN],
        "prior_weight": [0, -1, "1", NAN, INF],
        "multivariate": FLAG,
    },
    "Evolution": {
        "population_size": [1, 1.5, "20", None],
        "tournament_size": [0, 21, 1.5, "3"],
        "crossover_probability": [-0.1, 1.5, "0.5", NAN],
        "mutations": [0, -1, "1", NAN, INF],
        "scales": [0.1, (0, 0.3), (0.3, 0.03), ("a", "b"), (0.1,), None, (NAN, 1)],
        "startup_sampler": ["sobol", None, Shown(kte.samplers.Sobol, "Sobol")],
    },
    "CMAES": {"population_size": [3, 4.5, "8"], "sigma": [0, 1.5, "0.1", NAN]},
    "BayesianOptimization": {
        "n_startup_trials": [0, 1.5, "10"],
        "noise": [0, -1, "1", NAN, INF],
        "exploration": [-1, "2", NAN, INF],
    },
    "RandomForest": {
        "n_startup_trials": [0, "10"],
        "trees": [1, 1.5],
        "candidates": [1, 1.5],
        "random_fraction": [-0.1, 1.5, "0.2", NAN],
    },
    "GaussianProcess": {
        "n_startup_trials": [0, "10"],
        "candidates": [1, 1.5],
        "exploration": [-1, "2", NAN, INF],
        "random_fraction": [-0.1, 1.5, "0.2", NAN],
    },
    "LargestBudget": {
        "inner": ["tpe", None],
        "random_fraction": [-0.1, 1.5, "0.2"],
        "n_min_trials": [0, 1.5, "3"],
    },
    "Distinct": {"inner": ["tpe", None], "attempts": [0, 1.5]},
    "Exhaustive": {"inner": ["tpe", None], "limit": [0, "9"]},
}
PRUNERS: dict[str, dict[str, list[Any]]] = {
    "MedianPruner": {
        "n_startup_trials": [-1, 1.5, "5", None],
        "n_warmup_steps": [-1, 1.5],
        "interval_steps": [0, "1"],
        "n_min_trials": [0, 1.5],
    },
    "PercentilePruner": {"percentile": [-1, 101, "25", NAN, None]},
    "PatientPruner": {
        "inner": ["median", Shown(kte.MedianPruner, "MedianPruner")],
        "patience": [0, 1.5, "5"],
        "min_delta": [-1, "0", NAN, INF],
    },
    "ThresholdPruner": {
        "lower": ["0", NAN, 2.0],
        "upper": ["1", NAN],
        "n_warmup_steps": [-1],
        "interval_steps": [0],
    },
}


def searches() -> Iterator[BadInput]:
    """Yield the bad inputs of tuners, oracles, samplers, pruners and schedulers."""
    own = {
        "TPE": {**ORACLE, **TRIALS, **TUNER, "pruner": ["median", kte.MedianPruner]},
        "Evolution": {"population_size": [1, 2.5, "20"], "tournament_size": [0, 99, "3"]},
        "ASHA": {**HALVING, "mode": ["sync", None], "sampler": ["bayes", 3, None]},
        "BOHB": {**HALVING, "iterations": [0, 1.5, "1"], "sampler": ["bayes", 3]},
        "PBT": {
            **POPULATION,
            "max_trials": [9],
            "pruner": ["median"],
            "sampler": ["bayes"],
        },
    }
    for name, bad in own.items():
        yield from refused("tuners", name, preset(name), bad)
        yield from refused("tuners", name, preset(name), {"max_trails": [Shown(9, "max_trails")]})
        yield from refused("tuners", name, preset(name), {"executions_per_trial": [0, "2"]})
    yield from refused("tuners", "Tuner", general, {"oracle": ["tpe", None], "hypermodel": [None]})
    yield from refused(
        "tuners",
        "Tuner",
        general,
        {
            "hypermodel": [3, "model", model(), Shown(keras_tuner.HyperModel, "HyperModel")],
            "epochs": [Shown(3, "epochs")],
        },
    )
    for name in ("ASHA", "BOHB", "PBT"):
        yield from refused("tuners", name, preset(name), {"executions_per_trial": [2]})
    for name in ("TPEOracle", "EvolutionOracle", "ASHAOracle", "BOHBOracle", "PBTOracle"):
        make = without_directory(getattr(kte, name), objective=LOSS)
        yield from refused(
            "oracles",
            name,
            make,
            {"seed": [-1], "max_time": ["1h"], "trials": [Shown(3, "trials")]},
        )
    make = without_directory(kte.SamplerOracle, sampler=kte.samplers.Random(), objective=LOSS)
    bad = {**ORACLE, **TRIALS, "sampler": ["tpe", kte.samplers.TPE, None, 3]}
    bad |= {"pruner": ["median", 3], "scheduler": ["asha", kte.schedulers.Hyperband, 3]}
    yield from refused("oracles", "SamplerOracle", make, bad)
    yield from parts()


def parts() -> Iterator[BadInput]:
    """Yield the bad inputs of samplers, pruners and schedulers."""
    good = {"Distinct": {"inner": kte.samplers.Random()}, "PercentilePruner": {"percentile": 50}}
    good |= {"Exhaustive": good["Distinct"], "ThresholdPruner": {"upper": 1.0}}
    for kind, table in (("samplers", SAMPLERS), ("pruners", PRUNERS)):
        for name, bad in table.items():
            make = without_directory(getattr(getattr(kte, kind), name), **good.get(name, {}))
            yield from refused(kind, name, make, bad)
    for value in ("median", None, kte.MedianPruner):
        call = functools.partial(lambda given, _: kte.AnyOf(given), value)
        yield BadInput("pruners", "AnyOf", "pruners", value, call, repr(value))
    schedulers = kte.schedulers
    make = without_directory(schedulers.SuccessiveHalving, max_epochs=27)
    bad = {**HALVING, "mode": ["sync", 3], "forecaster": ["gp", 3]}
    yield from refused("schedulers", "SuccessiveHalving", make, bad)
    make = without_directory(schedulers.Hyperband, max_epochs=27)
    yield from refused("schedulers", "Hyperband", make, {**HALVING, "iterations": [0, "1"]})
    make = without_directory(schedulers.Population, population_size=8, max_epochs=20)
    population = {**POPULATION, "max_epochs": [0, 1.5, "20", None]}
    yield from refused("schedulers", "Population", make, population)


# The space, and the points in it.

DECLARED: list[tuple[str, str, Callable[[Any], Any], str]] = [
    ("Choice", "values", lambda hp: hp.Choice("a", [1.0, INF]), "inf"),
    ("Choice", "values", lambda hp: hp.Choice("a", [1.0, NAN]), "nan"),
    ("Choice", "values", lambda hp: hp.Choice("a", []), "[]"),
    ("Choice", "values", lambda hp: hp.Choice("a", [1, "b"]), "[1, 'b']"),
    ("Choice", "values", lambda hp: hp.Choice("a", [None, None]), "None"),
    ("Choice", "values", lambda hp: hp.Choice("a", [(1, 2), (3, 4)]), "(1, 2)"),
    ("Choice", "default", lambda hp: hp.Choice("a", [1, 2], default=3), "3"),
    ("Choice", "default", lambda hp: hp.Choice("a", [1.0, 2.0], default=NAN), "nan"),
    ("Choice", "ordered", lambda hp: hp.Choice("a", ["b", "c"], ordered=True), "True"),
    ("Fixed", "value", lambda hp: hp.Fixed("a", INF), "inf"),
    ("Fixed", "value", lambda hp: hp.Fixed("a", -INF), "-inf"),
    ("Fixed", "value", lambda hp: hp.Fixed("a", NAN), "nan"),
    ("Fixed", "value", lambda hp: hp.Fixed("a", np.float64("nan")), "nan"),
    ("Fixed", "value", lambda hp: hp.Fixed("a", None), "None"),
    ("Fixed", "value", lambda hp: hp.Fixed("a", [1, 2]), "[1, 2]"),
    ("Float", "max_value", lambda hp: hp.Float("a", 0.0, INF), "inf"),
    ("Float", "min_value", lambda hp: hp.Float("a", -INF, 1.0), "-inf"),
    ("Float", "min_value", lambda hp: hp.Float("a", NAN, 1.0), "nan"),
    ("Float", "max_value", lambda hp: hp.Float("a", 0.0, NAN), "nan"),
    ("Float", "min_value", lambda hp: hp.Float("a", 2.0, 1.0), "2.0"),
    ("Float", "min_value", lambda hp: hp.Float("a", 0.0, 1.0, sampling="log"), "0.0"),
    ("Float", "min_value", lambda hp: hp.Float("a", "low", 1.0), "low"),
    ("Float", "step", lambda hp: hp.Float("a", 0.0, 1.0, step=0), "0"),
    ("Float", "step", lambda hp: hp.Float("a", 0.0, 1.0, step=-0.1), "-0.1"),
    ("Float", "step", lambda hp: hp.Float("a", 0.0, 1.0, step=NAN), "nan"),
    ("Float", "step", lambda hp: hp.Float("a", 0.1, 1.0, step=0.5, sampling="log"), "0.5"),
    ("Float", "step", lambda hp: hp.Float("a", 0.0, 1.0, step=INF), "inf"),
    ("Float", "default", lambda hp: hp.Float("a", 0.0, 1.0, default=NAN), "nan"),
    ("Float", "default", lambda hp: hp.Float("a", 0.0, 1.0, default=INF), "inf"),
    ("Float", "default", lambda hp: hp.Float("a", 0.0, 1.0, default="b"), "'b'"),
    ("Float", "sampling", lambda hp: hp.Float("a", 0.1, 1.0, sampling="ln"), "'ln'"),
    ("Int", "min_value", lambda hp: hp.Int("a", 1.5, 8), "1.5"),
    ("Int", "max_value", lambda hp: hp.Int("a", 1, "b"), "'b'"),
    ("Int", "max_value", lambda hp: hp.Int("a", 1, INF), "inf"),
    ("Int", "min_value", lambda hp: hp.Int("a", NAN, 8), "nan"),
    ("Int", "min_value", lambda hp: hp.Int("a", 9, 8), "9"),
    ("Int", "max_value", lambda hp: hp.Int("a", 1, 10**30), "10000"),
    ("Int", "step", lambda hp: hp.Int("a", 1, 8, step=0), "0"),
    ("Int", "step", lambda hp: hp.Int("a", 1, 8, step=1.5), "1.5"),
    ("Choice", "values", lambda hp: hp.Choice("a", "relu"), "'relu'"),
    ("Int", "default", lambda hp: hp.Int("a", 1, 8, default=NAN), "nan"),
    ("Int", "sampling", lambda hp: hp.Int("a", 1, 8, sampling=3), "3"),
    ("Boolean", "default", lambda hp: hp.Boolean("a", default="yes"), "'yes'"),
    ("Boolean", "default", lambda hp: hp.Boolean("a", default=None), "None"),
]


def declared(directory: str, declare: Callable[[Any], Any], *, branch: bool) -> None:
    """Search a space that is declared so, at once or only where another hyperparameter is True."""

    def build(hp: Any) -> keras.Model:
        deep = hp.Boolean("deep") if branch else True
        with hp.conditional_scope("deep", [True]) if branch else contextlib.nullcontext():
            if deep:
                declare(hp)
        return model()

    tuner(directory, hypermodel=build, max_trials=3).search(X, Y, verbose=0)


def spaces() -> Iterator[BadInput]:
    """Yield bad declarations of hyperparameters, bad dimensions and bad points."""
    for branch in (False, True):
        for what, argument, declare, shown in DECLARED:
            call = functools.partial(declared, declare=declare, branch=branch)
            place = f"hp.{what}{' in a branch' * branch}"
            yield BadInput("hyperparameters", place, argument, shown, call, shown, also="'a'")
    search = kte.search
    make = without_directory(search.Float, name="a", low=0.1, high=1.0)
    bad: dict[str, list[Any]] = {"low": [NAN, 2.0, "0"], "high": [INF, "1"], "step": [0, "1", NAN]}
    yield from refused("dimensions", "Float", make, {**bad, "sampling": ["ln", None]}, also="'a'")
    make = without_directory(search.Int, name="a", low=1, high=8)
    bad = {"low": [9, 1.5, "1", NAN], "high": [INF, 2.5], "step": [0, 1.5, "1"]}
    yield from refused("dimensions", "Int", make, bad, also="'a'")
    make = without_directory(search.Choice, name="a", options=(1, 2))
    bad = {"options": [(), Shown((1.0, NAN), "nan"), Shown((1.0, INF), "inf")]}
    yield from refused("dimensions", "Choice", make, bad, also="'a'")
    make = without_directory(search.Fixed, name="a")
    yield from refused("dimensions", "Fixed", make, {"value": [NAN, INF]}, also="'a'")
    values = [3, "units", None, [3], {"unit": 3}, {"units": 99}, {"units": "3"}, {"units": NAN}]
    values += [{"rate": INF}, {"rate": None}, {"units": [3]}, {3: 3}]
    make = enqueued(build)
    parts_of = [
        "3",
        "'units'",
        "None",
        "3",
        "'unit'",
        "99",
        "'3'",
        "nan",
        "inf",
        "None",
        "[3]",
        "3",
    ]
    shown = [Shown(value, text) for value, text in zip(values, parts_of, strict=True)]
    yield from refused("points", "enqueue", make, {"values": shown})
    undeclared = [{"units": NAN}, {"units": object}, {"units": [1]}, {3: 3}]
    texts = ["nan", "object", "[1]", "3"]
    shown = [Shown(value, text) for value, text in zip(undeclared, texts, strict=True)]
    yield from refused("points", "enqueue", enqueued(None), {"values": shown})
    of_elsewhere = {
        "values": [
            3,
            None,
            Shown({}, "units"),
            Shown({"unit": 3}, "'unit'"),
            Shown(values[5], "99"),
        ],
        "score": [NAN, INF, None, "0.5", True],
        "curve": [0.5, [], "0.5", Shown([None], "None")],
    }
    yield from refused("points", "add_trial", added, of_elsewhere)
    fitting = {
        "prior": [Shown({"unit": 8}, "'unit'"), Shown({"units": 99}, "99")],
        "warm_start": [Shown([[({"units": 8}, NAN)]], "1 trials")],
    }
    yield from refused("points", "TPE", unfitting, fitting)


class Returning(kte.Tuner):
    """Trains nothing; declares its only hyperparameter in a trial."""

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> float:
        """Return what is to be minimised."""
        return float(trial.hyperparameters.Float("a", 0, 1))


def returning(directory: str, hypermodel: Any = None) -> Any:
    """Return a tuner that trains nothing."""
    oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=2, seed=0)
    return Returning(oracle, hypermodel, directory=directory, project_name=NAME)


def added(directory: str, **given: Any) -> None:
    """Put a trial on record that was trained elsewhere."""
    good = {"values": {"units": 8, "rate": 0.01}, "score": 0.5}
    tuner(directory).add_trial(**{**good, **given})


def unfitting(directory: str, **given: Any) -> None:
    """Make a tuner whose prior or earlier search does not fit."""
    tuner(directory, preset="TPE", **given)


def enqueued(hypermodel: Any) -> Callable[..., Any]:
    """Return what enqueues values."""

    def enqueue(directory: str, values: Any) -> None:
        made = returning(directory) if hypermodel is None else tuner(directory)
        made.enqueue(values)

    return enqueue


# The arguments of `search` and of `refit`.

SEQUENCES = [(X,), (X, Y, Y[:, 0], Y)]
FIT: dict[str, list[Any]] = {
    "epoch": [Shown(3, "epoch")],
    "batchsize": [Shown(4, "batchsize")],
    "validation": [Shown((X, Y), "validation")],
    "call_backs": [Shown([], "call_backs")],
    "lr": [Shown(0.1, "lr")],
    "epochs": [0, -1, 1.5, "3", None, True],
    "initial_epoch": [-1, 1.5, "0", 9],
    "batch_size": [0, -1, 1.5, "32", True],
    "validation_split": [1.0, 1.5, -0.1, "0.2", NAN, True],
    "steps_per_epoch": [0, -2, "3"],
    "validation_steps": [0, -2, "3"],
    "validation_freq": [0, -1, 1.5, "1", ["1"]],
    "validation_batch_size": [0, -1, 1.5, "3"],
    "verbose": ["loud", -1, 1.5, [1]],
    "class_weight": [[1.0, 2.0], "balanced", {0: "a"}, {"a": 1.0}, {0: NAN}, {0: -1.0}],
    "sample_weight": ["balanced", 3, Shown(np.ones(4), "4"), Shown(np.ones(0), "0")],
    "shuffle": ["no"],
    "x": ["data.csv", 3, Shown(X[:4], "4"), Shown(X[:0], "0"), Shown([X, X[:4]], "4")],
    "y": ["labels", 3, Shown(Y[:4], "4"), Shown(Y[:0], "0"), Shown({"a": Y, "b": Y[:3]}, "3")],
    "validation_data": [
        "data.csv",
        3,
        Shown((), "0 elements"),
        Shown((X,) * 4, "4 elements"),
        Shown((X, Y[:4]), "4"),
        Shown((X[:0], Y[:0]), "0"),
        Shown((X, Y, np.ones(3)), "3"),
        0.2,
    ],
    "callbacks": [
        "stop",
        Shown([1], "got 1"),
        3,
        {"stop": 1},
        Shown([None], "got None"),
        Shown(["early"], "got 'early'"),
        Shown([keras.callbacks.EarlyStopping], "EarlyStopping"),
        Shown(keras.callbacks.EarlyStopping, "EarlyStopping"),
        Shown(lambda: [], "lambda"),
    ],
}
SCHEDULED: dict[str, list[Any]] = {"epochs": [3], "initial_epoch": [1], "validation_freq": [0]}


def searched(directory: str, preset: str = "TPE", **bad: Any) -> None:
    """Search with good arguments of `fit`, and with the bad ones in their place."""
    tuner(directory, preset, max_trials=3).search(**{"x": X, "y": Y, "verbose": 0, **bad})


def with_data_set(directory: str, **bad: Any) -> None:
    """Search with a data set, to which some arguments do not apply."""
    tuner(directory, max_trials=3).search(**{"x": batches(2), "verbose": 0, **bad})


def batches(number: int) -> tf.data.Dataset:
    """Return a data set of at most two batches."""
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4).take(number)


def endless(directory: str, **bad: Any) -> None:
    """Search with data sets that say they repeat for ever; they end with an error of their own."""
    data = batches(2).apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    good = {"steps_per_epoch": 1, "validation_data": data, "validation_steps": 1}
    tuner(directory, max_trials=3).search(data, verbose=0, **{**good, **bad})


def with_one_row(directory: str, **bad: Any) -> None:
    """Search with a single row."""
    tuner(directory, max_trials=3).search(X[:1], Y[:1], verbose=0, **bad)


def positional(*arguments: Any) -> Callable[[str], None]:
    """Return a search with arguments by position."""
    return lambda directory: tuner(directory, max_trials=3).search(*arguments)


def unvalidated(directory: str, **bad: Any) -> None:
    """Search for a validation metric without validation data."""
    tuner(directory, objective="val_loss", max_trials=3).search(X, Y, verbose=0, **bad)


@functools.cache
def searched_once() -> Any:
    """Return a tuner with one finished trial, that was not trained."""
    made = tuner(tempfile.mkdtemp(), max_trials=1)
    trial = made.oracle.create_trial("worker")
    made.oracle.update_trial(trial.trial_id, {"loss": 0.5}, step=0)
    trial.status = "COMPLETED"
    made.oracle.end_trial(trial)
    return made


def refit(_: str, **bad: Any) -> None:
    """Train the best model once more."""
    searched_once().refit(**{"x": X, "y": Y, "verbose": 0, **bad})


def fits() -> Iterator[BadInput]:
    """Yield the bad inputs of `search` and of `refit`."""
    yield from refused("search", "search", searched, FIT)
    for name in ("ASHA", "PBT"):
        make = functools.partial(searched, preset=name)
        if name == "PBT":
            make = population
        yield from refused("search", f"{name}.search", make, {**SCHEDULED, "batch_size": [0]})
    bad = {"y": [Shown(Y, "y")], "validation_split": [0.2], "sample_weight": [Shown(Y, "weight")]}
    bad |= {name: [Shown(batches(0), "0 batches")] for name in ("x", "validation_data")}
    yield from refused("search", "search of a data set", with_data_set, bad)
    bad = {"steps_per_epoch": [None], "validation_steps": [None]}
    yield from refused("search", "search of an endless data set", endless, bad)
    yield from refused("search", "search of a row", with_one_row, {"validation_split": [0.2]})
    for argument, call, shown in (
        ("batch_size", positional(X, Y, 0), "0"),
        ("epochs", positional(X, Y, 4, "3"), "'3'"),
        ("verbose", positional(X, Y, 4, 1, 0), "0"),
        ("y", positional(X, Y[:4]), "4"),
        ("x", positional(), "None"),
        ("batch_size", lambda d: tuner(d).search(X, Y, 4, batch_size=4), "4"),
    ):
        yield BadInput("search", "search by position", argument, shown, call, shown)
    yield BadInput(
        "search", "search", "objective", "val_loss", unvalidated, "val_loss", also="validation_data"
    )
    bad = {
        "epoch": [Shown(3, "epoch")],
        "epochs": [0, -1, 1.5, "3", "last", True],
        "batch_size": [0, "32"],
    }
    bad |= {"y": [Shown(Y[:4], "4")], "trial": ["0000", 0], "callbacks": [Shown([1], "got 1")]}
    yield from refused("refit", "refit", refit, bad)


def population(directory: str, **bad: Any) -> None:
    """Search with a population."""
    made = tuner(directory, "PBT", population_size=4, max_epochs=4)
    made.search(**{"x": X, "y": Y, "verbose": 0, **bad})


# What is asked of a search that has run.


def asked(method: str) -> Callable[..., Any]:
    """Return what asks a search that has run."""
    return lambda _, **bad: getattr(searched_once(), method)(**bad)


def loaded(folder: str, **bad: Any) -> None:
    """Load a search."""
    kte.load(**{"path": folder, "project_name": NAME, **bad})


def loaded_history(_: str, **bad: Any) -> None:
    """Ask for the history of a trial in results that are loaded."""
    made = searched_once()
    kte.load(made.directory, made.project_name).history(**bad)


def reported(directory: str, **bad: Any) -> None:
    """Report an epoch to an oracle."""
    made = tuner(directory)
    oracle = made.oracle
    trial = oracle.create_trial("worker")
    try:
        good = {"trial_id": trial.trial_id, "metrics": {"loss": 0.5}, "step": 0}
        oracle.update_trial(**{**good, **bad})
    finally:
        oracle.close_session()


def results() -> Iterator[BadInput]:
    """Yield the bad inputs of what is asked of a search that has run."""
    for method in ("get_best_models", "get_best_hyperparameters"):
        argument = "num_models" if method == "get_best_models" else "num_trials"
        yield from refused("results", method, asked(method), {argument: [-1, 1.5, "1"]})
    yield from refused("results", "load_model", asked("load_model"), {"trial": ["0000", None, 0]})
    best = without_directory(lambda **bad: searched_once().oracle.get_best_trials(**bad))
    yield from refused("results", "get_best_trials", best, {"num_trials": [-1, "1"]})
    schedule = kte.HyperparameterSchedule((0,), ({"rate": 0.1},), 3, ("rate",))
    make = without_directory(schedule.callbacks)
    yield from refused("results", "schedule.callbacks", make, {"targets": [Shown({"r": "x"}, "r")]})
    make = without_directory(kte.HyperparameterSchedule.from_json)
    yield from refused("results", "from_json", make, {"text": ["nonsense", 3, None]})
    yield from refused("results", "history", asked("history"), {"trial_id": ["9", 7, None, 1.5]})
    bad = {"project_name": ["..", 3, "/runs"], "path": [3], "storage": [3, "runs.db"]}
    yield from refused("results", "load", loaded, bad)
    yield from refused("results", "LoadedSearch.history", loaded_history, {"trial_id": ["9", 7]})
    metrics = [Shown({"loss": "low"}, "'low'"), Shown({"loss": None}, "None"), Shown(0.5, "0.5")]
    bad = {"trial_id": ["9999"], "step": [-1, 1.5, "0"], "metrics": metrics}
    yield from refused("reports", "update_trial", reported, bad, trials=1)
