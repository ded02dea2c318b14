"""How many folds are trained, and what is chosen, when trials stop between two folds.

    pip install kt_extras[bench] && python -m benchmarks.fold_pruning

On each of ten tables networks of random hyperparameters are trained on the folds of 400 rows, and
once on all of them; their loss on all other rows is what a choice is worth.  Then searches are
replayed: the networks come in a random order, and a trial is stopped when `FoldPruner` says so.
Settings were chosen on the tables of the choosing half, and the default is judged on the others.
"""

from __future__ import annotations

import argparse
import warnings
from itertools import product

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from benchmarks.offline_tables import TABLES, table
from kt_extras.search.folds import FoldPruner

_ROWS, _FOLDS = 400, 5
_CHOOSING = TABLES[::2]
_SETTINGS = tuple(product((0.07, 0.13, 0.25), (2, 3)))


def main() -> None:
    """Print a row a setting on the choosing half, and one of the default on the judging half."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=30, help="in a search")
    parser.add_argument("--seeds", type=int, default=20, help="searches that are replayed")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    found = {name: losses(name, options.networks) for name in TABLES}
    halves = {
        "choosing": (_CHOOSING, _SETTINGS),
        "judging": ([name for name in TABLES if name not in _CHOOSING], [(0.25, 2)]),
    }
    print("| half | p_threshold, min_folds | folds trained | loss of the choice | without |")
    print("|---|---|---|---|---|")
    for half, (names, settings) in halves.items():
        for setting in settings:
            rows = [
                replay(*found[name], FoldPruner(*setting), seed)
                for name in names
                for seed in range(options.seeds)
            ]
            share, chosen, whole = np.mean(rows, axis=0)
            differences = np.array(rows)[:, 1] - np.array(rows)[:, 2]
            error = differences.std(ddof=1) / np.sqrt(len(rows))
            print(
                f"| {half} | {setting[0]}, {setting[1]} | {share:.2f} | {chosen:.4f} | {whole:.4f} "
                f"(difference {differences.mean():+.4f}, standard error {error:.4f}) |"
            )


def losses(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the losses of networks on folds, shape ``(count, 5)``, and on all other rows."""
    x, y = table(name)
    x, y = x[~np.isnan(x).any(1)], y[~np.isnan(x).any(1)]
    rng = np.random.default_rng(0)
    order = rng.permutation(len(y))[: _ROWS + 4000]
    x, y = x[order], y[order]
    classes = np.unique(y)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=0)
    splits = [(slice(0, _ROWS), slice(_ROWS, None))]
    splits = [*folds.split(x[:_ROWS], y[:_ROWS]), *splits]
    found = np.empty((count, _FOLDS + 1))
    for network in range(count):
        settings = {
            "hidden_layer_sizes": (int(2 ** rng.uniform(2, 7)),),
            "alpha": 10 ** rng.uniform(-5, 1),
            "learning_rate_init": 10 ** rng.uniform(-4, -1),
        }
        for fold, (train, held_out) in enumerate(splits):
            scaler = StandardScaler().fit(x[train])
            model = MLPClassifier(max_iter=30, random_state=fold, **settings)
            model.fit(scaler.transform(x[train]), y[train])
            outputs = np.full((len(y[held_out]), len(classes)), 1e-6)
            outputs[:, np.searchsorted(classes, model.classes_)] = model.predict_proba(
                scaler.transform(x[held_out])
            )
            outputs /= outputs.sum(1, keepdims=True)
            found[network, fold] = log_loss(y[held_out], outputs, labels=classes)
    return found[:, :_FOLDS], found[:, _FOLDS]


def replay(
    folds: np.ndarray, worth: np.ndarray, pruner: FoldPruner, seed: int
) -> tuple[float, float, float]:
    """Return the share of the folds that are trained, and what is chosen with and without that."""
    order = np.random.default_rng(seed).permutation(len(folds))
    best, trained = int(order[0]), _FOLDS
    for network in order[1:]:
        for count in range(1, _FOLDS + 1):
            trained += 1
            if count < _FOLDS and pruner.should_stop(folds[network, :count], folds[best]):
                break
        else:
            if folds[network].mean() < folds[best].mean():
                best = int(network)
    whole = int(folds.mean(1).argmin())
    return trained / folds.size, float(worth[best]), float(worth[whole])


if __name__ == "__main__":
    main()
