"""The bad inputs of `benchmarks.bad_inputs` for the training kit: losses, metrics and others."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import keras
import keras_tuner
import numpy as np

import kt_extras as kte
from benchmarks.bad_input_table import (
    INF,
    NAN,
    BadInput,
    Shown,
    X,
    Y,
    model,
    refused,
    without_directory,
)

Table = dict[str, tuple[dict[str, Any], dict[str, list[Any]]]]  # good and bad arguments by name

IGNORE: dict[str, list[Any]] = {"ignore_class": [0.5, "none"]}
COUNTS: dict[str, list[Any]] = {
    "class_counts": [
        Shown([5], "(1,)"),
        Shown(3, "()"),
        Shown([5, 0], "[5.0, 0.0]"),
        Shown([5, -1], "-1"),
        Shown([5, NAN], "nan"),
        "many",
        None,
    ]
}
WEIGHTS: dict[str, list[Any]] = {
    "weights": [
        Shown([], "(0,)"),
        Shown([1, -1], "-1"),
        Shown([0, 0], "[0.0, 0.0]"),
        Shown([1, NAN], "nan"),
        "balanced",
        None,
    ]
}
COSTS: dict[str, list[Any]] = {
    "costs": [
        Shown([0, 1], "(2,)"),
        Shown([[0, 1]], "(1, 2)"),
        Shown([[0, -1], [5, 0]], "-1"),
        Shown([[0, NAN], [5, 0]], "nan"),
        Shown([[1, 0], [0, 1]], "[[1.0, 0.0], [0.0, 1.0]]"),
        "high",
        None,
    ]
}
LOSSES: Table = {
    "AsymmetricLoss": (
        {},
        {
            "gamma_positive": [-1, "0", NAN, INF],
            "gamma_negative": [-1, "4", None],
            "margin": [1, -0.1, "0", NAN],
        },
    ),
    "BalancedSoftmax": ({"class_counts": [5, 3]}, {**COUNTS, **IGNORE}),
    "ExpectedCostLoss": ({"costs": [[0, 1], [5, 0]]}, {**COSTS, **IGNORE}),
    "LDAM": (
        {"class_counts": [5, 3]},
        {**COUNTS, "max_margin": [-1, NAN, "0.5"], "scale": [0, INF, "30"]},
    ),
    "LogitAdjustedCrossentropy": ({"class_counts": [5, 3]}, {**COUNTS, "tau": [-1, "1", NAN]}),
    "PinballLoss": ({}, {"quantiles": [0, 1, "0.5", NAN, None, Shown([0.5, 1.5], "1.5")]}),
    "Poly1Crossentropy": ({}, {"epsilon": [-2, "1", NAN], **IGNORE}),
    "SoftFBetaLoss": ({}, {"beta": [0, -1, "1", INF], "average": ["mean", None], **IGNORE}),
    "SparseFocalCrossentropy": (
        {},
        {"alpha": [-1, "0.25", Shown([0.5, NAN], "nan")], "gamma": [-1, "2", NAN, None]},
    ),
    "SparseSmoothedCrossentropy": ({}, {"label_smoothing": [-0.1, 1.5, "0.1", NAN, None]}),
    "WeightedBinaryCrossentropy": ({"weights": [1, 2]}, WEIGHTS),
    "WeightedCrossentropy": ({"weights": [1, 2]}, {**WEIGHTS, **IGNORE}),
}
CLASSES: dict[str, list[Any]] = {"num_classes": [0, -1, 1.5, "2", None]}
THRESHOLD: dict[str, list[Any]] = {**CLASSES, "threshold": ["half", NAN], **IGNORE}
METRICS: Table = {
    **{
        name: ({"num_classes": 2}, THRESHOLD)
        for name in (
            "BalancedAccuracy",
            "GeometricMean",
            "MatthewsCorrelationCoefficient",
            "Specificity",
        )
    },
    "BrierScore": ({"num_classes": 2}, {**CLASSES, **IGNORE}),
    "CohenKappa": ({"num_classes": 2}, {**CLASSES, "weighting": ["cubic", 3]}),
    "ExpectedCalibrationError": (
        {"num_classes": 2},
        {**CLASSES, "n_bins": [0, 1.5, "15"], "strategy": ["equal"], "of": ["top"]},
    ),
    "ExpectedCost": ({"num_classes": 2, "costs": [[0, 1], [5, 0]]}, {**COSTS, **IGNORE}),
    "F1Score": ({"num_classes": 3}, {**CLASSES, "average": ["mean", None]}),
    "MultiLabel": (
        {"metric": keras.metrics.AUC(), "num_labels": 2},
        {"metric": ["auc", None], "num_labels": [0, 1.5, "2"], "average": ["mean"]},
    ),
    "Refinement": ({"num_classes": 2}, {**CLASSES, **IGNORE}),
}
CALLBACKS: Table = {
    "TimeStopping": ({}, {"seconds": [0, -1, "1h", NAN, None]}),
    "StochasticWeightAveraging": (
        {},
        {
            "start": [-0.1, 1.5, "0.75", NAN],
            "every": [0, "1"],
            "batch_size": [0],
            "steps": [0, "3"],
        },
    ),
    "ThresholdCalibration": (
        {"validation_data": (X, Y)},
        {
            "validation_data": ["data.csv", 3],
            "metric": ["f1-score", 3],
            "fit_on": ["test"],
            "every": [0, "1"],
            "batch_size": [0, 1.5],
            "seed": [-1, 1.5, "0"],
        },
    ),
    "EvaluationBoard": (
        {"log_dir": "logs", "validation_data": (X, Y)},
        {
            "log_dir": [3, None],
            "validation_data": ["data.csv", 3],
            "metric": ["f1-score"],
            "method": ["scaling"],
            "every": [0],
            "batch_size": [0],
            "seed": [-1, "0"],
        },
    ),
    "DeferredReweighting": ({}, {"epoch": [-1, 1.5, "3", None]}),
}
RATE: dict[str, list[Any]] = {"learning_rate": [0, -1, "0.1", NAN, INF, None]}
SCHEDULES: Table = {
    "Chain": (
        {"schedules": [0.1, 0.01], "durations": [5]},
        {
            "schedules": [[], Shown(["high"], "'high'"), 3],
            "durations": [Shown([0], "0"), Shown(["5"], "'5'"), Shown([5, 5, 5], "3")],
        },
    ),
    "Cyclical": (
        {"initial_learning_rate": 0.01, "maximal_learning_rate": 0.1, "step_size": 5},
        {
            "initial_learning_rate": [-1, "0", 0.2],
            "maximal_learning_rate": [0, NAN],
            "step_size": [0, 1.5, "5"],
            "policy": ["saw"],
            "gamma": [0, 1.5],
        },
    ),
    "InverseSquareRoot": ({"learning_rate": 0.1, "timescale": 5}, {**RATE, "timescale": [0, 1.5]}),
    "OneCycle": (
        {"maximal_learning_rate": 0.1, "total_steps": 10},
        {
            "maximal_learning_rate": [0, "1"],
            "total_steps": [1, 1.5],
            "pct_start": [-0.1, 1.5, "0.3"],
            "div_factor": [0.5, "25"],
            "final_div_factor": [0, NAN],
            "anneal": ["square"],
        },
    ),
    "Scaled": ({"schedule": 0.1}, {"schedule": ["high", None], "scale": [-1, "1", NAN]}),
    "WarmUp": (
        {"schedule": 0.1, "warmup_steps": 5},
        {"schedule": ["high"], "warmup_steps": [-1, 1.5], "initial_learning_rate": [-1, "0"]},
    ),
    "WarmUpStableDecay": (
        {"learning_rate": 0.1, "warmup_steps": 1, "stable_steps": 1, "decay_steps": 1},
        {
            **RATE,
            "warmup_steps": [-1],
            "stable_steps": [-1],
            "decay_steps": [0],
            "alpha": [-1, 1.5],
            "shape": ["square"],
        },
    ),
    "cosine_restarts": (
        {"learning_rate": 0.1, "total_steps": 10, "cycles": 2},
        {**RATE, "total_steps": [0], "cycles": [0, "2"], "growth": [0.5, "2", NAN], "alpha": [2]},
    ),
    "step_decay": ({"learning_rate": 0.1, "every": 5}, {**RATE, "every": [0], "factor": [0, 1.5]}),
    "tunable": (
        {"hp": keras_tuner.HyperParameters(), "steps_per_epoch": 5, "epochs": 5},
        {
            "steps_per_epoch": [0, 1.5],
            "epochs": [0, "5"],
            "learning_rate": [0, "0.1", Shown((0.1, 0.01), "0.1"), Shown((0.1,), "0.1")],
            "families": ["cosine", [], Shown(["cosin"], "cosin"), 3],
            "hp": [None, {"a": 1}],
        },
    ),
}
LABELS = [0, 0, 0, 0, 1, 1]
CLASSIFIER = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
IMBALANCE: Table = {
    "class_weights": (
        {"y": LABELS},
        {
            "scheme": ["balance", None],
            "beta": [-0.1, 1, "0.9", NAN],
            "num_classes": [0, 1.5, "2"],
            "absent": [-1, NAN, "1"],
            "y": [Shown([], "(0,)"), Shown([0.5, 1], "0.5"), Shown([0, -1], "-1")],
        },
    ),
    "BalancedBatches": (
        {"x": np.ones((6, 2)), "y": LABELS},
        {
            "batch_size": [0, 1.5, "32"],
            "ratio": [0, -1, "1", NAN, Shown({9: 1.0}, "9"), Shown({0: -1.0, 1: 1.0}, "-1")],
            "epoch_size": [0, "9"],
            "seed": [-1, 1.5, "0"],
            "first_epoch": [-1, "0"],
            "y": [Shown([0] * 6, "one class"), Shown([0, 1], "2")],
            "sample_weight": [Shown([1.0], "1")],
        },
    ),
    "resample": (
        {"x": np.ones((6, 2)), "y": LABELS, "method": "random_over"},
        {
            "method": ["smot", None],
            "ratio": [0, 1.5, "1", NAN],
            "k_neighbors": [0, 1.5, "5"],
            "seed": [-1, 1.5, "0"],
        },
    ),
    "cost_matrix": (
        {"costs": {(0, 1): 5.0}, "num_classes": 2},
        {
            "num_classes": [1, 1.5, "2"],
            "costs": [Shown({(0, 9): 1.0}, "9"), 3, Shown({0: 1.0}, "0")],
            "default": [-1, NAN, "1"],
        },
    ),
    "checked_costs": ({}, COSTS),
    "class_weight_dict": ({}, WEIGHTS),
    "effective_numbers": ({"counts": [5, 3]}, {"beta": [-0.1, 1, "0.9", NAN]}),
    "gini_index": ({}, {"counts": [Shown([5, -1], "-1"), Shown([0, 0], "[0.0, 0.0]"), "many"]}),
    "entropy": ({"counts": [5, 3]}, {"base": [1, 0, -1, NAN, "e"]}),
    "Mixer": (
        {"hp": keras_tuner.HyperParameters()},
        {
            "methods": ["mixup", Shown(["mixups"], "mixups"), []],
            "alpha": [0, "0.2", Shown((1.0, 0.1), "(1.0, 0.1)"), NAN],
            "num_classes": [1, 1.5],
            "seed": [-1, "0"],
        },
    ),
    "Resampler": (
        {"hp": keras_tuner.HyperParameters()},
        {
            "methods": ["smote", Shown(["smot"], "smot"), []],
            "ratio": [0, 1.5, "1", Shown((1.0, 0.2), "(1.0, 0.2)"), NAN],
            "k_neighbors": [0, 1.5, "5"],
            "seed": [-1, "0"],
        },
    ),
}
SCORES = [0.1, 0.2, 0.3, 0.4, 0.6, 0.7]
FITTED = {"y_true": LABELS, "y_score": SCORES}
CALIBRATION: Table = {
    "FBeta": ({}, {"beta": [0, -1, "1", NAN, INF]}),
    "PrecisionAtRecall": ({}, {"recall": [0, 1.5, "0.9", NAN]}),
    "RecallAtPrecision": ({}, {"precision": [0, 1.5, "0.9", NAN]}),
    "ExpectedCost": ({}, {"costs": [Shown([0, 1], "(2,)"), Shown([[0, NAN], [1, 0]], "nan")]}),
    "TemperatureScaling": ({"exclusive": True}, {"temperature": [0, -1, "1", NAN]}),
    "Decision": ({}, {"thresholds": ["half", NAN, None, Shown([0, 1], "0")]}),
    "criterion_of": ({}, {"metric": ["f1-score", 3, None]}),
    "fit_thresholds": (
        FITTED,
        {
            "metric": ["f1-score", 3],
            "y_true": [Shown([0, 1], "2"), Shown([0] * 6, "class"), Shown([0.5] * 6, "0.5")],
            "y_score": [Shown([NAN] * 6, "NaN"), Shown(["a"] * 6, "a")],
            "sample_weight": [Shown([1.0], "(1,)"), Shown([-1.0] * 6, "-1")],
        },
    ),
    "fit_calibration": (
        {"y_true": LABELS, "outputs": SCORES},
        {"method": ["scaling", 3], "outputs": [Shown([1.5] * 6, "1.5")]},
    ),
    "expected_calibration_error": (
        {"y_true": LABELS, "y_prob": SCORES},
        {
            "n_bins": [0, 1.5, "15"],
            "strategy": ["equal"],
            "of": ["top"],
            "y_prob": [Shown([1.5] * 6, "1.5")],
        },
    ),
    "calibrate": (
        {
            "model": CLASSIFIER,
            "x_cal": np.ones((6, 2)),
            "y_cal": LABELS,
        },
        {
            "model": ["model", None],
            "method": ["scaling"],
            "threshold": ["half", -INF],
            "batch_size": [0, 1.5, "256"],
        },
    ),
}
OPTIMIZERS: Table = {
    "differential": (
        {"optimizer": keras.optimizers.SGD(), "factors": {"dense": 0.1}},
        {
            "optimizer": [3, None],
            "factors": [Shown({"dense": -1}, "-1"), Shown({"dense": "a"}, "'a'"), 3],
        },
    ),
    "scale_learning_rate": (
        {"optimizer": keras.optimizers.SGD(), "by": 0.5},
        {"by": [0, -1, "0.5", NAN], "optimizer": ["sgd", None]},
    ),
    "with_learning_rate": (
        {"optimizer": keras.optimizers.SGD(), "rate": 0.5},
        {"rate": [-1, "high", NAN], "optimizer": [3, None]},
    ),
}
KIT = {
    "losses": LOSSES,
    "metrics": METRICS,
    "callbacks": CALLBACKS,
    "schedules": SCHEDULES,
    "imbalance": IMBALANCE,
    "calibration": CALIBRATION,
    "optimizers": OPTIMIZERS,
}


def kit() -> Iterator[BadInput]:
    """Yield the bad inputs of losses, metrics, callbacks, schedules and the rest of the kit."""
    for room, table in KIT.items():
        for name, (good, bad) in table.items():
            make = without_directory(getattr(getattr(kte, room), name), **good)
            yield from refused(room, name, make, bad)
    bad = {
        "low": [0, "1", NAN],
        "high": [1e-9, NAN],
        "steps": [1, 1.5],
        "divergence": [0, "3"],
        "model": ["model", None],
    }
    make = functools.partial(kte.callbacks.learning_rate_range_test)
    make = without_directory(make, model=model(), x=np.ones((8, 2)), y=np.ones((8, 1)))
    yield from refused("callbacks", "learning_rate_range_test", make, bad)
