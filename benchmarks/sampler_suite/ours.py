"""Our samplers by name; one more is one more line."""

from __future__ import annotations

from benchmarks.sampler_suite.runs import Observed, Search
from kt_extras import samplers
from kt_extras.samplers import Distinct
from kt_extras.search import History, Sampler, State, trial_rng


def driven(sampler: Sampler) -> Search:
    """Drive a sampler as the oracle does: one generator a trial, no point twice."""
    distinct = Distinct(sampler)

    def search(problem: Observed, seed: int, trials: int) -> None:
        history = History(problem.space)
        for number in range(trials):
            point = distinct.suggest(history, problem.space, trial_rng(seed, number))
            history.finish(history.start(point), State.COMPLETED, problem(point))

    return search


OURS: dict[str, Search] = {
    "Auto": driven(samplers.Auto()),
    "TPE": driven(samplers.TPE()),
    "BayesianOptimization": driven(samplers.BayesianOptimization()),
    "RandomForest": driven(samplers.RandomForest()),
    "GaussianProcess": driven(samplers.GaussianProcess()),
    "Evolution": driven(samplers.Evolution()),
    "Random": driven(samplers.Random()),
}
