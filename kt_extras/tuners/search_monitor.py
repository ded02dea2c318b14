"""Those who look on while a search runs: the progress line and TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_tuner.engine.trial import Trial

from kt_extras.bridge.metrics import Metrics
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.plan import planned_epochs, planned_trials
from kt_extras.records.trial_record import Entry
from kt_extras.search import Space
from kt_extras.tensorboard import Progress, SearchBoard
from kt_extras.tensorboard.board import Rungs
from kt_extras.tuners.progress_line import ProgressLine


class SearchWatch:
    """Tells the progress line and every TensorBoard directory what happens.

    Args:
        oracle: The oracle of the search.
        visible: Whether to show the progress line.
        anew: Whether to remove what an earlier search has left in the TensorBoard directories.
    """

    def __init__(self, oracle: SamplerOracle, *, visible: bool, anew: bool = False) -> None:
        self._oracle = oracle
        self._anew = anew
        # What a scheduler makes of a trial differs, so its searches are measured by their epochs.
        self._by_epochs = planned_epochs(oracle)
        total = self._by_epochs or planned_trials(oracle)
        unit = "epoch" if self._by_epochs else "trial"
        self._line = ProgressLine(unit, total, self._done, visible=visible)
        self._before = oracle.totals.ended
        self._boards: dict[str, SearchBoard] = {}
        self._described: dict[str, Space] = {}
        self._show()

    def board(self, log_dir: str) -> SearchBoard:
        """Return what writes to a TensorBoard directory."""
        if log_dir not in self._boards:
            self._boards[log_dir] = SearchBoard(log_dir, self._oracle.objective.name)
            if self._anew:
                self._boards[log_dir].clear()
        return self._boards[log_dir]

    def trial_began(self, trial: Trial, log_dir: str) -> None:
        """Show a trial in a TensorBoard directory."""
        board = self.board(log_dir)
        self._describe(log_dir)
        board.begin_trial(trial.trial_id, dict(trial.hyperparameters.values))

    def spare(self, trial_id: str) -> None:
        """Take back that a trial was asked to stop: it has come to its end by itself."""
        self._oracle.spare(trial_id)

    def epoch_ended(self) -> None:
        """Show an epoch."""
        self._show()

    def trial_ended(self, trial_id: str) -> None:
        """Show the end of a trial, or of an attempt at it."""
        entry = self._oracle.entry(trial_id)
        self._show()
        if entry.state == "waiting":
            return
        self._line.advance(self._done, left=self._oracle.remaining_trials() or 0)
        for log_dir, board in self._boards.items():
            self._describe(log_dir)
            board.end_trial(
                trial_id,
                values=entry.best_values,
                state="infeasible" if entry.state == "rejected" else entry.state,
                score=entry.trial.score,
                best_epoch=entry.trial.best_step if entry.trial.score is not None else None,
                epochs=entry.epochs,
                metrics=_best_metrics(entry),
            )
            board.report(self._progress())
            if self._oracle.scheduler is not None:
                board.report_rungs(self._rungs(), self._oracle.totals.epochs)

    def close(self) -> None:
        """Leave the line as it is, and sum up for TensorBoard."""
        self._line.close()
        if self._oracle.scheduler is not None:
            for board in self._boards.values():
                board.write_tables(self._rungs(lineage=True), self._oracle.totals.epochs)

    def say_why(self) -> None:
        """Say why the search has ended."""
        self._line.say(ending(self._oracle, self._before))

    def _describe(self, log_dir: str) -> None:
        """Describe the space once, and again when it has grown."""
        space = self._oracle.space
        if self._described.get(log_dir) != space:
            self._boards[log_dir].describe(space)
            self._described[log_dir] = space

    @property
    def _done(self) -> int:
        totals = self._oracle.totals
        return totals.epochs if self._by_epochs else totals.ended

    def _show(self) -> None:
        totals = self._oracle.totals
        best = "-" if totals.best is None else f"{totals.best:.5g}"
        others = f"{totals.ended} trials" if self._by_epochs else f"{totals.epochs} epochs"
        counts = {"promoted": totals.promotions, "exploits": totals.exploits}
        if self._oracle.scheduler is None or totals.pruned:
            counts = {"pruned": totals.pruned, **counts}
        counts |= {"failed": totals.failed, "rejected": totals.rejected}
        shown = [f"{n} {what}" for what, n in counts.items() if n or what == "pruned"]
        self._line.show(f"best {self._oracle.objective.name} {best}", others, *shown)

    def _rungs(self, *, lineage: bool = False) -> Rungs:
        totals = self._oracle.totals
        rows = lineage_of(self._oracle.entries()) if lineage else []
        return Rungs(self._oracle.reached(), totals.promotions, totals.exploits, rows)

    def _progress(self) -> Progress:
        totals: Any = self._oracle.totals
        return Progress(
            trials=totals.ended,
            pruned=totals.pruned,
            epochs=totals.epochs,
            seconds=self._oracle.seconds(),
            best=totals.best,
        )


def ending(oracle: SamplerOracle, before: int) -> str:
    """Return why a search has ended.

    Args:
        oracle: Which has just had no further trial.
        before: How many trials had ended when the session began.
    """
    ended = oracle.totals.ended
    counted = f"{ended} trial{'s' * (ended != 1)}"
    what = f"Search ended after {counted}" if ended > before else "No trial was left to run"
    return f"{what}: {oracle.ended_because}"


def lineage_of(entries: Sequence[Entry]) -> list[tuple[int, str, str, str]]:
    """Return one row an exploit: its epoch, the member, its parent, and what was changed."""
    rows = []
    for entry in entries:
        for taken in entry.takeovers:
            changes = (f"{name}={value}" for name, value in taken.after.items())
            rows.append((taken.epoch, entry.trial.trial_id, taken.parent, ", ".join(changes)))
    return sorted(rows)


def _best_metrics(entry: Entry) -> Metrics:
    """Return the metrics of the best epoch, and those that came with the end."""
    runs = [run for run in entry.executions if run]
    epoch = runs[0].get(entry.trial.best_step, {}) if runs else {}
    return {**epoch, **entry.results}


def resumption(oracle: Any, project: str, changes: Sequence[str]) -> str:
    """Return what a resumed search has found, for the user to read."""
    left = oracle.remaining_trials()
    lines = [
        f"Going on with {project!r}: {oracle.totals.ended} trials done"
        + ("." if left is None else f", {max(left, 0)} to go.")
    ]
    if changes:
        lines.append("The search space has changed; results are kept where they still fit:")
        lines += [f"  {change}" for change in changes]
    return "\n".join(lines)
