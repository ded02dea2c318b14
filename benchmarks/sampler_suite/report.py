"""The tables of the comparison, in Markdown, and their place in docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.sampler_suite import statistics
from benchmarks.sampler_suite.problems import CHOSEN_ON, JUDGED_ON, KINDS, regret
from benchmarks.sampler_suite.runs import Result
from benchmarks.sampler_suite.statistics import Regrets

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- sampler_suite: begin -->", "<!-- sampler_suite: end -->"
CHECKPOINTS = (25, 50, 100)
HALVES = {"judged on": JUDGED_ON, "chosen on": CHOSEN_ON}
Found = dict[tuple[str, str], list[Result]]


def report(results: Iterable[Result]) -> str:
    """Return all tables."""
    found: Found = {}
    for result in results:
        found.setdefault((result.sampler, result.problem), []).append(result)
    samplers = list(dict.fromkeys(sampler for sampler, _ in found))
    parts = []
    for title, half in HALVES.items():
        complete = [s for s in samplers if all((s, problem) in found for problem in half)]
        left_out = [s for s in samplers if s not in complete]
        parts.append(f"Problems that the settings of our samplers were {title} ({len(half)}):")
        if complete:
            parts += [_half_table(found, complete, half), _kind_table(found, complete, half)]
        if left_out:
            parts.append(f"Without results on all of these problems: {', '.join(left_out)}.")
    return "\n\n".join(parts)


def write(text: str, page: Path = PAGE) -> None:
    """Put the tables in their place in the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def _half_table(found: Found, samplers: Sequence[str], problems: Sequence[str]) -> str:
    """Return ranks and regrets with intervals, and the seconds of a search's suggestions."""
    heads = [f"rank after {c}" for c in CHECKPOINTS] + [f"regret after {c}" for c in CHECKPOINTS]
    regrets = [_regrets(found, samplers, problems, c) for c in CHECKPOINTS]
    columns = [_cells(statistics.ranks(after, problems)) for after in regrets]
    columns += [_cells(statistics.mean_regrets(after, problems)) for after in regrets]
    columns.append([_seconds(found, sampler, problems) for sampler in samplers])
    columns.append([str(min(len(found[s, p]) for p in problems)) for s in samplers])
    return _table(["sampler", *heads, "seconds", "seeds"], samplers, columns)


def _kind_table(found: Found, samplers: Sequence[str], problems: Sequence[str]) -> str:
    """Return the mean rank after the last checkpoint for each kind of problem."""
    columns, heads = [], []
    for kind, members in KINDS.items():
        if chosen := [problem for problem in problems if problem in members]:
            ranks = statistics.ranks(_regrets(found, samplers, chosen, CHECKPOINTS[-1]), chosen)
            heads.append(f"{kind} ({len(chosen)})")
            columns.append([f"{rank:.2f}" for rank in ranks.mean(axis=1)])
    return _table([f"rank after {CHECKPOINTS[-1]}", *heads], samplers, columns)


def _regrets(
    found: Found, samplers: Sequence[str], problems: Sequence[str], checkpoint: int
) -> Regrets:
    def after(result: Result) -> float:
        return float(regret(result.problem, result.losses[:checkpoint])[-1])

    return {s: {p: [after(result) for result in found[s, p]] for p in problems} for s in samplers}


def _cells(values: np.ndarray) -> list[str]:
    """Return the mean of each row with its interval."""
    digits: Callable[[float], str] = "{:.2f}".format if values.max() >= 1 else "{:.3f}".format
    ends = zip(values.mean(axis=1), *statistics.interval(values), strict=True)
    return [f"{digits(mean)} [{digits(low)}, {digits(high)}]" for mean, low, high in ends]


def _seconds(found: Found, sampler: str, problems: Sequence[str]) -> str:
    seconds = [result.seconds for problem in problems for result in found[sampler, problem]]
    return f"{np.mean(seconds):.2g}"


def _table(heads: Sequence[str], rows: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for row, *cells in zip(rows, *columns, strict=True):
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
