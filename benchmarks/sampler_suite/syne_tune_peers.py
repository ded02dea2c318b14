"""Searchers of Syne Tune: BORE, and the conformal quantiles of its ASHACQR, for full trainings.

They have no conditional spaces, so every hyperparameter is a value in every trial.
"""

from __future__ import annotations

from benchmarks.sampler_suite.runs import Observed, Search
from kt_extras.search import Choice, Int, Point, Space


def _driven(name: str) -> Search:
    """Drive a scheduler without rungs."""

    def search(problem: Observed, seed: int, trials: int) -> None:
        from syne_tune.optimizer import baselines
        from syne_tune.optimizer.schedulers.ask_tell_scheduler import AskTellScheduler

        make = getattr(baselines, name)
        scheduler = AskTellScheduler(
            make(_config_space(problem.space), metric="loss", random_seed=seed)
        )
        for _ in range(trials):
            trial = scheduler.ask()
            scheduler.tell(trial, {"loss": problem(_point(problem.space, trial.config))})

    return search


def _config_space(space: Space):  # type: ignore[no-untyped-def]
    from syne_tune import config_space as cs

    declared = {}
    for d in space.dimensions:
        if isinstance(d, Choice):
            last = len(d.options) - 1
            numbers = list(range(last + 1))
            declared[d.name] = cs.randint(0, last) if d.ordered else cs.choice(numbers)
        elif isinstance(d, Int):
            declared[d.name] = (cs.lograndint if d.sampling == "log" else cs.randint)(d.low, d.high)
        else:
            declared[d.name] = (cs.loguniform if d.sampling == "log" else cs.uniform)(d.low, d.high)
    return declared


def _point(space: Space, config: dict[str, float]) -> Point:
    """Return the active values; an option is given by its number."""
    every = {
        d.name: d.options[int(config[d.name])] if isinstance(d, Choice) else config[d.name]
        for d in space.dimensions
    }
    return {d.name: every[d.name] for d in space.active(every)}


SYNE_TUNE: dict[str, Search] = {
    "Syne Tune BORE": _driven("BORE"),
    "Syne Tune CQR": _driven("CQR"),
}
