"""SMAC3: its facade for hyperparameters, a random forest with log expected improvement."""

from __future__ import annotations

import tempfile

from benchmarks.sampler_suite.runs import Observed, Search
from kt_extras.search import Choice, Int, Point, Space


def _forest(problem: Observed, seed: int, trials: int) -> None:
    import smac

    space = problem.space
    choices = {d.name: d.options for d in space.dimensions if isinstance(d, Choice)}

    def target(config, seed: int) -> float:  # type: ignore[no-untyped-def]  # noqa: ARG001
        point: Point = dict(config)
        for name in choices.keys() & point.keys():
            point[name] = choices[name][int(point[name])]
        return problem(point)

    with tempfile.TemporaryDirectory() as directory:
        scenario = smac.Scenario(
            _config_space(space),
            output_directory=directory,
            deterministic=True,
            n_trials=trials,
            seed=seed,
        )
        facade = smac.HyperparameterOptimizationFacade
        facade(scenario, target, logging_level=False, overwrite=True).optimize()


def _config_space(space: Space):  # type: ignore[no-untyped-def]
    """Return the space as SMAC has it; an option is its number, an integer if it is ordered."""
    import ConfigSpace as Cs

    declared = Cs.ConfigurationSpace(seed=0)
    parents = {d.name: d for d in space.dimensions}
    for d in space.dimensions:
        if isinstance(d, Choice):
            last = len(d.options) - 1
            if d.ordered:
                declared.add(Cs.UniformIntegerHyperparameter(d.name, 0, last))
            else:
                declared.add(Cs.CategoricalHyperparameter(d.name, list(range(last + 1))))
        else:
            kind = Cs.UniformIntegerHyperparameter
            if not isinstance(d, Int):
                kind = Cs.UniformFloatHyperparameter
            declared.add(kind(d.name, d.low, d.high, log=d.sampling == "log"))
    for d in space.dimensions:
        for condition in d.conditions:
            options = parents[condition.parent].options
            values = [options.index(value) for value in condition.values]
            declared.add(Cs.InCondition(declared[d.name], declared[condition.parent], values))
    return declared


SMAC: dict[str, Search] = {"SMAC3": _forest}
