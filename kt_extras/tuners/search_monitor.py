"""Reports a running search to the progress line and TensorBoard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_tuner.engine.trial import Trial

from kt_extras.arguments import counted
from kt_extras.bridge.metrics import Metrics
from kt_extras.bridge.objective import sum_text
from kt_extras.bridge.trial_state import TrialState
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.plan import planned_epochs, planned_trials
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import Space
from kt_extras.tensorboard import Progress, SearchBoard
from kt_extras.tensorboard.board import Rungs
from kt_extras.tuners.progress_line import ProgressLine


class SearchMonitor:
    """Reports a running search to the progress line and TensorBoard.

    Args:
        oracle: The oracle of the search.
        visible: Whether to show the progress line.
        clear_boards: Whether to remove the files of an earlier search from the TensorBoard
            directories.  Defaults to False.
    """

    def __init__(self, oracle: SamplerOracle, *, visible: bool, clear_boards: bool = False) -> None:
        self._oracle = oracle
        self._clear_boards = clear_boards
        # With a scheduler trials train for different epochs, so these are the measure of progress.
        self._by_epochs = planned_epochs(oracle)
        total = self._by_epochs or planned_trials(oracle)
        unit = "epoch" if self._by_epochs else "trial"
        self._line = ProgressLine(unit, total, self._done, visible=visible)
        self._before = oracle.totals.ended
        self._boards: dict[str, SearchBoard] = {}
        self._described: dict[str, Space] = {}
        if (said := sum_text(oracle.objective)) is not None:
            self._line.write(said)
        self._show()

    def board(self, log_dir: str) -> SearchBoard:
        """Return the writer of a TensorBoard directory."""
        if log_dir not in self._boards:
            self._boards[log_dir] = SearchBoard(log_dir, self._oracle.objective.name)
            if self._clear_boards:
                self._boards[log_dir].clear()
        return self._boards[log_dir]

    def trial_began(self, trial: Trial, log_dir: str) -> None:
        """Show a trial in a TensorBoard directory."""
        board = self.board(log_dir)
        self._describe(log_dir)
        board.begin_trial(trial.trial_id, dict(trial.hyperparameters.values))

    def epoch_ended(self) -> None:
        """Show an epoch."""
        self._show()

    def trial_ended(self, trial_id: str) -> None:
        """Show the end of a trial, or of an attempt at it."""
        record = self._oracle.trial_record(trial_id)
        self._show()
        if record.state == "waiting":
            return
        self._line.advance(self._done, left=self._oracle.remaining_trials() or 0)
        for log_dir, board in self._boards.items():
            self._describe(log_dir)
            board.end_trial(
                trial_id,
                values=record.best_values,
                state="infeasible" if record.state == "rejected" else record.state,
                score=record.trial.score,
                best_epoch=record.trial.best_step if record.trial.score is not None else None,
                epochs=record.epochs,
                metrics=_best_metrics(record),
            )
            board.report(self._progress())
            if self._oracle.scheduler is not None:
                board.report_rungs(self._rungs(), self._oracle.totals.epochs)

    def close(self) -> None:
        """End the progress line, and write the final tables for TensorBoard."""
        self._line.close()
        if self._oracle.scheduler is not None:
            for board in self._boards.values():
                board.write_tables(self._rungs(lineage=True), self._oracle.totals.epochs)

    def report_ending(self) -> None:
        """Print why the search has ended."""
        self._line.write(ending(self._oracle, self._before))

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
        others = (
            counted(totals.ended, "trial") if self._by_epochs else counted(totals.epochs, "epoch")
        )
        counts = {"promoted": totals.promotions, "exploits": totals.exploits}
        if self._oracle.scheduler is None or totals.pruned:
            counts = {"pruned": totals.pruned, **counts}
        counts |= {"failed": totals.failed, "rejected": totals.rejected}
        shown = [f"{n} {what}" for what, n in counts.items() if n or what == "pruned"]
        self._line.show(f"best {self._oracle.objective.name} {best}", others, *shown)

    def _rungs(self, *, lineage: bool = False) -> Rungs:
        totals = self._oracle.totals
        rows = lineage_of(self._oracle.trial_records()) if lineage else []
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
        oracle: The oracle, which has no further trial.
        before: Number of trials that had ended when the session began.
    """
    ended = oracle.totals.ended
    what = (
        f"Search ended after {counted(ended, 'trial')}"
        if ended > before
        else "No trial was left to run"
    )
    return f"{what}: {oracle.ended_because}"


def lineage_of(entries: Sequence[TrialRecord]) -> list[tuple[int, str, str, str]]:
    """Return one row per exploit: its epoch, the member, its parent, and the changed values."""
    rows = []
    for record in entries:
        for taken in record.exploits:
            changes = (f"{name}={value}" for name, value in taken.after.items())
            rows.append((taken.epoch, record.trial.trial_id, taken.parent, ", ".join(changes)))
    return sorted(rows)


def _best_metrics(record: TrialRecord) -> Metrics:
    """Return the metrics of the best epoch, and those that the training returned."""
    runs = [run for run in record.executions if run]
    epoch = runs[0].get(record.trial.best_step, {}) if runs else {}
    return {**epoch, **record.results}


def resumption(oracle: Any, project: str, changes: Sequence[str]) -> str:
    """Return the message of a search that is resumed.

    Args:
        oracle: The oracle, which has loaded the search.
        project: The project's name.
        changes: A line for each difference between the recorded space and the one declared now.
    """
    left = oracle.remaining_trials()
    lines = [
        f"Resuming {project!r}: {counted(oracle.totals.ended, 'trial')} done"
        + ("." if left is None else f", {max(left, 0)} to go.")
    ]
    if changes:
        lines.append("The search space has changed; results are kept where they still fit:")
        lines += [f"  {change}" for change in changes]
    return "\n".join(lines)
