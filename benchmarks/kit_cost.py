"""What callbacks and metrics add to an epoch, and what losses cost a step beside Keras' own.

The networks, data and batches are those of examples/imbalance.py (an MLP for two classes) and
examples/quickstart.py (a CNN for ten).  All is processor time.

*Losses, metrics*: every variant is a model of its own, traced before; they take turns with a few
steps of Keras' own training function each, and the difference from the bare model is taken within
a round.  A variant called "nothing, again" is the bare model once more: how far it is from 0 is how
far the others may be off.  What a metric adds to an epoch is what it adds to a step, times
the steps of the epoch; with validation data, with those of the validation too.

*Callbacks*: two clocks stand around the callback in the list of `fit`, and what passes between
them is its own, hook by hook.  "Once" is what the beginning and end of a training and its
first epoch take beside that.

    python -m benchmarks.kit_cost --rounds 15
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from statistics import mean, median, quantiles
from typing import Any, NamedTuple

EXAMPLES = ("imbalance", "quickstart")
PARTS = ("losses", "metrics", "callbacks")
STEPS = 20  # a turn
EPOCHS = 8  # of a training with a callback; its first is not counted
BARE, AGAIN, KERAS = "nothing", "nothing, again", "Keras' accuracy"
METRICS = (
    "F1Score",
    "BalancedAccuracy",
    "GeometricMean",
    "MatthewsCorrelationCoefficient",
    "ExpectedCalibrationError",
    "BrierScore",
    "Refinement",
)


class Example(NamedTuple):
    """A network and its data.

    Args:
        build: Returns the network, not yet compiled.
        data: Arguments of `fit`: `x`, `y`, `validation_data` and `batch_size`.
        classes: Number of classes.
        loss: Keras' own.
        metric: Keras' own.
    """

    build: Callable[[], Any]
    data: dict[str, Any]
    classes: int
    loss: str
    metric: str

    def compiled(self, *, loss: Any = None, metric: Any = None) -> Any:
        """Return the network, with a loss or a metric of one's own."""
        model = self.build()
        metrics = [] if metric is None else [metric]
        model.compile("adam", self.loss if loss is None else loss, metrics=metrics)
        return model

    def steps(self, *, validation: bool) -> int:
        """Return how many batches an epoch has; `fit` validates in batches of the same size."""
        rows = len(self.data["validation_data"][0] if validation else self.data["x"])
        return -(-rows // self.data["batch_size"])


def main() -> None:
    """Measure the parts that were asked for, all in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--examples", nargs="+", choices=EXAMPLES, default=list(EXAMPLES))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    measures = {"losses": report_losses, "metrics": report_metrics, "callbacks": report_callbacks}
    for name in options.examples:
        for part in options.parts:
            measures[part](name, example(name), options.rounds)


def example(name: str) -> Example:
    """Return one of the examples' networks, with their data."""
    import keras
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images, layers = (images / 16).astype("float32"), keras.layers
    if name == "imbalance":
        x, _, y, _ = train_test_split(images, labels == 8, test_size=0.4, random_state=0)
        x, xv, y, yv = train_test_split(x, y.astype(int), test_size=0.4, random_state=0)
        hidden = [layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")]
        loss, metric, classes = "binary_crossentropy", "accuracy", 2
    else:
        images = images.reshape(-1, 8, 8, 1)
        x, _, y, _ = train_test_split(images, labels, test_size=500, random_state=0)
        x, xv, y, yv = train_test_split(x, y, test_size=400, random_state=0)
        hidden = [layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)]
        hidden += [layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)]
        hidden += [layers.Flatten(), layers.Dropout(0.25), layers.Dense(10, "softmax")]
        loss, metric, classes = "sparse_categorical_crossentropy", "accuracy", 10
    data = {"x": x, "y": y, "validation_data": (xv, yv), "batch_size": 64}

    def build() -> Any:
        fresh = [layer.from_config(layer.get_config()) for layer in hidden]
        return keras.Sequential([keras.Input(x.shape[1:]), *fresh])

    return Example(build, data, classes, loss, metric)


