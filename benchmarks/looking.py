"""How long it takes to look into a search of ten thousand trials: each picture, and the report.

python -m benchmarks.looking --trials 10000
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot

from kt_extras import plots
from kt_extras.analysis.search_data import SearchData
from kt_extras.report import report
from tests.plots.made_searches import halving, made, population, two_objectives


def main() -> None:
    """Print a table of seconds, of the wall and of the processor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    options = parser.parse_args()
    search = made(options.trials, epochs=20, workers=4)
    plots.history(made(10)).figure.savefig(io.BytesIO())  # what Matplotlib loads once
    print(f"{options.trials} trials\n\n| what | seconds | of the processor |\n|---|---|---|")
    for name, draw in pictures(search, options.trials).items():
        print(f"| {name} | {timed(lambda draw=draw: saved(draw()))} |", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "report.html"
        print(f"| report | {timed(lambda: report(search, path))} |")
        print(f"\nThe report has {path.stat().st_size / 1e6:.1f} MB.")


def pictures(search: SearchData, trials: int) -> dict[str, Callable[[], Any]]:
    """Return what draws each picture of searches of so many trials."""
    two, three = two_objectives(trials), two_objectives(trials, third=True)
    rungs, members = halving(trials, brackets=3), population(min(trials // 10, 200), epochs=60)
    return {
        "history": lambda: plots.history(search),
        "importance": lambda: plots.importance(search),
        "slice, 7 hyperparameters": lambda: plots.slice(search),
        "contour": lambda: plots.contour(search, "learning_rate", "units_3"),
        "parallel coordinates": lambda: plots.parallel_coordinates(search),
        "curves": lambda: plots.curves(search),
        "rungs": lambda: plots.rungs(rungs),
        f"lineage, {len(members.trials)} members": lambda: plots.lineage(members),
        f"schedule, {len(members.trials)} members": lambda: plots.schedule(members),
        "Pareto front of 2": lambda: plots.pareto_front(two),
        "Pareto front of 3": lambda: plots.pareto_front(three),
        "hypervolume of 2": lambda: plots.hypervolume(two),
        "hypervolume of 3": lambda: plots.hypervolume(three),
        "empirical distribution": lambda: plots.empirical_distribution({"a": search, "b": two}),
        "timeline": lambda: plots.timeline(search),
    }


def saved(drawn: Any) -> None:
    """Write a picture as PNG."""
    getattr(drawn, "figure", drawn).savefig(io.BytesIO(), format="png")
    pyplot.close("all")


def timed(call: Callable[[], Any]) -> str:
    """Return the seconds that a call takes, as cells of the table."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return f"{time.perf_counter() - wall:.2f} | {time.process_time() - processor:.2f}"


if __name__ == "__main__":
    main()
