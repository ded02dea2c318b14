"""Compare samplers: run the searches that are missing, then write the tables.

    python -m benchmarks.sampler_suite                          # all, in one go
    python -m benchmarks.sampler_suite --samplers TPE "Optuna TPE" --minutes 5
    python -m benchmarks.sampler_suite --seeds 0 --write        # only the tables, into the docs

Results are kept in a folder, one file for each sampler; what is there is not run again.  Slow
samplers get fewer seeds.  A library that is not installed is left out, with a note.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import time
from pathlib import Path

from benchmarks.sampler_suite.keras_tuner_peers import KERAS_TUNER
from benchmarks.sampler_suite.optuna_peers import OPTUNA
from benchmarks.sampler_suite.ours import OURS
from benchmarks.sampler_suite.problems import CHOSEN_ON, JUDGED_ON
from benchmarks.sampler_suite.report import report
from benchmarks.sampler_suite.report import write as write_page
from benchmarks.sampler_suite.runs import Result, Search, read, run
from benchmarks.sampler_suite.runs import write as write_result
from benchmarks.sampler_suite.smac_peers import SMAC
from benchmarks.sampler_suite.syne_tune_peers import SYNE_TUNE

SEARCHES: dict[str, Search] = {**OURS, **OPTUNA, **SMAC, **SYNE_TUNE, **KERAS_TUNER}
FEW = {"Optuna GPSampler": 2, "SMAC3": 2, "Syne Tune BORE": 2, "Syne Tune CQR": 2}
FEW["KerasTuner BayesianOptimization"] = 1
Task = tuple[str, str, int, int]


def main() -> None:
    """Run what is missing, print the tables, and write them if wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samplers", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--problems", nargs="+", default=[*JUDGED_ON, *CHOSEN_ON])
    parser.add_argument("--seeds", type=int, default=10, help="of the fast samplers")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin none later")
    parser.add_argument("--results", type=Path, default=Path("runs/sampler_suite"))
    parser.add_argument("--write", action="store_true", help="put the tables into the docs")
    args = parser.parse_args()
    known = {(r.sampler, r.problem, r.seed) for r in read(args.results.glob("*.jsonl"))}
    tasks: list[Task] = [
        (sampler, problem, seed, args.trials)
        for seed, problem, sampler in itertools.product(
            range(args.seeds), args.problems, args.samplers
        )
        if seed < FEW.get(sampler, args.seeds) and (sampler, problem, seed) not in known
    ]
    _run(tasks, args.jobs, time.monotonic() + 60 * args.minutes, args.results)
    order = list(SEARCHES)
    results = sorted(read(args.results.glob("*.jsonl")), key=lambda r: order.index(r.sampler))
    text = report(results)
    print(text)
    if args.write:
        write_page(text)


def _run(tasks: list[Task], jobs: int, deadline: float, folder: Path) -> None:
    """Run the tasks, and name the samplers whose libraries are missing."""
    missing: dict[str, str] = {}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # for the new processes: one thread for each search
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for task, result in pool.imap_unordered(_one, [(task, deadline) for task in tasks]):
            if isinstance(result, Result):
                write_result(folder / f"{result.sampler.replace(' ', '_')}.jsonl", result)
            elif result is not None:
                missing[task[0]] = result
    for sampler, reason in missing.items():
        print(f"Left out: {sampler} ({reason}).")


def _one(of: tuple[Task, float]) -> tuple[Task, Result | str | None]:
    """Run one search; return why it could not be run, or None if it is too late."""
    (sampler, problem, seed, trials), deadline = of
    if time.monotonic() > deadline:
        return of[0], None
    try:
        return of[0], run(sampler, SEARCHES[sampler], problem, seed, trials)
    except ModuleNotFoundError as error:
        return of[0], str(error)


if __name__ == "__main__":
    main()
