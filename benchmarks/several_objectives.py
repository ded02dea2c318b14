"""Hypervolume of searches with two objectives, after 50 and 100 trials, beside Optuna's samplers.

    python -m benchmarks.several_objectives --seeds 10
    python -m benchmarks.several_objectives --half judged --report

The problems are functions of bbob-biobj (Brockhoff et al. 2022) on [-5, 5], where their optima are,
and tables of really trained models with their error against the time or the size of the model.  The
reference point is the nadir, the worst of each loss on the front; COCO tells that of its functions,
and that of a table is moved outwards by a tenth of the front's range, as searches find its ends.
The settings of our samplers were chosen on one half of the problems; the other half judges.

A rank is 1 plus the expected number of samplers with a larger hypervolume.  A problem is won if the
mean hypervolume over the seeds is larger by more than two standard errors of the difference.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.sampler_suite.optuna_peers import suggested_point
from benchmarks.sampler_suite.statistics import interval, ranks
from benchmarks.sampler_suite.tables import opened
from kt_extras.samplers import NSGA2, TPE, Distinct, Random
from kt_extras.search import Float, History, Point, Sampler, Space, State, trial_rng
from kt_extras.search.outcome import Goals, Target
from kt_extras.search.pareto import hypervolume, non_dominated_fronts

TRIALS = (50, 100)
RESULTS = Path("logs") / "several_objectives.jsonl"
# Function, dimensions and instance of bbob-biobj; a table and its second loss.
HALVES = {
    "chosen": (
        *("biobj_1_5_1", "biobj_5_2_1", "biobj_9_10_1", "biobj_13_5_1", "biobj_17_2_1"),
        *("biobj_21_10_1", "biobj_25_5_1", "biobj_29_2_1", "biobj_33_10_1", "biobj_37_5_1"),
        *("biobj_41_2_1", "biobj_45_10_1", "biobj_49_5_1", "biobj_53_2_1"),
        *("protein_structure:model_size", "slice_localization:train_time", "cifar10:latency"),
    ),
    "judged": (
        *("biobj_3_5_1", "biobj_7_2_1", "biobj_11_10_1", "biobj_15_5_1", "biobj_19_2_1"),
        *("biobj_23_10_1", "biobj_27_5_1", "biobj_31_2_1", "biobj_35_10_1", "biobj_39_5_1"),
        *("biobj_43_2_1", "biobj_47_10_1", "biobj_51_5_1", "biobj_55_2_1"),
        *("naval_propulsion:model_size", "parkinsons_telemonitoring:train_time"),
        *("cifar100:latency", "imagenet:model_size"),
    ),
}
#: Drives a sampler over a problem: seed and number of trials to the losses of each trial.
Search = Callable[["Problem", int, int], list[tuple[float, float]]]


@dataclass(frozen=True)
class Problem:
    """Two losses of a point.

    Args:
        space: Its space.
        losses: Both losses of a point.
        reference: Shape ``(2,)``: the reference point.
    """

    space: Space
    losses: Callable[[Point], tuple[float, float]]
    reference: np.ndarray

    def volume(self, losses: Sequence[Sequence[float]]) -> float:
        """Return the hypervolume of what a search has found."""
        return hypervolume(np.array(losses), self.reference)


@functools.cache
def problem_named(name: str) -> Problem:
    """Return a problem; a table is read once a process."""
    return _coco(name) if name.startswith("biobj") else _table(*name.split(":"))


def _coco(name: str) -> Problem:
    import cocoex

    function, dimensions, instance = map(int, name.split("_")[1:])
    suite = cocoex.Suite("bbob-biobj", "", f"instance_indices: {instance}")
    found = suite.get_problem_by_function_dimension_instance(function, dimensions, instance)
    space = Space([Float(f"x{axis}", -5.0, 5.0) for axis in range(dimensions)])

    def losses(point: Point) -> tuple[float, float]:
        first, second = found([float(point[axis]) for axis in space.names])
        return float(first), float(second)

    return Problem(space, losses, np.array(found.largest_fvalues_of_interest))


def _table(name: str, cost: str) -> Problem:
    table = opened(name)
    rows = {
        row: (loss, float(np.mean(table.columns[row][cost]))) for row, loss in table.losses.items()
    }

    def losses(point: Point) -> tuple[float, float]:
        return rows[table.row_of(point)]

    every = np.array(list(rows.values()))
    front = every[non_dominated_fronts(every) == 0]
    return Problem(table.space, losses, front.max(axis=0) + 0.1 * np.ptp(front, axis=0))


def ours(sampler: Sampler) -> Search:
    """Drive a sampler as the oracle does: one generator a trial, no point twice."""
    distinct = Distinct(sampler)

    def search(problem: Problem, seed: int, trials: int) -> list[tuple[float, float]]:
        goals = Goals((Target("first", "min"), Target("second", "min")))
        history = History(problem.space, goals=goals)
        found = []
        for number in range(trials):
            rng = trial_rng(seed, number)
            point = distinct.suggest(history.ranked(), problem.space, rng)
            found.append(problem.losses(point))
            outcome = np.array([*found[-1], 0.0])
            history.finish(history.start(point), State.COMPLETED, outcome[0], outcome)
        return found

    return search


def optuna_s(name: str) -> Search:
    """Drive a sampler of Optuna as it makes it by default."""

    def search(problem: Problem, seed: int, trials: int) -> list[tuple[float, float]]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        found = []

        def objective(trial: optuna.Trial) -> tuple[float, float]:
            found.append(problem.losses(suggested_point(trial, problem.space)))
            return found[-1]

        sampler = getattr(optuna.samplers, name)(seed=seed)
        study = optuna.create_study(sampler=sampler, directions=["minimize"] * 2)
        study.optimize(objective, n_trials=trials)
        return found

    return search


SAMPLERS: dict[str, Search] = {
    "TPE": ours(TPE()),
    "NSGA2": ours(NSGA2()),
    "Random": ours(Random()),
    "Optuna TPE": optuna_s("TPESampler"),
    "Optuna NSGA-II": optuna_s("NSGAIISampler"),
}
OURS, PEERS = ("TPE", "NSGA2"), ("Optuna TPE", "Optuna NSGA-II", "Random")
#: The losses of each trial, by sampler, problem and seed.
Results = dict[tuple[str, str, int], list[tuple[float, float]]]


def read(path: Path) -> Results:
    """Return the searches that a file has, but for a line that is not whole."""
    results: Results = {}
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    for line in lines:
        if line.endswith("\n"):
            sampler, problem, seed, losses = json.loads(line)
            results[sampler, problem, seed] = losses
    return results


def run(problems: Iterable[str], samplers: Iterable[str], seeds: int, path: Path) -> Results:
    """Run the searches that a file lacks, seed by seed, and return all that it has then."""
    results = read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for key in itertools.product(range(seeds), problems, samplers):
        seed, problem, sampler = key
        if (sampler, problem, seed) not in results:
            losses = SAMPLERS[sampler](problem_named(problem), seed, max(TRIALS))
            results[sampler, problem, seed] = losses
            with path.open("a") as file:
                file.write(json.dumps([sampler, problem, seed, losses]) + "\n")
    return results


def volumes(results: Results, problems: Sequence[str], trials: int) -> dict[str, dict[str, list]]:
    """Return the hypervolumes by sampler and problem, over the seeds."""
    found: dict[str, dict[str, list]] = {}
    for (sampler, problem, _), losses in sorted(results.items()):
        if problem in problems:
            volume = problem_named(problem).volume(losses[:trials])
            found.setdefault(sampler, {}).setdefault(problem, []).append(volume)
    return {name: of for name, of in found.items() if set(of) == set(problems)}


def report(results: Results, problems: Sequence[str]) -> str:
    """Return tables of the mean ranks and of the problems won and lost."""
    lines = []
    for trials in TRIALS:
        found = volumes(results, problems, trials)
        names = [name for name in SAMPLERS if name in found]
        regrets = {name: {p: [-v for v in of] for p, of in found[name].items()} for name in names}
        of_problems = ranks(regrets, problems)
        best = np.array([max(np.mean(found[name][p]) for name in names) for p in problems])
        lines += [
            f"after {trials} trials, {len(problems)} problems\n",
            "| sampler | mean rank | 95% | hypervolume, of the best |",
            "| --- | --: | --: | --: |",
        ]
        for name, row in zip(names, of_problems, strict=True):
            low, high = interval(row)
            means = np.array([np.mean(found[name][p]) for p in problems])
            share = np.mean(means / np.where(best > 0, best, 1.0))
            lines.append(f"| {name} | {row.mean():.2f} | {low:.2f} to {high:.2f} | {share:.3f} |")
        lines.append("")
        for one, other in itertools.product(OURS, PEERS):
            if one in found and other in found:
                won, lost = _won_and_lost(found[one], found[other])
                lines.append(
                    f"{one} and {other}: {len(won)} won, {len(problems) - len(won) - len(lost)} "
                    f"within the noise, {len(lost)} lost {', '.join(lost)}".rstrip()
                    + "."
                )
        lines.append("")
    return "\n".join(lines)


def _won_and_lost(one: dict[str, list], other: dict[str, list]) -> tuple[list[str], list[str]]:
    won, lost = [], []
    for problem, mine in one.items():
        yours = other[problem]
        error = np.sqrt(np.var(mine, ddof=1) / len(mine) + np.var(yours, ddof=1) / len(yours))
        difference = np.mean(mine) - np.mean(yours)
        if abs(difference) > 2 * error:
            (won if difference > 0 else lost).append(problem)
    return won, lost


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is missing, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--half", choices=[*HALVES], help="one half of the problems, not both")
    parser.add_argument("--samplers", nargs="+", choices=[*SAMPLERS], default=[*SAMPLERS])
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of the searches")
    parser.add_argument("--report", action="store_true", help="run nothing")
    given = parser.parse_args(arguments)
    began = time.time()
    for half, problems in HALVES.items():
        if given.half in {None, half}:
            if not given.report:
                run(problems, given.samplers, given.seeds, given.results)
            print(f"\n### {half}, {given.seeds} seeds\n\n{report(read(given.results), problems)}")
    print(f"{time.time() - began:.0f} seconds")


if __name__ == "__main__":
    main()
