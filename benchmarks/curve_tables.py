"""Record learning curves: every model of a grid, really trained with Keras, error by epoch.

    python benchmarks/curve_tables.py digits noisy_classes       # writes benchmarks/tables/*.npz
    python benchmarks/curve_tables.py --check digits             # beside plain `keras.Model.fit`

A table of 2,592 models would take hours, one `fit` at a time.  Models of the same shapes are
therefore stacked along a leading axis and trained as one: each has its own weights, learning rate,
dropout rate, weight decay, batches and dropout masks.  The learning rate of each is put in force
by scaling the step that the Keras optimizer takes at a rate of 1, since the steps of SGD with
momentum, Adam and RMSprop are proportional to the rate.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import sklearn.datasets
import tensorflow as tf
from tqdm import tqdm

TABLES = Path(__file__).parent / "tables"
EPOCHS = 27
RATES = tuple(float(f"{rate:.2g}") for rate in np.logspace(-4, -0.5, 8))
OPTIMIZERS: dict[str, Callable[[], keras.optimizers.Optimizer]] = {
    "sgd": lambda: keras.optimizers.SGD(1.0, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(1.0),
    "rmsprop": lambda: keras.optimizers.RMSprop(1.0),
}
STACKED = ("learning_rate", "dropout", "weight_decay")  # what models of one stack may differ in
Setting = Mapping[str, object]
Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Task:
    """What is learnt, by which models.

    Args:
        data: Returns x, y, validation x and validation y; whole numbers in y are classes.
        grid: The values of each hyperparameter.
        convolutional: Whether the models are small convolutional networks.
    """

    data: Callable[[], Data]
    grid: Mapping[str, tuple[object, ...]]
    convolutional: bool = False

    def stacks(self) -> list[list[int]]:
        """Return the rows of the table that can be trained together."""
        together: dict[tuple[object, ...], list[int]] = {}
        for row, setting in enumerate(self.settings()):
            shape = tuple(value for name, value in setting.items() if name not in STACKED)
            together.setdefault(shape, []).append(row)
        return list(together.values())

    def settings(self) -> list[Setting]:
        """Return the hyperparameters of each row, the last varying fastest."""
        rows = itertools.product(*self.grid.values())
        return [dict(zip(self.grid, row, strict=True)) for row in rows]


def digits() -> Data:
    """Return the 8x8 digits, 1,024 of them for training."""
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    return _split((x / 16.0).astype("float32"), y.astype("int32"))


def digit_images() -> Data:
    """Return 768 of the same as images, 256 of them for training."""
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    images = (x[:768] / 16.0).astype("float32").reshape(-1, 8, 8, 1)
    return _split(images, y[:768].astype("int32"), n=256)


def noisy_classes() -> Data:
    """Return twelve overlapping classes, one label in ten wrong."""
    x, y = sklearn.datasets.make_classification(
        2048,
        n_features=32,
        n_informative=12,
        n_redundant=8,
        n_classes=12,
        n_clusters_per_class=2,
        class_sep=1.6,
        flip_y=0.1,
        random_state=0,
    )
    return _split(_standard(x), y.astype("int32"))


def friedman() -> Data:
    """Return Friedman's first regression with noise; its error is the mean square."""
    x, y = sklearn.datasets.make_friedman1(1024, n_features=12, noise=1.0, random_state=0)
    return _split(_standard(x), _standard(y), n=512)


def _standard(values: np.ndarray) -> np.ndarray:
    return ((values - values.mean(axis=0)) / values.std(axis=0)).astype("float32")


def _split(x: np.ndarray, y: np.ndarray, n: int = 1024) -> Data:
    order = np.random.default_rng(0).permutation(len(x))
    return x[order[:n]], y[order[:n]], x[order[n:]], y[order[n:]]