def report_losses(name: str, case: Example, rounds: int) -> None:
    """Print what a step takes with each loss, beside Keras' own."""
    variants = {loss: case.compiled(loss=made) for loss, made in losses_of(case.classes).items()}
    variants = {BARE: case.compiled(), AGAIN: case.compiled(), **variants}
    steps = in_turn({key: step_of(case, model) for key, model in variants.items()}, rounds)
    print(f"\n{name}: a step, beside one with Keras' {case.loss}\n")
    print("| loss | CPU us a step | times Keras' own | quartiles |\n|---|---|---|---|")
    for key, times in steps.items():
        ratios = [own / bare for own, bare in zip(times, steps[BARE], strict=True)]
        low, _, high = quantiles(ratios, n=4)
        line = f"{1e6 * median(times):.0f} | **{median(ratios):.2f}** | {low:.2f} to {high:.2f}"
        print(f"| {key.replace('nothing', case.loss)} | {line} |", flush=True)


def losses_of(classes: int) -> dict[str, Any]:
    """Return those of our losses that go with two classes and one output, or with many."""
    from kt_extras import losses

    if classes == 2:
        return {
            "WeightedBinaryCrossentropy": losses.WeightedBinaryCrossentropy([1.0, 9.0]),
            "AsymmetricLoss": losses.AsymmetricLoss(from_logits=False),
            "SoftFBetaLoss": losses.SoftFBetaLoss(),
        }
    counts = [float(number) for number in range(1, classes + 1)]
    costs = [[float(i != j) for j in range(classes)] for i in range(classes)]
    return {
        "WeightedCrossentropy": losses.WeightedCrossentropy(counts),
        "SparseFocalCrossentropy": losses.SparseFocalCrossentropy(),
        "SparseSmoothedCrossentropy": losses.SparseSmoothedCrossentropy(),
        "LogitAdjustedCrossentropy": losses.LogitAdjustedCrossentropy(counts, from_logits=False),
        "LDAM": losses.LDAM(counts, from_logits=False),
        "Poly1Crossentropy": losses.Poly1Crossentropy(),
        "ExpectedCostLoss": losses.ExpectedCostLoss(costs),
        "SoftFBetaLoss": losses.SoftFBetaLoss(),
    }


def report_metrics(name: str, case: Example, rounds: int) -> None:
    """Print what each metric adds to an epoch, with and without validation data."""
    from kt_extras import metrics

    made = {key: getattr(metrics, key)(case.classes) for key in METRICS}
    models = {key: case.compiled(metric=metric) for key, metric in made.items()}
    own = {BARE: case.compiled(), AGAIN: case.compiled(), KERAS: case.compiled(metric=case.metric)}
    models = {**own, **models}
    train = in_turn({key: step_of(case, model) for key, model in models.items()}, rounds)
    test = in_turn({key: test_of(case, model) for key, model in models.items()}, rounds)
    alone, both = (
        epoch_of(models[BARE], {**case.data, "validation_data": data})
        for data in (None, case.data["validation_data"])
    )
    print(f"\n{name}: an epoch of {1e3 * alone:.0f} ms, with validation {1e3 * both:.0f} ms\n")
    print("| metric | us a step | us a validation step | of an epoch | with validation |")
    print("|---|---|---|---|---|")
    for key in models:
        step, check = added(train, key), added(test, key)
        epoch = step * case.steps(validation=False)
        whole = epoch + check * case.steps(validation=True)
        print(
            f"| {key} | {1e6 * step:.0f} | {1e6 * check:.0f} "
            f"| **{epoch / alone:+.1%}** | **{whole / both:+.1%}** |",
            flush=True,
        )


def added(times: dict[str, list[float]], key: str) -> float:
    """Return the median of what a variant takes longer than the bare one in the same round."""
    return median(own - bare for own, bare in zip(times[key], times[BARE], strict=True))


