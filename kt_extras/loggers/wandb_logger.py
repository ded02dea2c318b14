"""Logs a search to Weights & Biases: a group with a run for the search and one for each trial."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from typing import Any

from kt_extras.analysis.search_data import TrialData
from kt_extras.loggers.trial_logger import SearchInfo, TrialLogger

_FAILED = ("failed", "infeasible", "rejected")


class Wandb(TrialLogger):
    """Logs a search to Weights & Biases; pass it to `search` among the callbacks.

    Each trial has a run in a group of the search: its hyperparameters as configuration, its metrics
    by epochs, its score, state and message as summary.  A trial that is resumed, and a search that
    goes on, go on with their runs; in offline mode they have a folder for each session, which
    `wandb sync` joins.

    Args:
        project: The name of the project of Weights & Biases.  Defaults to None: that of the search.
        entity: A user or a team.  Defaults to None: as set for wandb.
        mode: `"online"`, `"offline"` or `"disabled"`.  Defaults to None: as set for wandb.
        directory: Where the folder `wandb` is written.  Defaults to None: the directory of the
            project of the search.

    Raises:
        ImportError: The package wandb is not installed.
        ValueError: There is no such mode.
    """

    def __init__(
        self,
        project: str | None = None,
        entity: str | None = None,
        mode: str | None = None,
        directory: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        if mode not in (None, "online", "offline", "disabled"):
            raise ValueError(f"`mode` must be 'online', 'offline' or 'disabled', got {mode!r}.")
        if importlib.util.find_spec("wandb") is None:
            raise ImportError("`Wandb` needs the package wandb; install it: `pip install wandb`.")
        self.project, self.entity, self.mode, self.directory = project, entity, mode, directory
        self._search = SearchInfo("", "", "", (), None)
        self._run_of_search: Any = None
        self._runs: dict[str, Any] = {}  # of the trials that have not ended
        self._rows: dict[str, tuple[int, int]] = {}  # the attempt, and how many rows are logged

    def begin_search(self, search: SearchInfo) -> None:
        """Begin the run of the search."""
        self._search = search
        objectives = {target.name: target.direction for target in search.objectives}
        config = {"objectives": objectives, "seed": search.seed}
        self._run_of_search = self._run("search", search.search_id, search.name, config)

    def log_trial(self, trial: TrialData) -> None:
        """Bring the run of a trial up to date."""
        name = trial.trial_id
        run = self._runs.get(name)
        if run is None:
            begun = trial.takeovers[0].before if trial.takeovers else trial.values
            run = self._runs[name] = self._trial_run(name, dict(begun))
            run.define_metric("*", step_metric="epoch")
            if name not in self._rows:  # it was begun in an earlier session
                self._rows[name] = trial.attempt, int(run.starting_step)
        attempt, known = self._rows[name]
        rows = list(_rows(trial))
        for row in rows[known if attempt == trial.attempt else 0 :]:
            run.log(row)
        self._rows[name] = trial.attempt, len(rows)
        run.config.update(dict(trial.values), allow_val_change=True)
        if trial.state != "running":
            run.summary.update(_summary(trial))
            run.finish(exit_code=int(trial.state in _FAILED))
            del self._runs[name]
            if trial.score is not None and trial.state != "paused":
                self._run_of_search.log({"trial": trial.number, "score": trial.score})

    def end_search(self, *, finished: bool, weights: Mapping[str, str]) -> None:
        """End the runs that are open, and tell where weights are kept."""
        for run in self._runs.values():
            run.finish(exit_code=1)
        self._runs.clear()
        self._run_of_search.summary.update({"finished": finished, "weights": dict(weights)})
        self._run_of_search.finish(exit_code=int(not finished))

    def _trial_run(self, trial_id: str, config: dict[str, Any]) -> Any:
        run_id = f"{self._search.search_id}-{trial_id}"
        return self._run("trial", run_id, f"trial {trial_id}", config)

    def _run(self, kind: str, run_id: str, name: str, config: dict[str, Any]) -> Any:
        """Begin a run, or go on with it, beside others."""
        import wandb

        directory = os.fspath(self.directory or self._search.project)
        os.makedirs(directory, exist_ok=True)
        return wandb.init(
            project=self.project or self._search.name,
            entity=self.entity,
            mode=self.mode,
            dir=directory,
            group=self._search.search_id,
            job_type=kind,
            id=run_id,
            name=name,
            config=config,
            resume=None if self.mode == "offline" else "allow",
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )


def _rows(trial: TrialData) -> Iterator[dict[str, float]]:
    """Yield the metrics of each epoch of each execution."""
    for number, epochs in enumerate(trial.executions):
        prefix = f"execution{number}/" if number else ""
        for place, step in enumerate(epochs["steps"]):
            values = {name: column[place] for name, column in epochs["metrics"].items()}
            row = {prefix + name: float(v) for name, v in values.items() if v is not None}
            yield {"epoch": step, **row}


def _summary(trial: TrialData) -> dict[str, Any]:
    several = len(trial.objective_values) > 1
    found = {"state": trial.state, "score": trial.score, "best_epoch": trial.best_epoch}
    found |= {
        f"objectives/{name}": value for name, value in trial.objective_values.items() if several
    }
    found |= {f"violations/{name}": value for name, value in trial.violations.items()}
    found |= {"message": trial.message, "seconds": trial.seconds, "worker": trial.worker}
    return {name: value for name, value in found.items() if value is not None}