MLP = {
    "learning_rate": RATES,
    "units": (8, 16, 32, 64, 96, 128),
    "depth": (1, 2),
    "dropout": (0.0, 0.2, 0.5),
    "batch": (32, 64, 128),
    "optimizer": ("sgd", "adam", "rmsprop"),
}
DECAYED_MLP = {
    "optimizer": ("sgd", "adam", "rmsprop"),
    "activation": ("relu", "tanh", "elu"),
    "learning_rate": RATES,
    "weight_decay": (0.0, 0.01, 0.1),
    "units": (8, 16, 32, 64),
    "depth": (1, 2, 3),
}
CNN = {
    "filters": (2, 4, 8),
    "kernel": (2, 3),
    "pooling": ("max", "average"),
    "dropout": (0.0, 0.25, 0.5),
    "learning_rate": RATES,
    "optimizer": ("sgd", "adam", "rmsprop"),
}
TASKS = {
    "digits": Task(digits, MLP),
    "noisy_classes": Task(noisy_classes, MLP),
    "friedman": Task(friedman, DECAYED_MLP),
    "digit_images": Task(digit_images, CNN, convolutional=True),
}


class StackedDense(keras.layers.Layer):
    """A dense layer for each model: ``(models, rows, inputs)`` to ``(models, rows, units)``."""

    def __init__(self, units: int, activation: str = "linear") -> None:
        super().__init__()
        self.units, self.activation = units, keras.activations.get(activation)

    def build(self, input_shape: tuple[int, ...]) -> None:  # noqa: D102
        models, inputs = input_shape[0], input_shape[-1]
        limit = (6.0 / (inputs + self.units)) ** 0.5  # Glorot & Bengio (2010), eq. 16
        uniform = keras.initializers.RandomUniform(-limit, limit)
        self.kernel = self.add_weight(shape=(models, inputs, self.units), initializer=uniform)
        self.bias = self.add_weight(shape=(models, 1, self.units), initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:  # noqa: D102
        return self.activation(tf.matmul(x, self.kernel) + self.bias)


class StackedConvolution(keras.layers.Layer):
    """A convolution for each model: a dense layer on the patches of ``(m, b, h, w, c)``."""

    def __init__(self, filters: int, kernel: int) -> None:
        super().__init__()
        self.filters, self.size = filters, kernel

    def build(self, input_shape: tuple[int, ...]) -> None:  # noqa: D102
        models, inputs = input_shape[0], self.size**2 * input_shape[-1]
        # Keras counts every place of the kernel as an output too.
        limit = (6.0 / (inputs + self.size**2 * self.filters)) ** 0.5
        uniform = keras.initializers.RandomUniform(-limit, limit)
        self.kernel = self.add_weight(shape=(models, inputs, self.filters), initializer=uniform)
        self.bias = self.add_weight(shape=(models, 1, self.filters), initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:  # noqa: D102
        high, wide = x.shape[2] - self.size + 1, x.shape[3] - self.size + 1
        corners = itertools.product(range(self.size), repeat=2)
        patches = tf.concat([x[:, :, i : i + high, j : j + wide] for i, j in corners], axis=-1)
        rows = tf.reshape(patches, (x.shape[0], -1, patches.shape[-1]))
        convolved = tf.nn.relu(tf.matmul(rows, self.kernel) + self.bias)
        return tf.reshape(convolved, (x.shape[0], -1, high, wide, self.filters))


class Stack(keras.Model):
    """Models of the same shapes, trained as one.

    Args:
        settings: The hyperparameters of each; only those of `STACKED` may differ.
        outputs: The number of outputs of each.
        convolutional: Whether they are convolutional networks.
    """

    def __init__(self, settings: list[Setting], outputs: int, convolutional: bool) -> None:
        super().__init__()
        self.settings, self.outputs_each, self.convolutional = settings, outputs, convolutional
        one = settings[0]
        self.convolutions: list[StackedConvolution] = []
        self.hidden: list[StackedDense] = []
        if convolutional:
            sizes = (one["filters"], 2 * one["filters"])
            self.convolutions = [StackedConvolution(size, one["kernel"]) for size in sizes]
        else:
            activation = one.get("activation", "relu")
            self.hidden = [StackedDense(one["units"], activation) for _ in range(one["depth"])]
        self.head = StackedDense(outputs)
        self.rates = _column(settings, "learning_rate")
        self.dropouts, self.decays = _column(settings, "dropout"), _column(settings, "weight_decay")

    def call(self, x: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Return the outputs, ``(models, rows, outputs)``; drop units only if there is a seed."""
        for index, layer in enumerate(self.convolutions):
            x = layer(x)
            if index == 0:
                x = self._pool(x)
        if self.convolutional:
            x = tf.reshape(x, (x.shape[0], -1, np.prod(x.shape[2:])))
            x = self._drop(x, seed, 0)
        for index, layer in enumerate(self.hidden):
            x = self._drop(layer(x), seed, index)
        return self.head(x)

    def _pool(self, x: tf.Tensor) -> tf.Tensor:
        """Return the largest or the mean of every two by two places; an odd last one is left."""
        high, wide = x.shape[2] // 2, x.shape[3] // 2
        x = x[:, :, : 2 * high, : 2 * wide]
        blocks = tf.reshape(x, (x.shape[0], -1, high, 2, wide, 2, x.shape[-1]))
        reduce = tf.reduce_max if self.settings[0]["pooling"] == "max" else tf.reduce_mean
        return reduce(blocks, axis=(3, 5))

    def _drop(self, x: tf.Tensor, seed: tf.Tensor | None, layer: int) -> tf.Tensor:
        if seed is None or not np.any(self.dropouts):
            return x
        rates = tf.reshape(self.dropouts, (-1, 1, 1))
        kept = tf.random.stateless_uniform(tf.shape(x), (seed, layer)) >= rates
        return tf.where(kept, x / (1.0 - rates), 0.0)


def _column(settings: list[Setting], name: str) -> np.ndarray:
    return np.array([setting.get(name, 0.0) for setting in settings], dtype="float32")


def train(settings: list[Setting], data: Data, convolutional: bool, seed: int) -> np.ndarray:
    """Train a stack; return the validation error of each by epoch, ``(models, epochs)``."""
    keras.utils.set_random_seed(seed)
    x, y, x_val, y_val = map(tf.constant, data)
    classes = int(data[1].max()) + 1 if data[1].dtype == np.int32 else 0
    stack = Stack(settings, classes or 1, convolutional)
    optimizer = OPTIMIZERS[str(settings[0]["optimizer"])]()
    n, batch = len(data[0]), int(settings[0].get("batch", 32))
    everyone = tf.repeat(x_val[None], len(settings), axis=0)
    stack(everyone[:, :1])
    optimizer.build(stack.trainable_variables)

    @tf.function
    def epoch(order: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        for step in tf.range(n // batch):
            rows = order[:, step * batch : (step + 1) * batch]
            with tf.GradientTape() as tape:
                outputs = stack(tf.gather(x, rows), seed=first + step)
                # The sum over models: none has a part in the gradient of another.
                loss = tf.reduce_sum(_losses(outputs, tf.gather(y, rows)))
            _apply(stack, optimizer, tape.gradient(loss, stack.trainable_variables))
        return _errors(stack(everyone), y_val)

    rng = np.random.default_rng(seed)
    curves = []
    for number in range(EPOCHS):
        order = rng.permuted(np.tile(np.arange(n), (len(settings), 1)), axis=1)
        first = tf.constant(number * (n // batch), tf.int32)
        curves.append(epoch(tf.constant(order), first).numpy())
    return np.stack(curves, axis=1)


def _losses(outputs: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return the mean loss of each model."""
    if y.dtype.is_integer:
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)
    else:
        each = tf.square(outputs[..., 0] - y)
    return tf.reduce_mean(each, axis=1)


def _errors(outputs: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return the share of wrong classes, or the mean square, of each model."""
    if y.dtype.is_integer:
        wrong = tf.argmax(outputs, axis=-1, output_type=tf.int32) != y
        finite = tf.reduce_all(tf.math.is_finite(outputs), axis=(1, 2))
        return tf.where(finite, tf.reduce_mean(tf.cast(wrong, tf.float32), axis=1), np.nan)
    return tf.reduce_mean(tf.square(outputs[..., 0] - y), axis=1)


def _apply(stack: Stack, optimizer: keras.optimizers.Optimizer, gradients: list[tf.Tensor]) -> None:
    """Take a step of the optimizer, scaled by the rate of each model."""
    variables = stack.trainable_variables
    before = [tf.identity(variable) for variable in variables]
    optimizer.apply(gradients, variables)
    rates = tf.reshape(stack.rates, (-1, 1, 1))
    shrinkage = 1.0 - rates * tf.reshape(stack.decays, (-1, 1, 1))
    for variable, old in zip(variables, before, strict=True):
        variable.assign(shrinkage * old + rates * (variable - old))


def record(name: str) -> np.ndarray:
    """Return the errors of a whole table, ``(rows, epochs)``; NaN where a model diverged."""
    task = TASKS[name]
    data, settings = task.data(), task.settings()
    errors = np.empty((len(settings), EPOCHS), dtype="float32")
    for number, rows in enumerate(tqdm(task.stacks(), desc=name, unit="stack")):
        chosen = [settings[row] for row in rows]
        errors[rows] = train(chosen, data, task.convolutional, seed=number)
        keras.backend.clear_session()
    return np.where(np.isfinite(errors), errors, np.nan)


def write(name: str, errors: np.ndarray) -> Path:
    """Write a table beside its grid and return its path."""
    grid = {f"grid_{key}": np.array(values) for key, values in TASKS[name].grid.items()}
    TABLES.mkdir(exist_ok=True)
    path = TABLES / f"{name}.npz"
    np.savez_compressed(path, errors=errors, **grid)
    return path


def plain_model(task: Task, row: int) -> keras.Model:
    """Return one model of a grid as one would write it, compiled."""
    one, (x, y, *_) = task.settings()[row], task.data()
    layers: list[keras.layers.Layer] = [keras.Input(x.shape[1:])]
    if task.convolutional:
        pool = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
        convolution = functools.partial(keras.layers.Conv2D, activation="relu")
        layers += [convolution(one["filters"], one["kernel"]), pool[one["pooling"]](2)]
        layers += [convolution(2 * one["filters"], one["kernel"]), keras.layers.Flatten()]
        layers += [keras.layers.Dropout(one["dropout"])]
    for _ in range(one.get("depth", 0)):
        layers += [keras.layers.Dense(one["units"], one.get("activation", "relu"))]
        layers += [keras.layers.Dropout(one.get("dropout", 0.0))]
    classes = int(y.max()) + 1 if y.dtype == np.int32 else 0
    model = keras.Sequential([*layers, keras.layers.Dense(classes or 1)])
    optimizer = OPTIMIZERS[one["optimizer"]]()
    optimizer.learning_rate = one["learning_rate"]
    optimizer.weight_decay = one.get("weight_decay") or None
    if classes:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, metrics=["accuracy"])
    else:
        model.compile(optimizer, "mse")
    return model


def check(name: str, count: int = 6) -> None:
    """Print the curves of a few rows beside those of plain `fit`."""
    task = TASKS[name]
    x, y, x_val, y_val = task.data()
    recorded = np.load(TABLES / f"{name}.npz")["errors"]
    for row in np.random.default_rng(1).choice(len(recorded), count, replace=False):
        one = task.settings()[row]
        model = plain_model(task, int(row))
        log = model.fit(
            x,
            y,
            batch_size=one.get("batch", 32),
            epochs=EPOCHS,
            validation_data=(x_val, y_val),
            verbose=0,
        ).history
        errors = 1 - np.array(log["val_accuracy"]) if "val_accuracy" in log else log["val_loss"]
        at = [0, 2, 8, 26]
        print(one, "\n  plain  ", np.round(np.array(errors)[at], 4))
        print("  stacked", np.round(recorded[row][at], 4))


def main() -> None:
    """Record the tables named on the command line, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", choices=TASKS)
    parser.add_argument("--check", action="store_true", help="compare a few rows with plain `fit`")
    args = parser.parse_args()
    for name in args.tables:
        if args.check:
            check(name)
            continue
        began = time.perf_counter()
        path = write(name, record(name))
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
