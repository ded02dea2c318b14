"""Samplers of Optuna as it makes them by default; an ordered choice is an integer to them."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from benchmarks.sampler_suite.runs import Observed, Search
from kt_extras.search import Choice, Dimension, Int, Point, Space


def _driven(make: Callable[[int], object]) -> Search:
    """Drive a sampler of Optuna, define-by-run."""

    def search(problem: Observed, seed: int, trials: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)

        def objective(trial: optuna.Trial) -> float:
            return problem(suggested_point(trial, problem.space))

        optuna.create_study(sampler=make(seed)).optimize(objective, n_trials=trials)

    return search


def suggested_point(trial, space: Space) -> Point:  # type: ignore[no-untyped-def]
    """Return a point of a space that a trial of Optuna suggests, define-by-run."""
    point: Point = {}
    for dimension in space.dimensions:
        if dimension.name not in point and all(c.holds(point) for c in dimension.conditions):
            point[dimension.name] = _suggested(trial, dimension)
    return point


def _suggested(trial, dimension: Dimension):  # type: ignore[no-untyped-def]
    name = dimension.name
    if isinstance(dimension, Choice):
        if dimension.ordered:
            return dimension.options[trial.suggest_int(name, 0, len(dimension.options) - 1)]
        return trial.suggest_categorical(name, dimension.options)
    suggest = trial.suggest_int if isinstance(dimension, Int) else trial.suggest_float
    step = {} if dimension.step is None else {"step": dimension.step}
    return suggest(name, dimension.low, dimension.high, log=dimension.sampling == "log", **step)


def _sampler(name: str, **settings: object) -> Callable[[int], object]:
    def make(seed: int) -> object:
        import optuna

        return getattr(optuna.samplers, name)(seed=seed, **settings)

    return make


OPTUNA: dict[str, Search] = {
    "Optuna TPE": _driven(_sampler("TPESampler")),
    "Optuna GPSampler": _driven(_sampler("GPSampler")),
    "Optuna CMA-ES": _driven(_sampler("CmaEsSampler", warn_independent_sampling=False)),
}
