"""What a sampler loses when several trials run at once, and what the search gains by their speed.

A stack of k models takes `COST[k]` of the time of k trainings one after the other (measured for
small dense networks).  So in the time of T single trials, T / COST[k] trials run.  Each row is the
normalised regret after that time, with k trials suggested before any of them has ended.

    python -m benchmarks.batch_regret --seeds 10 --samplers tpe
"""

from __future__ import annotations

import argparse
import multiprocessing

import numpy as np

from benchmarks.sampler_suite.problems import FUNCTIONS, problem_named, reference
from benchmarks.sampler_suite.tables import HPOLIB, NAS_BENCH
from kt_extras.samplers import TPE, Distinct, Evolution, GaussianProcess, Random
from kt_extras.search import History, Sampler, State, trial_rng

COST = {1: 1.0, 2: 0.61, 4: 0.41, 8: 0.30, 16: 0.22, 32: 0.20}
SAMPLERS: dict[str, Sampler] = {
    "tpe": TPE(),
    "evolution": Evolution(),
    "gp": GaussianProcess(),
    "random": Random(),
}
PROBLEMS = (*HPOLIB, *NAS_BENCH, *list(FUNCTIONS)[:4])
TIMES = (25, 50)  # in trainings of one model alone
TRIALS = 50


def run(sampler: str, problem: str, at_once: int, seed: int) -> list[float]:
    """Return the normalised regret after each of `TIMES`, and after `TRIALS`."""
    task, asked = problem_named(problem), Distinct(SAMPLERS[sampler])
    history, losses = History(task.space), []
    counts = [round(time / COST[at_once]) for time in TIMES]
    while len(losses) < counts[-1]:
        begun = []
        for _ in range(min(at_once, counts[-1] - len(losses))):
            number = len(losses) + len(begun)
            point = asked.suggest(history, task.space, trial_rng(seed, number))
            begun.append((history.start(point), task(point)))
        for number, loss in begun:
            history.finish(number, State.COMPLETED, loss)
            losses.append(loss)
    best = np.minimum.accumulate(losses)
    scale = reference(problem) - task.optimum
    return [float(best[count - 1] - task.optimum) / scale for count in (*counts, TRIALS)]


def main() -> None:
    """Print a table for each sampler: the mean regret over problems of each half."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=["tpe"])
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    halves = options.problems[::2], options.problems[1::2]
    for sampler in options.samplers:
        print(f"\n{sampler}, {options.seeds} seeds\n\n| at once | trials | chosen on | judged on |")
        print("|---|---|---|---|")
        for at_once in COST:
            cells = []
            for half in halves:
                tasks = [(sampler, p, at_once, s) for p in half for s in range(options.seeds)]
                with multiprocessing.Pool(options.jobs) as pool:
                    mean = np.mean(pool.starmap(run, tasks, chunksize=1), axis=0)
                cells.append(", ".join(f"{regret:.4f}" for regret in mean))
            trials = ", ".join(str(round(time / COST[at_once])) for time in TIMES)
            print(f"| {at_once} | {trials} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