def in_turn(steps: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Run a few steps of every variant, again and again; return seconds a step of each round."""
    times: dict[str, list[float]] = {key: [] for key in steps}
    for number in range(rounds + 2):  # in the first two, functions are traced and caches filled
        for key, step in steps.items():
            begin = time.process_time()
            for _ in range(STEPS if number else 1):
                step()
            if number > 1:
                times[key].append((time.process_time() - begin) / STEPS)
    return times


def step_of(case: Example, model: Any) -> Callable[[], Any]:
    """Return what trains a model by one batch, as `fit` does."""
    x, y = case.data["x"], case.data["y"]
    model.make_train_function()
    batches = repeated(x, y, case.data["batch_size"])
    return lambda: model.train_function(batches)


def test_of(case: Example, model: Any) -> Callable[[], Any]:
    """Return what validates a model on one batch, as `fit` does."""
    model.make_test_function()
    batches = repeated(*case.data["validation_data"], case.data["batch_size"])
    return lambda: model.test_function(batches)


def repeated(x: Any, y: Any, batch_size: int) -> Any:
    """Return an iterator over the same batches without an end."""
    import tensorflow as tf

    rows = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch_size, drop_remainder=True)
    return iter(rows.cache().repeat())


def epoch_of(model: Any, data: dict[str, Any]) -> float:
    """Return what an epoch of `fit` takes, the median."""
    _, clock, _ = clocked(model, data, None)
    return clock


def report_callbacks(name: str, case: Example, rounds: int) -> None:
    """Print what each callback takes of an epoch with validation, beside two of Keras'."""
    model = case.compiled()
    epochs, own, once = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(max(rounds // 5, 1)):
            for key, callback in callbacks_of(case, folder).items():
                found = clocked(model, case.data, callback)
                for series, value in zip((own, epochs, once), found, strict=True):
                    series.setdefault(key, []).append(value)
    print(f"\n{name}: an epoch with validation\n")
    print("| callback | CPU ms | of the epoch | once, ms |\n|---|---|---|---|")
    for key, values in own.items():
        shares = [value / epoch for value, epoch in zip(values, epochs[key], strict=True)]
        line = f"{1e3 * median(values):.2f} | **{median(shares):.1%}**"
        print(f"| {key} | {line} | {1e3 * median(once[key]):.0f} |", flush=True)


def callbacks_of(case: Example, folder: str) -> dict[str, Any]:
    """Return two of Keras' callbacks, and ours."""
    import keras

    from kt_extras import callbacks

    rows = case.data["validation_data"]
    averaging = callbacks.StochasticWeightAveraging
    return {
        "Keras' CSVLogger": keras.callbacks.CSVLogger(f"{folder}/log.csv"),
        "Keras' TensorBoard": keras.callbacks.TensorBoard(f"{folder}/keras"),
        "LearningRateLogger": callbacks.LearningRateLogger(),
        "TimeStopping": callbacks.TimeStopping(seconds=3600),
        "StochasticWeightAveraging": averaging(start=0),
        "StochasticWeightAveraging(validate=True)": averaging(start=0, validate=True),
        "ThresholdCalibration": callbacks.ThresholdCalibration(rows),
        "ThresholdCalibration(every=5)": callbacks.ThresholdCalibration(rows, every=5),
        "EvaluationBoard": callbacks.EvaluationBoard(f"{folder}/ours", rows),
    }


HOOKS = ("epoch_begin", "epoch_end", "test_begin", "test_end", "train_begin", "train_end")


def clocked(model: Any, data: dict[str, Any], callback: Any) -> tuple[float, float, float]:
    """Fit a model; return what the callback takes of an epoch, the rest of it, and what once.

    Of the epochs the mean is taken for the callback, which may do its work in some of them only,
    and the median for the rest.
    """
    import keras

    ticks: list[tuple[str, float]] = []

    def note(hook: str) -> Callable[..., None]:
        return lambda *_, **__: ticks.append((hook, time.process_time()))

    def clock() -> Any:
        noting = keras.callbacks.Callback()
        for hook in HOOKS:
            setattr(noting, f"on_{hook}", note(hook))
        return noting

    between = [clock(), *([] if callback is None else [callback]), clock()]
    model.fit(**data, callbacks=between, epochs=EPOCHS + 1, verbose=0)
    pairs = list(zip(ticks[::2], ticks[1::2], strict=True))
    begins = [before[1] for before, _ in pairs if before[0] == "epoch_begin"]
    begins.append(pairs[-1][0][1])
    own = [0.0] * (EPOCHS + 1)
    once, epoch = 0.0, -1
    for (hook, begin), (_, end) in pairs:
        epoch += hook == "epoch_begin"
        if hook.startswith("train"):
            once += end - begin
        else:
            own[epoch] += end - begin
    lengths = [b - a - mine for (a, b), mine in zip(itertools.pairwise(begins), own, strict=True)]
    usual = mean(own[1:])
    return usual, median(lengths[1:]), once + own[0] - usual


if __name__ == "__main__":
    main()
