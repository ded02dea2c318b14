"""What `confirm` returns: scores of the best trials with other seeds, and what they are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

CorrectedFor = Literal["holdout", "seeds and rows", "seeds"]

_HOW = {
    "holdout": "measured on the holdout",
    "seeds and rows": "without what luck with seeds and with validation rows adds",
    "seeds": "without what luck with seeds adds, but with that of the validation rows",
}


@dataclass(frozen=True)
class ConfirmedTrial:
    """A trial whose model was trained again with fresh seeds.

    Attributes:
        trial_id: Its id.
        search_score: Its score in the search.
        scores: With each seed, in the objective's own scale.
        mean: Of these.
        standard_error: Of the mean; infinite with one seed.
        interval: The t-interval of the mean.
        holdout_mean: The mean on the holdout, None without one.
        dropped: Whether it left the race, since another one was better.
    """

    trial_id: str
    search_score: float
    scores: tuple[float, ...]
    mean: float
    standard_error: float
    interval: tuple[float, float]
    holdout_mean: float | None
    dropped: bool


@dataclass(frozen=True)
class Confirmation:
    """What the best trials of a search are worth.

    Attributes:
        objective: Name of the objective.
        direction: `"min"` or `"max"`.
        rows: The trials, best first; those that left the race behind the others.
        original_score: The best score of the search.
        corrected_score: What the best trial is expected to score when it is trained anew and
            judged on new data.
        corrected_for: `"holdout"`: it was measured on data by which nothing was chosen; `"seeds and
            rows"`: the expected effect of luck with seeds and with validation rows is taken off;
            `"seeds"`: that of seeds alone, since the validation data cannot be split.
        seed_deviation: The standard deviation of a score between seeds.
        row_deviation: What the choice of validation rows adds to differences between trials, as a
            standard deviation; None if it was not measured.
    """

    objective: str
    direction: Literal["min", "max"]
    rows: Sequence[ConfirmedTrial]
    original_score: float
    corrected_score: float
    corrected_for: CorrectedFor
    seed_deviation: float
    row_deviation: float | None

    @property
    def best(self) -> ConfirmedTrial:
        """The trial with the best mean."""
        return self.rows[0]

    @property
    def optimism(self) -> float:
        """By how much the best score of the search is better than the corrected one."""
        sign = 1.0 if self.direction == "max" else -1.0
        return sign * (self.original_score - self.corrected_score)

    def __str__(self) -> str:
        cells = [_HEADER, *map(_cells, self.rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in cells
        ]
        return "\n".join([*lines, self._summary()])

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        rows = [
            "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"
            for tag, row in [("th", _HEADER), *(("td", _cells(row)) for row in self.rows)]
        ]
        return f"<table>{''.join(rows)}</table><p>{escape(self._summary())}</p>"

    def _summary(self) -> str:
        return (
            f"{self.objective} was {self.original_score:.5g} in the search, and is "
            f"{self.corrected_score:.5g} {_HOW[self.corrected_for]}: the search was "
            f"{abs(self.optimism):.2g} too {'optimistic' if self.optimism >= 0 else 'pessimistic'}."
        )


_HEADER = ("trial", "in the search", "mean", "95% interval", "holdout", "seeds", "")


def _cells(row: ConfirmedTrial) -> tuple[str, ...]:
    low, high = row.interval
    return (
        row.trial_id,
        f"{row.search_score:.5g}",
        f"{row.mean:.5g}",
        f"{low:.5g} to {high:.5g}",
        "" if row.holdout_mean is None else f"{row.holdout_mean:.5g}",
        str(len(row.scores)),
        "dropped" if row.dropped else "",
    )
