"""Compare samplers: run the searches that are missing, then write the tables.

    python -m benchmarks.sampler_suite                          # all, in one go
    python -m benchmarks.sampler_suite --samplers TPE "Optuna TPE" --minutes 5
    python -m benchmarks.sampler_suite --seeds 0 --write        # only the tables, into the docs

Results are kept in a folder, one file for each sampler; what is there is not run again, so delete
the file of a sampler whose code has changed.  Slow samplers get fewer seeds, and only the problems
that judge.  A library that is not installed is left out, with a note.  All takes some 40 minutes on
two cores.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.sampler_suite.comparison import SEARCHES, compare, missing
from benchmarks.sampler_suite.problems import CHOSEN_ON, JUDGED_ON
from benchmarks.sampler_suite.report import report, write
from benchmarks.sampler_suite.runs import read


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
    tasks = missing(args.results, args.samplers, args.problems, args.seeds, args.trials)
    deadline = time.monotonic() + 60 * args.minutes
    for sampler, reason in compare(tasks, args.jobs, deadline, args.results).items():
        print(f"Left out: {sampler} ({reason}).")
    order = list(SEARCHES)
    results = read(args.results.glob("*.jsonl"))
    text = report(sorted(results, key=lambda result: order.index(result.sampler)))
    print(text)
    if args.write:
        write(text)


if __name__ == "__main__":
    main()
