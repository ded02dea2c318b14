"""The state of a search as the fold of its events.

Everything that changes is an event: a plain record that goes into the journal and is then applied
here.  A reload applies the same events again, so there is one piece of code that changes state and
no second one that restores it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import TrialStatus

from kt_extras.bridge.lazy_trial import LazyTrial
from kt_extras.bridge.metrics import Metrics, decoded, metric_history, rows
from kt_extras.bridge.objective import loss_of, sign_of, value_in
from kt_extras.bridge.spaces import to_space
from kt_extras.records.trial_record import Entry, Takeover
from kt_extras.search import History, Point, State
from kt_extras.storage.journal import FORMAT

Event = dict[str, Any]

_STATES = {
    "running": State.RUNNING,
    "completed": State.COMPLETED,
    "pruned": State.PRUNED,
    "infeasible": State.INFEASIBLE,
    "failed": State.INFEASIBLE,
    "rejected": State.INFEASIBLE,
    "paused": State.PAUSED,
}


@dataclass
class Totals:
    """Sums over a search, kept up to date so that nobody has to go through all trials."""

    ended: int = 0
    pruned: int = 0
    failed: int = 0
    rejected: int = 0  # not among those that ended: they use up no trial
    epochs: int = 0
    best: float | None = None
    stale: int = 0  # trials with a score that ended since the best of them
    promotions: int = 0  # how often a trial was given more epochs
    exploits: int = 0  # how often a member of a population has taken over from another


class Ledger:
    """All that is known of a search; changed by `apply` alone.

    Args:
        objective: With its direction settled.
        hyperparameters: The declared space; grows as hyperparameters come to light.
    """

    def __init__(
        self, objective: keras_tuner.Objective, hyperparameters: keras_tuner.HyperParameters
    ) -> None:
        self.objective = objective
        self.hyperparameters = hyperparameters
        self.entries: dict[str, Entry] = {}
        self.waiting: deque[str] = deque()  # trials to be run again, oldest first
        self.enqueued: deque[Point] = deque()  # points to be tried before the sampler is asked
        self.ended: list[str] = []
        self.totals = Totals()
        self.clock = 0.0
        self.seed: int | None = None
        self.objective_recorded = str(objective)
        self.declared = 0  # hyperparameters that the journal knows of
        self.rungs: set[int] = set()  # numbers of epochs that a scheduler has given to trials
        self.found: set[str] = set()  # those that came to light during a trial
        self.history = History(to_space(hyperparameters), sign_of(objective))

    def apply(self, event: Event) -> None:
        """Change the state by one event."""
        self.clock = max(self.clock, event.get("t", 0.0))
        getattr(self, f"_on_{event['kind']}")(event)

    def forget_space(self) -> None:
        """Begin with nothing declared, as before the first event."""
        self.hyperparameters = keras_tuner.HyperParameters()
        self.refresh_space()

    def refresh_space(self) -> None:
        """Take over hyperparameters that were added since the last look."""
        space = to_space(self.hyperparameters)
        if space != self.history.space:
            self.history = self.history.moved_to(space)

    def _on_project(self, event: Event) -> None:
        if event["format"] > FORMAT:
            raise RuntimeError(
                f"The journal has format {event['format']}, written by a newer kt_extras; this one "
                f"reads up to {FORMAT}.  Upgrade kt_extras, or choose another `project_name`."
            )
        self.seed, self.objective_recorded = event["seed"], event["objective"]

    def _on_space(self, event: Event) -> None:
        self.declared = len(event["hyperparameters"]["space"])
        declared = keras_tuner.HyperParameters.from_config(event["hyperparameters"])
        if "trial" in event:
            self.found |= {p.name for p in declared.space} - set(self.history.space.names)
        if event.get("anew"):
            self.hyperparameters = declared
        else:
            self.hyperparameters.merge(declared, overwrite=False)
        self.refresh_space()

    def _on_enqueue(self, event: Event) -> None:
        self.enqueued.append(event["values"])

    def _on_create(self, event: Event) -> None:
        if event["trial"] in self.entries:
            self._begin_again(self.entries[event["trial"]], event)
            return
        if event.get("enqueued"):
            self.enqueued.popleft()
        entry = self._enter(event)
        entry.attempt = event.get("attempt", 1)  # more than 1 in a snapshot alone
        entry.began = event["t"]

    def _enter(self, event: Event) -> Entry:
        """Open an entry for a trial; what was taken over is there in a snapshot alone."""
        trial = self._trial(event)
        takeovers = [Takeover(**taken) for taken in event.get("takeovers", ())]
        first = takeovers[0].before if takeovers else event["values"]
        entry = Entry(trial, self.history.start(first, event.get("bracket", 0)))
        self._give(entry, event.get("until"))
        entry.rested = event.get("rested", 0)
        entry.spent, entry.takeovers = event.get("spent", 0.0), takeovers
        for taken in takeovers:
            self.history.change(entry.number, taken.epoch, taken.after)
        self.entries[trial.trial_id] = entry
        return entry

    def _begin_again(self, entry: Entry, event: Event) -> None:
        """A new attempt keeps of the last one's metrics what belongs to a state on disk."""
        if entry.trial.trial_id in self.waiting:
            self.waiting.remove(entry.trial.trial_id)
        kept = event.get("kept", 0)
        run = entry.executions[0] if entry.executions else {}
        entry.trial = self._trial(event)
        entry.executions, entry.results, entry.stop_asked = [], {}, False
        entry.state, entry.began, entry.ended = "running", event["t"], None
        entry.attempt, entry.rested = entry.attempt + 1, kept
        self._give(entry, event.get("until", entry.until))
        entry.takeovers = [taken for taken in entry.takeovers if taken.epoch <= kept]
        self.history.restart(entry.number, kept)
        if kept:
            entry.executions.append({step: m for step, m in run.items() if step < kept})
            for step, metrics in entry.executions[0].items():
                self._note(entry, step, metrics)
            entry.trial.score, entry.trial.best_step = self.score_at_rest(entry)

    def _on_abandon(self, event: Event) -> None:
        """A worker will not end its trial, as its user wishes: that attempt does not count."""
        self.entries[event["trial"]].attempt -= 1
        self.waiting.append(event["trial"])

    def _on_grant(self, event: Event) -> None:
        """A trial that has spent its epochs is given more."""
        self._give(self.entries[event["trial"]], event["until"])
        self.totals.promotions += 1

    def _give(self, entry: Entry, until: int | None) -> None:
        entry.until = until
        if until is not None:
            self.rungs.add(until)

    def _on_resume(self, event: Event) -> None:
        """A trial that was paused runs again, perhaps with what another one had."""
        entry = self.entries[event["trial"]]
        self._give(entry, event["until"])
        entry.attempt, entry.state = 1, "running"
        entry.spent += (entry.ended or entry.began) - entry.began
        entry.began, entry.ended, entry.results = event["t"], None, {}
        self.history.resume(entry.number)
        entry.trial.status = TrialStatus.RUNNING  # its score stays that of its last pause
        if "parent" in event:
            self._take_over(entry, event["parent"], event["values"])
        self.totals.promotions += "parent" not in event
        self.totals.exploits += "parent" in event

    def _take_over(self, entry: Entry, parent: str, values: Point) -> None:
        epoch, before = entry.rested, dict(self.history.points[entry.number])
        generation = self.entries[parent].generation_at(epoch)
        entry.takeovers.append(Takeover(epoch, parent, generation, before, dict(values)))
        entry.trial.settle(values)
        self.history.change(entry.number, epoch, values)

    def _on_report(self, event: Event) -> None:
        entry, step = self.entries[event["trial"]], event["step"]
        metrics = decoded(event["metrics"])
        if not entry.executions or step <= max(entry.executions[-1]):
            entry.executions.append({})
        entry.executions[-1][step] = metrics
        self.totals.epochs += 1
        self._note(entry, step, metrics)

    def _note(self, entry: Entry, step: int, metrics: Metrics) -> None:
        """Tell those who keep curves of the last epoch."""
        for name, value in metrics.items():
            metric_history(entry.trial, name, self.objective).update(value, step=step)
        objective = value_in(self.objective, metrics)
        first = len(entry.executions) == 1  # rivals are compared on their first execution
        if objective is not None and first:
            self.history.report(entry.number, step, loss_of(self.objective, objective))

    def _on_stop(self, event: Event) -> None:
        self.entries[event["trial"]].stop_asked = not event.get("withdrawn", False)

    def _on_end(self, event: Event) -> None:
        entry = self.entries[event["trial"]]
        trial = entry.trial
        entry.state, entry.ended = event["state"], event["t"]
        entry.results = decoded(event["results"])
        for name, value in entry.results.items():
            if not trial.metrics.exists(name):
                metric_history(trial, name, self.objective).update(value, step=event["best_step"])
        trial.settle(event["values"])
        trial.status, trial.message = event["status"], event["message"]
        trial.score, trial.best_step = event["score"], event["best_step"]
        if event["values"] != self.history.points[entry.number]:
            self.history.move(entry.number, event["values"])
        if entry.state == "waiting":
            self.waiting.append(trial.trial_id)
            return
        if entry.state == "paused":
            entry.rested = entry.trained
        loss = loss_of(self.objective, event["score"])
        self.history.finish(entry.number, _STATES[entry.state], loss)
        self._count(entry, loss)

    def _on_past(self, event: Event) -> None:
        """A trial that had ended when a snapshot was taken."""
        entry = self._enter(event)
        entry.attempt, entry.began = event["attempt"], event["began"]
        entry.stop_asked = event["stop_asked"]
        for run in map(rows, event["executions"]):
            entry.executions.append(run)
            for step, metrics in run.items():
                self._note(entry, step, metrics)
        self._on_end(event)

    def _on_restore(self, event: Event) -> None:
        """The rest of what a snapshot holds."""
        self.found, self.ended = set(event["found"]), event["ended"]
        self.waiting, self.totals = deque(event["waiting"]), Totals(**event["totals"])
        for name in self.ended:
            self.entries[name].counted = True

    def _count(self, entry: Entry, loss: float) -> None:
        totals, first = self.totals, not entry.counted
        entry.counted = True
        if first:
            self.ended.append(entry.trial.trial_id)
        if entry.state == "rejected":
            totals.rejected += 1
            return
        totals.ended += first
        totals.pruned += entry.state == "pruned"
        totals.failed += entry.state in {"infeasible", "failed"}
        if loss < loss_of(self.objective, totals.best):
            totals.best, totals.stale = entry.trial.score, 0
        elif entry.trial.score is not None:
            totals.stale += first

    def _trial(self, event: Event) -> LazyTrial:
        return LazyTrial(event["values"], lambda: self.hyperparameters, event["trial"])

    def put_back(self, names: Iterable[str], apart_from: Container[str] = ()) -> None:
        """Have trials run again, each once, and none that another process has ended since."""
        open_ones = [n for n in self.waiting if self.entries[n].state in {"running", "waiting"}]
        more = [name for name in names if name not in apart_from]
        self.waiting = deque(dict.fromkeys([*open_ones, *more]))

    def interrupted(self) -> list[str]:
        """Return the trials that were running when the last session ended, oldest first."""
        return [name for name, entry in self.entries.items() if entry.state == "running"]

    def best_epochs(self, entry: Entry) -> list[tuple[float, int]]:
        """Return the objective's best value and its epoch for each execution that reported one."""
        return [found for run in entry.executions if (found := self._best_of(run)) is not None]

    def score_at_rest(self, entry: Entry) -> tuple[float | None, int]:
        """Return the score and the best epoch that a trial had when it was last paused.

        One that had diverged by then had none.
        """
        run = {step: m for step, m in entry.executions[0].items() if step < entry.rested}
        score, step = self._best_of(run) or (math.nan, 0)
        return (score, step) if math.isfinite(score) else (None, 0)

    def _best_of(self, run: Mapping[int, Metrics]) -> tuple[float, int] | None:
        values = {step: value_in(self.objective, metrics) for step, metrics in run.items()}
        measured = {step: value for step, value in values.items() if value is not None}
        if not measured:
            return None
        step = min(measured, key=lambda s: (loss_of(self.objective, measured[s]), s))
        return measured[step], step
