"""KerasTuner's Gaussian process with its default settings."""

from __future__ import annotations

import contextlib
import io
import tempfile

from benchmarks.sampler_suite.runs import Observed, Search
from kt_extras.search import Choice, Int, Space


def _bayesian_optimization(problem: Observed, seed: int, trials: int) -> None:
    """Drive the oracle alone, without a tuner."""
    import keras_tuner

    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        objective=keras_tuner.Objective("loss", "min"),
        max_trials=trials,
        hyperparameters=_declared(problem.space),
        seed=seed + 1,  # it takes 0 for no seed
    )
    quiet = contextlib.redirect_stdout(io.StringIO())
    with tempfile.TemporaryDirectory() as directory, quiet:
        oracle._set_project_dir(directory, "benchmark")
        while (trial := oracle.create_trial("tuner0")).status == "RUNNING":
            loss = problem(trial.hyperparameters.values)
            oracle.update_trial(trial.trial_id, {"loss": loss})
            trial.status = "COMPLETED"
            oracle.end_trial(trial)


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


KERAS_TUNER: dict[str, Search] = {"KerasTuner BayesianOptimization": _bayesian_optimization}
