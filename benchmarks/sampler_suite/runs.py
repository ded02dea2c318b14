"""One search of one sampler on one problem, and the file that keeps the results of searches.

The file has one line of JSON for each search, so that a comparison can be run in pieces, by several
programs, and in several environments if the libraries don't fit into one.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.sampler_suite.problems import problem_named
from kt_extras.search import Point
from kt_extras.testing.problems import Problem

_WARM_UP = 12  # trials of the search that is not timed; models begin after some ten
#: Drives a sampler: problem, seed and number of trials to nothing; it calls the problem.
Search = Callable[["Observed", int, int], None]


class Observed:
    """A problem that records its losses, and how much processor time it has taken itself.

    Args:
        problem: The problem.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.space = problem.space
        self.losses: list[float] = []
        self.seconds = 0.0

    def __call__(self, point: Point) -> float:
        """Return the loss at a point."""
        began = time.process_time()
        self.losses.append(self.problem(point))
        self.seconds += time.process_time() - began
        return self.losses[-1]


@dataclass(frozen=True)
class Result:
    """What one search has found.

    Args:
        sampler: Name of the sampler.
        problem: Name of the problem.
        seed: Seed of the search.
        losses: The loss of each trial.
        seconds: Processor seconds of all suggestions, without those of the problem.
    """

    sampler: str
    problem: str
    seed: int
    losses: list[float]
    seconds: float


def run(sampler: str, search: Search, problem: str, seed: int, trials: int) -> Result:
    """Run one search; one that ends early, as all points were tried, keeps its best loss."""
    _warm_up(search)
    observed = Observed(problem_named(problem))
    began = time.process_time()
    search(observed, seed, trials)
    seconds = time.process_time() - began - observed.seconds
    losses = observed.losses[:trials]
    losses += [min(losses)] * (trials - len(losses))
    return Result(sampler, problem, seed, losses, round(seconds, 4))


@functools.cache
def _warm_up(search: Search) -> None:
    """Search for a few trials, once a process, as the first search imports libraries."""
    search(Observed(problem_named("branin")), 0, _WARM_UP)


def write(path: Path, result: Result) -> None:
    """Append a result to the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(asdict(result)) + "\n")


def read(paths: Iterable[Path]) -> list[Result]:
    """Return the results of some files, the last of each search; an incomplete line is left out."""
    found = {}
    for path in paths:
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                result = Result(**json.loads(line))
                found[result.sampler, result.problem, result.seed] = result
    return list(found.values())
