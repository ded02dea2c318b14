"""The searches of a comparison: all samplers, and what is missing in a folder of results."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.sampler_suite.keras_tuner_peers import KERAS_TUNER
from benchmarks.sampler_suite.optuna_peers import OPTUNA
from benchmarks.sampler_suite.ours import OURS
from benchmarks.sampler_suite.problems import CHOSEN_ON
from benchmarks.sampler_suite.runs import Result, Search, read, run, write
from benchmarks.sampler_suite.smac_peers import SMAC
from benchmarks.sampler_suite.syne_tune_peers import SYNE_TUNE

SEARCHES: dict[str, Search] = {**OURS, **OPTUNA, **SMAC, **SYNE_TUNE, **KERAS_TUNER}
#: Seeds and trials of the slow ones, at most.
SLOW = {
    "BayesianOptimization": (4, 100),
    "RandomForest": (4, 100),
    "Optuna GPSampler": (2, 100),
    "SMAC3": (2, 100),
    "Syne Tune BORE": (1, 100),
    "Syne Tune CQR": (1, 100),
    "KerasTuner BayesianOptimization": (1, 50),
}
#: Sampler, problem, seed and number of trials.
Task = tuple[str, str, int, int]


def missing(
    folder: Path, samplers: Sequence[str], problems: Sequence[str], seeds: int, trials: int
) -> list[Task]:
    """Return the searches without a result: one seed of all samplers and problems, then the next.

    So a comparison may be stopped at any time.  The slow ones of others get only the problems that
    judge.
    """
    known = {(r.sampler, r.problem, r.seed): len(r.losses) for r in read(folder.glob("*.jsonl"))}
    tasks = []
    for seed, problem, sampler in itertools.product(range(seeds), problems, samplers):
        most_seeds, most_trials = SLOW.get(sampler, (seeds, trials))
        wanted = min(trials, most_trials)
        only_judging = sampler in SLOW and sampler not in OURS
        if seed >= most_seeds or (only_judging and problem in CHOSEN_ON):
            continue
        if known.get((sampler, problem, seed), 0) < wanted:
            tasks.append((sampler, problem, seed, wanted))
    return tasks


def compare(tasks: Sequence[Task], jobs: int, deadline: float, folder: Path) -> dict[str, str]:
    """Run searches and keep their results.

    Args:
        tasks: What to run.
        jobs: Number of processes.
        deadline: Of `time.monotonic`; no search begins later.
        folder: Where the results are kept.

    Returns:
        The samplers whose libraries are missing, and what Python says of it.
    """
    absent: dict[str, str] = {}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # for the new processes: one thread for each search
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for task, result in pool.imap_unordered(_one, [(task, deadline) for task in tasks]):
            if isinstance(result, Result):
                write(folder / f"{result.sampler.replace(' ', '_')}.jsonl", result)
            elif result is not None:
                absent[task[0]] = result
    return absent


def _one(of: tuple[Task, float]) -> tuple[Task, Result | str | None]:
    """Run one search; return why it could not be run, or None if it is too late."""
    (sampler, problem, seed, trials), deadline = of
    if time.monotonic() > deadline:
        return of[0], None
    try:
        return of[0], run(sampler, SEARCHES[sampler], problem, seed, trials)
    except ModuleNotFoundError as error:
        return of[0], str(error)
