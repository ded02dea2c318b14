"""What earlier searches and priors are worth: trials until the best 1% of a table are reached.

    python -m benchmarks.warm_start --seeds 50
    python -m benchmarks.warm_start --half chosen --sampler random

Each target is a table of really trained models whose neighbours are tables of the same models on
other data.  An earlier search is one of 50 trials by `TPE`.

- *three neighbours*: three such searches, on neighbouring tables
- *misleading*: one of the target itself with its ranks reversed, the worst that can be
- *right prior*: `Likely` for every hyperparameter, at a random point of the best 5%
- *wrong prior*: the same at a random point of the worst quarter

A cell holds the median and the mean of the trials, and the mean as a ratio to that of a search that
knows nothing.  The settings were chosen on one half of the tables; the other half judges.
"""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.sampler_suite.problems import problem_named
from benchmarks.sampler_suite.tables import HPOLIB, NAS_BENCH
from kt_extras.samplers import TPE, BayesianOptimization, Distinct, Evolution, Random
from kt_extras.samplers.informed import Informed
from kt_extras.search import History, Likely, Point, Sampler, State, trial_rng
from kt_extras.search.past import Past, ranked
from kt_extras.search.priors import Prior

GROUPS = (HPOLIB, NAS_BENCH, ("digits", "noisy_classes"))
HALVES = {
    "chosen": ("protein_structure", "slice_localization", "cifar10", "digits"),
    "judged": ("naval_propulsion", "parkinsons_telemonitoring", "cifar100", "noisy_classes"),
}
SAMPLERS: dict[str, Sampler] = {
    "tpe": TPE(),
    "random": Random(),
    "evolution": Evolution(),
    "bayesian": BayesianOptimization(),
}
TRIALS, OLD_TRIALS, OLD_SEARCHES = 150, 50, 10
Known = tuple[Sequence[Past], dict[str, Prior]]  # earlier searches and priors


@functools.cache
def best_first(name: str) -> tuple[list[Point], np.ndarray]:
    """Return the points of a table, best first, and their losses."""
    problem = problem_named(name)
    points = list(problem.space.points())
    losses = np.array([problem(point) for point in points])
    order = np.argsort(losses, kind="stable")
    return [points[row] for row in order], losses[order]


def searched(
    name: str,
    sampler: Sampler,
    seed: int,
    trials: int,
    until: float = -np.inf,
    past: Sequence[Past] = (),
) -> History:
    """Return a search that may begin with earlier ones, and ends at a loss as low as `until`."""
    target = problem_named(name)
    history = History(target.space)
    history.past = tuple(past)
    for number in range(trials):
        point = sampler.suggest(history, target.space, trial_rng(seed, number))
        loss = target(point)
        history.finish(history.start(point), State.COMPLETED, loss)
        if loss <= until:
            break
    return history


@functools.cache
def earlier(name: str, seed: int) -> Past:
    """Return an earlier search of a table."""
    history = searched(name, Distinct(TPE()), 1000 + seed, OLD_TRIALS)
    ranks = ranked(history.losses)
    return Past(f"{name} {seed}", tuple(history.points), tuple(ranks.tolist()))


def neighbours(name: str, seed: int) -> Known:
    """Return three searches of neighbouring tables."""
    group = next(group for group in GROUPS if name in group)
    others = itertools.cycle(other for other in group if other != name)
    chosen = np.random.default_rng(seed).choice(OLD_SEARCHES, 3, replace=False)
    return [earlier(next(others), int(old)) for old in chosen], {}


def misleading(name: str, seed: int) -> Known:
    """Return a search of the target with its ranks reversed."""
    past = earlier(name, seed % OLD_SEARCHES)
    return [Past("reversed", past.points, tuple(1.0 - rank for rank in past.ranks))], {}


def prior_within(low: float, high: float) -> Callable[[str, int], Known]:
    """Return what makes priors at a point between two quantiles of the losses."""

    def prior(name: str, seed: int) -> Known:
        points, _ = best_first(name)
        share = low + (high - low) * np.random.default_rng(seed).random()
        point = points[int(share * (len(points) - 1))]
        return (), {key: Likely(value) for key, value in point.items()}

    return prior


KINDS: dict[str, Callable[[str, int], Known]] = {
    "nothing": lambda *_: ((), {}),
    "three neighbours": neighbours,
    "misleading": misleading,
    "right prior": prior_within(0.0, 0.05),
    "wrong prior": prior_within(0.75, 1.0),
}


def trials_needed(name: str, kind: str, sampler: Sampler, seed: int) -> int:
    """Return how many trials a search takes to the best 1%, one more than `TRIALS` if it fails."""
    past, prior = KINDS[kind](name, seed)
    _, losses = best_first(name)
    until = float(np.quantile(losses, 0.01))
    history = searched(name, Informed(Distinct(sampler), prior), seed, TRIALS, until, past)
    return len(history) if history.losses.min() <= until else TRIALS + 1


def main() -> None:
    """Print a table for each half and sampler."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", nargs="+", choices=HALVES, default=list(HALVES))
    parser.add_argument("--sampler", nargs="+", choices=SAMPLERS, default=["tpe", "random"])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", type=int, default=50)
    args = parser.parse_args()
    for half, chosen in itertools.product(args.half, args.sampler):
        print(f"\n{chosen}, tables that the settings were {half} on\n")
        print(f"| known beforehand | {' | '.join(HALVES[half])} | mean ratio |")
        print("|---|" + "--:|" * (len(HALVES[half]) + 1))
        alone: dict[str, float] = {}
        for kind in args.kinds:
            cells, ratios = [], []
            for name in HALVES[half]:
                seeds = range(args.seeds)
                needed = [trials_needed(name, kind, SAMPLERS[chosen], seed) for seed in seeds]
                ratios.append(np.mean(needed) / alone.setdefault(name, float(np.mean(needed))))
                cells.append(f"{np.median(needed):g}, {np.mean(needed):.1f} ({ratios[-1]:.2f})")
            mean = np.exp(np.mean(np.log(ratios)))
            print(f"| {kind} | {' | '.join(cells)} | {mean:.2f} |", flush=True)


if __name__ == "__main__":
    main()
