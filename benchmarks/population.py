"""Population based training against the best fixed rate, where the best rate changes.

A small network learns the 8x8 digits by plain stochastic gradient descent with batches of four.  A
high rate is best at first; later the noise of its steps is most of what is left of the loss, and a
lower rate is best.  That is shown first, by training from the same states at several rates.
Then, for each seed, PBT searches the range of rates, and so does random search with rates that stay
fixed, each with the same number of models and of epochs.  Compared is the lowest validation loss at
the last epoch: what either has to offer when its epochs are used up.  With `--pb2` small
populations are compared, of which the members that take over get perturbed values or those that a
model chooses.

    python -m benchmarks.population --seeds 10
    python -m benchmarks.population --seeds 10 --pb2
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import kt_extras as kte

EPOCHS, MEMBERS, INTERVAL = 20, 8, 2
FEW = 4  # members of the populations that are compared with each other
LOW, HIGH = 1e-3, 1.0
BATCH, STEPS = 4, 256
RATES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
EARLY = 0.5  # what the states are trained with from which several rates are tried


def main() -> None:
    """Show that the best rate changes, and compare the searches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--pb2", action="store_true", help="compare PBT with and without a model")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    if options.pb2:
        compare_explore(seeds)
    else:
        compare_with_fixed_rates(seeds)


def compare_explore(seeds: range) -> None:
    """Print the losses of small populations that perturb and of those that use a model."""
    print("| seed | perturb | pb2 | rates of perturb | rates of pb2 |")
    print("|---|---|---|---|---|")
    pairs = []
    for seed in seeds:
        (loss, rates), (other, others) = (
            population(seed, FEW, explore) for explore in ("perturb", "pb2")
        )
        pairs.append((other, loss))
        paths = (" ".join(f"{rate:.2g}" for rate in path[::4]) for path in (rates, others))
        print(f"| {seed} | {loss:.5f} | {other:.5f} | {' | '.join(paths)} |", flush=True)
    wins, ratio = sum(a < b for a, b in pairs), median(a / b for a, b in pairs)
    print(f"\npb2 is lower for {wins} of {len(pairs)} seeds; median ratio of losses {ratio:.3f}.")


def compare_with_fixed_rates(seeds: range) -> None:
    """Print the losses of populations and of random searches."""
    show_best_rates()
    wins, began = 0, time.perf_counter()
    print("\n| seed | PBT | best fixed rate | its rate | PBT's rates, first to last epoch |")
    print("|---|---|---|---|---|")
    pairs = []
    for seed in seeds:
        (loss, rates), (fixed, rate) = population(seed, MEMBERS), random_search(seed)
        pairs.append((loss, fixed))
        wins += loss < fixed
        path = " ".join(f"{rate:.2g}" for rate in rates[:: EPOCHS // 5])
        line = f"{rate:.2g} | {path} {rates[-1]:.2g}"
        print(f"| {seed} | {loss:.4f} | {fixed:.4f} | {line} |", flush=True)
    ratio = median(loss / fixed for loss, fixed in pairs)
    print(f"\nPBT is lower for {wins} of {len(seeds)} seeds; median ratio of losses {ratio:.3f}.")
    print(f"{time.perf_counter() - began:.0f} s for {2 * len(seeds)} searches.")


def data(seed: int) -> dict[str, Any]:
    """Return what `fit` takes: 1024 digits to learn from and 773 to validate on."""
    images, labels = load_digits(return_X_y=True)
    x = PCA(16, whiten=True, random_state=0).fit_transform(images).astype("float32")
    y = np.eye(10, dtype="float32")[labels]
    order = np.random.default_rng(seed).permutation(len(x))
    seen, held_out = order[: BATCH * STEPS], order[BATCH * STEPS :]
    validation = x[held_out], y[held_out]
    return {"x": x[seen], "y": y[seen], "validation_data": validation, "batch_size": BATCH}


def network(rate: float) -> keras.Model:
    """Return a network of two layers, compiled."""
    layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input((16,)), *layers])
    model.compile(keras.optimizers.SGD(rate), "mse", steps_per_execution=STEPS)
    return model


def build(hp: Any) -> keras.Model:
    """Only the rate is searched for."""
    return network(hp.Float("rate", LOW, HIGH, sampling="log"))


def show_best_rates() -> None:
    """Train for two epochs from the same states at several rates."""
    keras.utils.set_random_seed(0)
    given, model = data(0), network(EARLY)
    print("| validation loss after two epochs at a rate of |", end=" ")
    print(" | ".join(f"{rate:g}" for rate in RATES), "| best |")
    print("|---" * (len(RATES) + 2) + "|")
    begun = 0
    for trained in (0, 2, 6, 12, EPOCHS - 2):
        if trained:
            model.fit(**given, epochs=trained - begun, verbose=0)
        begun, weights, losses = trained, model.get_weights(), []
        for rate in RATES:
            model.set_weights(weights)
            model.optimizer.learning_rate = rate
            history = model.fit(**given, epochs=2, verbose=0).history
            losses.append(history["val_loss"][-1])
        model.set_weights(weights)
        model.optimizer.learning_rate = EARLY
        row = " | ".join(f"{loss:.4f}" for loss in losses)
        print(f"| from {trained} epochs | {row} | **{RATES[int(np.argmin(losses))]:g}** |")


def population(seed: int, members: int, explore: str = "perturb") -> tuple[float, list[float]]:
    """Return the loss of the best member at its end, and the rates that led to it."""
    with tempfile.TemporaryDirectory() as directory:
        tuner = kte.PBT(
            build,
            "val_loss",
            population_size=members,
            max_epochs=EPOCHS,
            interval=INTERVAL,
            explore=explore,
            seed=seed,
            directory=directory,
            keep_checkpoints="none",
        )
        tuner.search(**data(seed), verbose=0)
        loss, number = best_at_the_end(tuner)
        schedule = tuner.schedule(number)
        return loss, [schedule.at(epoch)["rate"] for epoch in range(EPOCHS)]


def random_search(seed: int) -> tuple[float, float]:
    """Return the loss of the best fixed rate at its end, and the rate."""
    with tempfile.TemporaryDirectory() as directory:
        oracle = kte.SamplerOracle(
            kte.samplers.Random(), objective="val_loss", max_trials=MEMBERS, seed=seed
        )
        tuner = kte.Tuner(oracle, build, directory=directory, keep_checkpoints="none")
        tuner.search(**data(seed), epochs=EPOCHS, verbose=0)
        loss, number = best_at_the_end(tuner)
        return loss, tuner.results()[number]["rate"]


def best_at_the_end(tuner: kte.Tuner) -> tuple[float, int]:
    """Return the lowest loss at a last epoch, and the number of its trial."""
    numbers = [row["number"] for row in tuner.results()]
    return min((tuner.history(number)["val_loss"][-1], number) for number in numbers)


if __name__ == "__main__":
    main()
