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
        parts.append(f"The {len(half)} problems that our settings were {title}:")
        begun = [s for s in samplers if any((s, problem) in found for problem in half)]
        complete = [s for s in begun if all((s, problem) in found for problem in half)]
        if complete:
            parts += [_half_table(found, complete, half), _kind_table(found, complete, half)]
        common = [problem for problem in half if all((s, problem) in found for s in begun)]
        if len(complete) < len(begun) and common:
            parts.append(f"The {len(common)} of them that all samplers have finished:")
            parts.append(_half_table(found, begun, common))
    return "\n\n".join(parts)


def write(text: str, page: Path = PAGE) -> None:
    """Put the tables in their place in the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def _half_table(found: Found, samplers: Sequence[str], problems: Sequence[str]) -> str:
    """Return ranks and regrets with intervals, and the seconds of a suggestion."""
    heads, columns = ["seeds"], [[str(_seeds(found, s, problems)) for s in samplers]]
    for title, values in (("rank", statistics.ranks), ("regret", statistics.mean_regrets)):
        for checkpoint in CHECKPOINTS:
            heads.append(f"{title} after {checkpoint}")
            columns.append(_column(found, samplers, problems, checkpoint, values))
    heads.append("ms a suggestion")
    columns.append([f"{1e3 * _seconds(found, s, problems):.3g}" for s in samplers])
    return _table(["sampler", *heads], samplers, columns)


def _kind_table(found: Found, samplers: Sequence[str], problems: Sequence[str]) -> str:
    """Return the mean rank after the last checkpoint for each kind of problem."""
    heads, columns = [], []
    for kind, members in KINDS.items():
        if chosen := [problem for problem in problems if problem in members]:
            heads.append(f"{kind} ({len(chosen)})")
            cells = _column(found, samplers, chosen, CHECKPOINTS[-1], statistics.ranks)
            columns.append([cell.partition(" ")[0] for cell in cells])
    return _table([f"rank after {CHECKPOINTS[-1]}", *heads], samplers, columns)


def _column(
    found: Found,
    samplers: Sequence[str],
    problems: Sequence[str],
    checkpoint: int,
    values: Callable[[Regrets, Sequence[str]], np.ndarray],
) -> list[str]:
    """Return a mean with its interval for each sampler that was given enough trials."""
    enough = [s for s in samplers if _trials(found, s, problems) >= checkpoint]
    if not enough:
        return ["-"] * len(samplers)
    cells = _cells(values(_regrets(found, enough, problems, checkpoint), problems))
    return [dict(zip(enough, cells, strict=True)).get(s, "-") for s in samplers]


def _trials(found: Found, sampler: str, problems: Sequence[str]) -> int:
    return min(len(result.losses) for problem in problems for result in found[sampler, problem])


def _seeds(found: Found, sampler: str, problems: Sequence[str]) -> int:
    return min(len(found[sampler, problem]) for problem in problems)


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


def _seconds(found: Found, sampler: str, problems: Sequence[str]) -> float:
    results = [result for problem in problems for result in found[sampler, problem]]
    return float(np.mean([result.seconds / len(result.losses) for result in results]))


def _table(heads: Sequence[str], rows: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for row, *cells in zip(rows, *columns, strict=True):
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
