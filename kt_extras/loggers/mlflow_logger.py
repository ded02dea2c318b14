"""Logs a search to MLflow: a run for the search, and one below it for each trial."""

from __future__ import annotations

import importlib.util
import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from kt_extras.analysis.search_data import TrialData
from kt_extras.loggers.trial_logger import SearchInfo, TrialLogger

_SEARCH, _TRIAL, _LOGGED = "kt_extras.search", "kt_extras.trial", "kt_extras.logged"
_PARENT = "mlflow.parentRunId"  # which MLflow's pages show as a tree
_STATUS = {
    "completed": "FINISHED",
    "pruned": "FINISHED",
    "failed": "FAILED",
    "infeasible": "FAILED",
    "rejected": "FAILED",
    "paused": "SCHEDULED",
    "waiting": "SCHEDULED",
    "running": "RUNNING",
}
_AT_ONCE = 900  # metrics of a call; MLflow takes 1000
_MAX_TEXT = 5000  # characters of a tag


class MLflow(TrialLogger):
    """Logs a search to MLflow; pass it to `search` among the callbacks.

    Each trial has a run, below one of the search: its hyperparameters as parameters, its metrics by
    epochs, its score, and its state and message as tags.  A trial that is resumed, and a search
    that goes on, also in another process, go on with their runs.

    Args:
        tracking_uri: Where MLflow keeps its runs, such as `"sqlite:///mlflow.db"`.  Defaults to
            None: MLflow's own setting.
        experiment: The name of the experiment.  Defaults to None: that of the project.

    Raises:
        ImportError: MLflow is not installed.
    """

    def __init__(self, tracking_uri: str | None = None, experiment: str | None = None) -> None:
        super().__init__()
        if importlib.util.find_spec("mlflow") is None:
            raise ImportError(
                "`MLflow` needs the package mlflow, or the smaller mlflow-skinny; install it with "
                "`pip install mlflow-skinny sqlalchemy alembic`."
            )
        self.tracking_uri, self.experiment = tracking_uri, experiment
        self._client: Any = None
        self._experiment_id, self._search_id, self._parent = "", "", ""
        self._objectives: tuple[str, ...] = ()
        self._runs: dict[str, _Run] = {}

    def begin_search(self, search: SearchInfo) -> None:
        """Create the run of the search, or find it with those of its trials."""
        import mlflow

        self._client = mlflow.MlflowClient(tracking_uri=self.tracking_uri)
        name = self.experiment or search.name
        found = self._client.get_experiment_by_name(name)
        self._experiment_id = found.experiment_id if found else self._client.create_experiment(name)
        self._search_id, self._parent, self._runs = search.search_id, "", {}
        self._objectives = tuple(target.name for target in search.objectives)
        for run in self._known_runs():
            trial_id = run.data.tags.get(_TRIAL)
            if trial_id is None:
                self._parent = run.info.run_id
            else:
                self._runs[trial_id] = _Run(run.info.run_id, run.data)
        if self._parent:
            self._client.update_run(self._parent, status="RUNNING")
            return
        tags = {_SEARCH: search.search_id}
        run = self._client.create_run(self._experiment_id, run_name=search.name, tags=tags)
        self._parent = run.info.run_id
        facts = {"project": search.project, "seed": search.seed}
        facts |= {f"objective {t.name}": t.direction for t in search.objectives}
        self._log(self._parent, params=facts)

    def log_trial(self, trial: TrialData) -> None:
        """Bring the run of a trial up to date."""
        run = self._runs.get(trial.trial_id)
        if run is None:
            tags = {_SEARCH: self._search_id, _TRIAL: trial.trial_id, _PARENT: self._parent}
            made = self._client.create_run(
                self._experiment_id, run_name=f"trial {trial.trial_id}", tags=tags
            )
            run = self._runs[trial.trial_id] = _Run(made.info.run_id, made.data)
        begun = trial.takeovers[0].before if trial.takeovers else trial.values
        params = {name: value for name, value in begun.items() if _named(name) not in run.params}
        points = list(run.new_points(trial))
        points += [(name, value, trial.best_epoch or 0) for name, value in _outcome(trial).items()]
        tags = {"state": trial.state, _LOGGED: run.logged(trial)}
        tags |= {"message": trial.message[:_MAX_TEXT]} if trial.message else {}
        self._log(run.run_id, points, params, tags)
        run.take(trial, params)
        if trial.state != run.state:
            run.state = trial.state
            self._set_status(run.run_id, _STATUS[trial.state])
        if trial.state in ("completed", "pruned") and trial.score is not None:
            self._log(self._parent, [("score", trial.score, trial.number)])

    def end_search(self, *, finished: bool, weights: Mapping[str, str]) -> None:
        """End the run of the search, and tell where weights are kept."""
        for trial_id, path in weights.items():
            if (run := self._runs.get(trial_id)) is not None and run.weights != path:
                self._client.set_tag(run.run_id, "weights", path)
                run.weights = path
        self._set_status(self._parent, "FINISHED" if finished else "KILLED")

    def _set_status(self, run_id: str, status: str) -> None:
        if status in ("RUNNING", "SCHEDULED"):
            self._client.update_run(run_id, status=status)
        else:
            self._client.set_terminated(run_id, status)

    def _known_runs(self) -> Iterator[Any]:
        """Yield the runs of the search and of its trials that are there."""
        token = None
        while True:
            found = self._client.search_runs(
                [self._experiment_id],
                f"tags.`{_SEARCH}` = '{self._search_id}'",
                max_results=1000,
                page_token=token,
            )
            yield from found
            if not (token := found.token):
                return

    def _log(
        self,
        run_id: str,
        points: list[tuple[str, float, int]] | tuple[()] = (),
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log metrics, parameters and tags in as few calls as MLflow allows."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(1000 * time.time())
        metrics = [Metric(_named(name), value, now, step) for name, value, step in points]
        named = [
            Param(_named(name), str(value)[:_MAX_TEXT]) for name, value in (params or {}).items()
        ]
        while len(metrics) > _AT_ONCE:
            self._client.log_batch(run_id, metrics=metrics[:_AT_ONCE])
            metrics = metrics[_AT_ONCE:]
        while len(named) > 100:
            self._client.log_batch(run_id, params=named[:100])
            named = named[100:]
        told = [RunTag(name, value) for name, value in (tags or {}).items()]
        self._client.log_batch(run_id, metrics, named, told)


class _Run:
    """A run of a trial, and what it holds already.

    Attributes:
        run_id: As MLflow names it.
        params: The names of its parameters.
        state: The state of the trial when it was logged last, None if it was not.
        weights: The path that is logged.
    """

    def __init__(self, run_id: str, data: Any) -> None:
        self.run_id = run_id
        self.params = set(data.params)
        self.state: str | None = data.tags.get("state")
        self.weights: str | None = data.tags.get("weights")
        self._logged = data.tags.get(_LOGGED, "")

    def new_points(self, trial: TrialData) -> Iterator[tuple[str, float, int]]:
        """Yield the metrics of epochs that are not logged yet."""
        attempt, *counts = map(int, self._logged.split()) if self._logged else (trial.attempt,)
        known = counts if attempt == trial.attempt else []
        for number, epochs in enumerate(trial.executions):
            first = known[number] if number < len(known) else 0
            prefix = f"execution{number}/" if number else ""
            for name, values in epochs["metrics"].items():
                for step, value in list(zip(epochs["steps"], values, strict=True))[first:]:
                    if value is not None and math.isfinite(value):
                        yield prefix + name, float(value), step

    def logged(self, trial: TrialData) -> str:
        """Return the attempt, and how many epochs of each execution are known."""
        counts = (len(epochs["steps"]) for epochs in trial.executions)
        return " ".join(map(str, (trial.attempt, *counts)))

    def take(self, trial: TrialData, params: Mapping[str, Any]) -> None:
        """Note what was logged."""
        self._logged = self.logged(trial)
        self.params.update(map(_named, params))


def _outcome(trial: TrialData) -> dict[str, float]:
    """Return the numbers of a trial that has ended or paused."""
    if trial.state == "running" or trial.score is None:
        return {}
    several = len(trial.objective_values) > 1
    found = {"score": trial.score}
    found |= {
        f"objectives/{name}": value for name, value in trial.objective_values.items() if several
    }
    found |= {f"violations/{name}": value for name, value in trial.violations.items()}
    if trial.seconds is not None:
        found["seconds"] = trial.seconds
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def _named(name: str) -> str:
    """Return a name that MLflow takes.

    >>> _named("units[0]"), _named("val_f1")
    ('units_0_', 'val_f1')
    """
    return re.sub(r"[^\w\-. /]", "_", name)
