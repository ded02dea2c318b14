"""What one suggestion costs: CPU milliseconds beside Optuna's, in one process and one run.

    python benchmarks/suggest_latency.py --trials 100 1000 10000

The history holds that many random finished trials in ten mixed dimensions; the median of the asks
is printed.  Asking leaves no trace in our history; Optuna's trial is told a random loss.  "oracle,
whole trial" is all that KerasTuner's `create_trial` does with ours, journal and files included.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable

import numpy as np

from kt_extras.samplers.random import Random
from kt_extras.samplers.tpe import TPE
from kt_extras.search import Choice, Float, History, Int, Space, State, trial_rng

SPACE = Space(
    [
        Float("learning_rate", 1e-5, 1e-1, sampling="log"),
        Float("decay", 1e-6, 1e-2, sampling="log"),
        Float("dropout", 0.0, 0.8),
        Float("momentum", 0.5, 0.99),
        Int("units", 8, 512),
        Int("layers", 1, 8),
        Int("batch", 16, 256, sampling="log"),
        Choice("activation", ("relu", "tanh", "gelu")),
        Choice("optimizer", ("sgd", "adam", "rmsprop", "lion")),
        Choice("bias", (False, True)),
    ]
)


def ours(trials: int, asks: int, **settings: bool) -> list[float]:
    """Return the CPU seconds of each ask of our TPE."""
    history, rng = History(SPACE), np.random.default_rng(0)
    for number in range(trials):
        trial = history.start(Random().suggest(history, SPACE, trial_rng(0, number)))
        history.finish(trial, State.COMPLETED, rng.random())
    sampler, seconds = TPE(**settings), []
    for ask in range(asks):
        began = time.process_time()
        sampler.suggest(history, SPACE, trial_rng(0, trials + ask))
        seconds.append(time.process_time() - began)
    return seconds


def oracle(trials: int, asks: int) -> list[float]:
    """Return the CPU seconds in which our oracle creates each of some trials."""
    import keras_tuner

    import kt_extras as kte

    def opened(sampler: kte.samplers.Sampler) -> kte.SamplerOracle:
        one = kte.SamplerOracle(sampler, None, keras_tuner.Objective("cost", "min"), None, seed=0)
        one.verbose = 0
        one._set_project_dir(directory, "project")
        for d in SPACE.dimensions:
            if isinstance(d, Choice):
                one.hyperparameters.Choice(d.name, list(d.options))
            else:
                kind = "Int" if isinstance(d, Int) else "Float"
                getattr(one.hyperparameters, kind)(d.name, d.low, d.high, sampling=d.sampling)
        return one

    def end(one: kte.SamplerOracle, trial: keras_tuner.engine.trial.Trial) -> None:
        one.update_trial(trial.trial_id, {"cost": rng.random()})
        trial.status = "COMPLETED"
        one.end_trial(trial)

    rng, seconds = np.random.default_rng(0), []
    with tempfile.TemporaryDirectory() as directory:
        filled = opened(Random())
        for _ in range(trials):
            end(filled, filled.create_trial("worker"))
        filled.close_session()
        taken_up = opened(TPE())
        taken_up.reload()
        for _ in range(asks):
            began = time.process_time()
            trial = taken_up.create_trial("worker")
            seconds.append(time.process_time() - began)
            end(taken_up, trial)
        taken_up.close_session()
    return seconds


def optuna_tpe(trials: int, asks: int, **settings: bool) -> list[float]:
    """Return the CPU seconds of each ask of Optuna's TPE."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, **settings))
    distributions = {d.name: _distribution(d) for d in SPACE.dimensions}
    rng = np.random.default_rng(0)
    points = (SPACE.decode(rng.random(len(SPACE))) for _ in range(trials))
    study.add_trials(
        [
            optuna.trial.create_trial(params=p, distributions=distributions, value=rng.random())
            for p in points
        ]
    )
    seconds = []
    for _ in range(asks):
        began = time.process_time()
        trial = study.ask(distributions)
        seconds.append(time.process_time() - began)
        study.tell(trial, rng.random())
    return seconds


def _distribution(dimension):  # type: ignore[no-untyped-def]
    from optuna import distributions

    if isinstance(dimension, Choice):
        return distributions.CategoricalDistribution(dimension.options)
    kind = "IntDistribution" if isinstance(dimension, Int) else "FloatDistribution"
    log = dimension.sampling == "log"
    return getattr(distributions, kind)(dimension.low, dimension.high, log=log)


SAMPLERS: dict[str, Callable[[int, int], list[float]]] = {
    "tpe": ours,
    "tpe, independent": lambda trials, asks: ours(trials, asks, multivariate=False),
    "tpe, oracle, whole trial": oracle,
    "optuna tpe": optuna_tpe,
    "optuna tpe, group": lambda trials, asks: optuna_tpe(
        trials, asks, multivariate=True, group=True
    ),
}


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--asks", type=int, default=20)
    args = parser.parse_args()
    print("| CPU ms a suggestion | " + " | ".join(f"n={n:,}" for n in args.trials) + " |")
    print("| --- " * (1 + len(args.trials)) + "|")
    for name, measure in SAMPLERS.items():
        cells = [f"{1e3 * np.median(measure(n, args.asks)):.1f}" for n in args.trials]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
