"""Reports a running search: the progress, a line for each trial that has ended, and TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keras_tuner.engine.trial import Trial

from kt_extras.arguments import counted
from kt_extras.bridge.objective import sum_text
from kt_extras.bridge.trial_state import TrialState
from kt_extras.loggers.trial_logger import TrialLogger
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.plan import expected_epochs, planned_trials
from kt_extras.records.failures_said import UNSUCCESSFUL, counts_text, failures_text, indented
from kt_extras.records.scores import best_metrics
from kt_extras.records.trial_record import TrialRecord
from kt_extras.search import Space
from kt_extras.tensorboard import Progress, SearchBoard
from kt_extras.tensorboard.failures import tolerated
from kt_extras.tensorboard.progress import Rungs
from kt_extras.tensorboard.project_dirs import owner_of
from kt_extras.tuners.population_curves import hyperparameter_curves, lineage_of
from kt_extras.tuners.progress_line import ProgressLine, Status
from kt_extras.tuners.search_loggers import search_log
from kt_extras.tuners.trial_lines import cells, number, trial_line

_CORRECTIONS = 20  # of the expected number of epochs, in a search


_LEAST_FOR_IMPORTANCE = 10  # trials


class SearchMonitor:
    """Reports a running search: the progress, a line for each trial, and TensorBoard.

    Args:
        oracle: The oracle of the search.
        project: Path of the project's directory.
        visible: Whether to show the progress and the lines.
        loggers: Are told of the search.  Defaults to none.
        clear_boards: Whether to remove the files of an earlier search from the TensorBoard
            directories.  Defaults to False.
    """

    def __init__(
        self,
        oracle: SamplerOracle,
        project: str,
        *,
        visible: bool,
        loggers: Sequence[TrialLogger] = (),
        clear_boards: bool = False,
    ) -> None:
        self._oracle, self._project, self._visible = oracle, project, visible
        self._clear_boards = clear_boards
        # With a scheduler trials train for different epochs, so these are the measure of progress.
        expected = expected_epochs(oracle) if visible else None
        self._by_epochs = expected is not None
        self._total = expected.expected if expected else planned_trials(oracle)
        self._corrected_at = oracle.totals.epochs
        unit = "epoch" if self._by_epochs else "trial"
        self._line = ProgressLine(unit, self._total, self._done, visible=visible)
        self._ended: dict[str, None] = {}  # the ids of trials that ended in this session, in order
        self._explained = False  # whether a failure has been shown with its place
        self._boards: dict[str, SearchBoard] = {}
        self._began_in: dict[str, dict[str, SearchBoard]] = {}  # the boards of each trial
        self._described: dict[str, Space] = {}
        if (said := sum_text(oracle.objective)) is not None:
            self._line.write(said)
        self._search_log = search_log(oracle, project, loggers)
        self._search_log.begin()
        self._show()

    def board(self, log_dir: str) -> SearchBoard:
        """Return the writer of a TensorBoard directory."""
        if log_dir not in self._boards:
            owner = owner_of(self._project, log_dir)
            name = os.path.basename(self._project)
            board = SearchBoard(log_dir, self._oracle.objective.name, name, owner)
            self._boards[log_dir] = board
            if self._clear_boards:
                board.clear()
        return self._boards[log_dir]

    def prepare(self, log_dirs: Sequence[str]) -> None:
        """Clear TensorBoard directories now if they are to be cleared, and others never.

        Other processes write to them as soon as their trials begin.
        """
        for log_dir in log_dirs:
            with tolerated(log_dir):
                self.board(log_dir)
        self._clear_boards = False

    def trial_began(self, trial: Trial, log_dir: str) -> None:
        """Show a trial in a TensorBoard directory."""
        with tolerated(log_dir):
            board = self.board(log_dir)
            self._began_in.setdefault(trial.trial_id, {})[log_dir] = board
            self._describe(log_dir)
            board.begin_trial(trial.trial_id, dict(trial.hyperparameters.values))

    def epoch_ended(self, trial_id: str) -> None:
        """Show an epoch of a trial."""
        self._search_log.trained(trial_id)
        self._show()

    def trial_ended(self, trial_id: str) -> None:
        """Show the end of a trial, or of an attempt at it."""
        record = self._oracle.trial_record(trial_id)
        self._ended[trial_id] = None
        self._search_log.ended(trial_id)
        self._show()
        self._log(record)
        if record.state == "waiting":
            return
        self._line.advance(self._done, self._expected())
        # One that has ended before its training is shown in all.
        boards = self._began_in.get(trial_id, self._boards)
        for log_dir, board in boards.items():
            with tolerated(log_dir):
                self._describe(log_dir)
                self._write_row(board, record, final=record.state is not TrialState.PAUSED)
                board.report(self._progress())
                if self._oracle.scheduler is not None:
                    board.report_rungs(self._rungs(), self._oracle.totals.epochs)

    def close(self, *, finished: bool) -> None:
        """End the progress line, and write what TensorBoard and loggers show of a whole search.

        Args:
            finished: Whether the search was not interrupted.
        """
        self._line.close()
        self._search_log.close(finished=finished)
        importance, advice = self._learnt() if finished and self._boards else ({}, [])
        for log_dir, board in self._boards.items():
            with tolerated(log_dir):
                self._finish(board)
                board.write_importance(importance, advice, self._oracle.totals.epochs)

    def _learnt(self) -> tuple[Mapping[str, float], Sequence[str]]:
        """Return how much each hyperparameter matters, and advice; neither for a few trials."""
        data = self._oracle.search_data()
        if len(data.scored) < _LEAST_FOR_IMPORTANCE:
            return {}, []
        from kt_extras.analysis.advice import advice  # which takes a second to load
        from kt_extras.analysis.importance import importance

        return importance(data), advice(data)

    def _finish(self, board: SearchBoard) -> None:
        for record in self._oracle.trial_records():
            name = record.trial.trial_id
            if record.state is TrialState.PAUSED and board.is_unfinished(name):
                self._write_row(board, record, final=True)
        if self._oracle.scheduler is not None:
            board.write_tables(self._rungs(lineage=True), self._oracle.totals.epochs)

    def report_ending(self) -> None:
        """Print why the search has ended, and which trials of this session have failed."""
        what = "No trial was left to run"
        if self._ended:
            what = f"Search ended after {counted(self._oracle.totals.ended, 'trial')}"
        self._line.write(f"{what}: {self._oracle.ended_because}")
        if self._oracle.totals.best is None:
            return  # `ended_because` has the reason
        said = failures_text([self._oracle.trial_record(name) for name in self._ended])
        if said:
            self._line.write(said)

    def _describe(self, log_dir: str) -> None:
        """Describe the space once, and again when it has grown."""
        space = self._oracle.space
        if self._described.get(log_dir) != space:
            self._boards[log_dir].describe(space)
            self._described[log_dir] = space

    def _write_row(self, board: SearchBoard, record: TrialRecord, *, final: bool) -> None:
        trial = record.trial
        board.end_trial(
            trial.trial_id,
            number=record.number,
            values=record.best_values,
            state=record.state,
            score=trial.score,
            best_epoch=trial.best_step if trial.score is not None else None,
            epochs=record.epochs,
            metrics=best_metrics(record, self._oracle.objective),
            schedule=self._schedule(record),
            final=final,
        )

    def _schedule(self, record: TrialRecord) -> dict[str, list[tuple[int, float]]]:
        """Return the hyperparameters that a population may change, by epoch."""
        if not self._is_population:
            return {}
        mutable = getattr(self._oracle.scheduler, "mutable", None)
        return hyperparameter_curves(record, self._oracle.space, mutable)

    @property
    def _done(self) -> int:
        totals = self._oracle.totals
        return totals.epochs if self._by_epochs else totals.ended

    def _expected(self) -> int | None:
        """Return how much there is to do in all, corrected by what has been done."""
        left = self._oracle.remaining_trials() or 0
        if not self._by_epochs:
            return None if self._total is None else max(self._total, self._done + left)
        total = self._total or 0
        if not left or self._done - self._corrected_at >= total / _CORRECTIONS:
            self._corrected_at = self._done
            expected = expected_epochs(self._oracle)
            self._total = expected.expected if expected else total
        return max(self._total or 0, self._done)

    def _show(self) -> None:
        if not self._visible:
            return
        totals = self._oracle.totals
        other = counted(totals.ended, "trial")
        counts = [other if self._by_epochs else counted(totals.epochs, "epoch")]
        if self._oracle.pruner is not None or totals.pruned:
            counts.append(f"{totals.pruned} pruned")
        if totals.promotions and not self._is_population:
            counts.append(f"{totals.promotions} promoted")
        if totals.exploits:
            counts.append(counted(totals.exploits, "exploit"))
        if totals.failed or totals.rejected:  # only then a pass over all trials
            counts += counts_text(self._oracle.trial_records(), UNSUCCESSFUL)
        if self._oracle.front_size:
            counts.append(f"{self._oracle.front_size} on the front")
        self._line.show(Status(self._oracle.objective.name, number(totals.best), counts))

    def _log(self, record: TrialRecord) -> None:
        """Show how a trial has ended; the first failure with its place in the user's code."""
        if record.state is TrialState.PAUSED and self._is_population:
            return  # the members of a population pause often, and all of them
        goals, totals = self._oracle.goals, self._oracle.totals
        others = () if goals is None else goals.objectives[1:]
        metrics = best_metrics(record, self._oracle.objective) if others else {}
        best = f"best {number(totals.best)}"
        if others:
            best = f"{self._oracle.front_size} on the front"
        beside = {other.name: metrics[other.name] for other in others if other.name in metrics}
        line = trial_line(record, self._oracle.objective.name, best, beside)
        self._line.trial(line, cells(record), None if others else totals.best)
        bad = record.state in UNSUCCESSFUL or record.state is TrialState.WAITING
        if bad and not self._explained and record.trial.message:
            self._explained = True
            self._line.write(indented(record.trial.message))

    @property
    def _is_population(self) -> bool:
        """Whether trials pause to be compared, and all go on."""
        return self._oracle.scheduler is not None and self._oracle.scheduler.revives

    def _rungs(self, *, lineage: bool = False) -> Rungs:
        """Return what the scheduler has done; all members of a population reach all rungs."""
        totals = self._oracle.totals
        rows = lineage_of(self._oracle.trial_records()) if lineage else []
        if self._is_population:
            return Rungs({}, exploits=totals.exploits, lineage=rows)
        return Rungs(self._oracle.reached(), totals.promotions)

    def _progress(self) -> Progress:
        totals, scheduler = self._oracle.totals, self._oracle.scheduler
        stops = self._oracle.pruner is not None or (scheduler is not None and not scheduler.resumes)
        return Progress(
            trials=None if self._is_population else totals.ended,
            pruned=totals.pruned if stops or totals.pruned else None,
            epochs=totals.epochs,
            seconds=self._oracle.seconds(),
            best=totals.best,
            hypervolume=self._oracle.hypervolume,
        )


def resumption(oracle: Any, project: str, changes: Sequence[str]) -> str:
    """Return the message of a search that is resumed.

    Args:
        oracle: The oracle, which has loaded the search.
        project: The project's name.
        changes: A line for each difference between the recorded space and the one declared now.
    """
    lines = [f"Resuming {project!r}: {', '.join(_counts(oracle))}."]
    if changes:
        lines.append("The search space has changed; results are kept where they still fit:")
        lines += [f"  {change}" for change in changes]
    return "\n".join(lines)


def _counts(oracle: Any) -> Iterator[str]:
    """Yield how many trials have ended for good, and how many are to be trained."""
    states = [record.state for record in oracle.trial_records() if not record.added]
    done = sum(state.is_finished and state is not TrialState.REJECTED for state in states)
    yield f"{counted(done, 'trial')} done"
    again, left = sum(state.is_open for state in states), oracle.remaining_trials()
    if oracle.scheduler is None:
        if left is not None:
            yield f"{again + left} to go"
        return
    yield f"{states.count(TrialState.PAUSED)} paused"
    if again:
        yield f"{again} to run again"
    if left is not None:
        yield f"{left} to begin"
