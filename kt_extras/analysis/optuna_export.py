"""A search as a study of Optuna, which is imported when it is needed: `pip install optuna`."""

from __future__ import annotations

import math
import warnings
from datetime import datetime, timedelta
from typing import Any

from kt_extras.analysis.optuna_space import Distributions
from kt_extras.analysis.search_data import SearchData, TrialData, data_of
from kt_extras.search import Point

# What a trial is to Optuna.  One that is paused may go on.
_STATES = {
    "completed": "COMPLETE",
    "pruned": "PRUNED",
    "infeasible": "FAIL",
    "failed": "FAIL",
    "rejected": "FAIL",
    "paused": "RUNNING",
    "running": "RUNNING",
    "waiting": "WAITING",
}
CONSTRAINTS = "constraints"  # as Optuna names them in its system attributes
BEGAN = "kt_extras:began"
ID = "trial_id"
_FACTS = ("best_epoch", "epochs", "worker", "bracket", "seconds", "attempt", "message")


def to_optuna(search: Any, storage: Any = None, study_name: str | None = None) -> Any:
    """Return a search as a study of Optuna, for its plots, its importances and its dashboard.

    Each trial has its state, its objectives as values, its curve of the first objective as
    intermediate values, and its distributions; what else is known of it, such as the message of a
    failure, is in its user attributes.  With a storage the study is kept there, and a later call
    with the same storage adds what is new.

    Args:
        search: A tuner, an oracle, or what `kt_extras.load` returns.
        storage: URL of a database, such as `sqlite:///study.db`, or a storage of Optuna.  Defaults
            to None: in memory.
        study_name: Defaults to None: the name of the project.

    Returns:
        An `optuna.Study`.

    Raises:
        ImportError: Optuna is not installed.
        ValueError: The storage has another study of that name, or cannot be opened.
    """
    data, optuna = data_of(search), _optuna()
    if storage is None:
        storage = optuna.storages.InMemoryStorage()
    elif isinstance(storage, str):
        storage = _database(optuna, storage)
    name = data.name if study_name is None else study_name
    return _Export(data, optuna, storage, name).study()


class _Export:
    """Writes a search to a storage of Optuna."""

    def __init__(self, data: SearchData, optuna: Any, storage: Any, name: str) -> None:
        self._data, self._optuna, self._storage, self._name = data, optuna, storage, name

    def study(self) -> Any:
        """Return the study, with all trials as they are now."""
        study = self._opened()
        known = {trial.user_attrs.get(ID): trial for trial in study.get_trials(deepcopy=False)}
        self._distributions = Distributions(self._data, self._optuna, known.values())
        self._began = datetime.fromisoformat(study.user_attrs[BEGAN])
        for trial in self._data.trials:
            if trial.trial_id not in known:
                study.add_trial(self._frozen(trial))
            else:
                self._update(trial, known[trial.trial_id])
        return study

    def _opened(self) -> Any:
        directions = [f"{target.direction}imize" for target in self._data.objectives]
        create = self._optuna.create_study
        try:
            with _quiet(self._optuna):
                study = create(storage=self._storage, study_name=self._name, directions=directions)
        except self._optuna.exceptions.DuplicatedStudyError:
            study = self._optuna.load_study(storage=self._storage, study_name=self._name)
            self._check(study, directions)
            return study
        began = datetime.now() - timedelta(seconds=self._data.seconds)  # as Optuna has it
        study.set_user_attr(BEGAN, began.isoformat())
        for name, value in self._facts().items():
            study.set_user_attr(name, value)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is experimental
            study.set_metric_names([target.name for target in self._data.objectives])
        return study

    def _check(self, study: Any, directions: list[str]) -> None:
        """Raise if the study is not one of this search."""
        theirs = [direction.name.lower() for direction in study.directions]
        ours = {trial.trial_id for trial in self._data.trials}
        others = {trial.user_attrs.get(ID) for trial in study.get_trials(deepcopy=False)}
        if BEGAN not in study.user_attrs or theirs != directions or not others <= ours:
            raise ValueError(
                f"`storage` has another study with the name {self._name!r}; pass another "
                "`study_name`, or remove it with `optuna.delete_study`."
            )

    def _facts(self) -> dict[str, Any]:
        data = self._data
        conditions = {
            dimension.name: {one.parent: list(one.values) for one in dimension.conditions}
            for dimension in data.space.dimensions
            if dimension.conditions
        }
        facts = {"seed": data.seed, "conditions": conditions, "constraints": [*data.constraints]}
        return {name: value for name, value in facts.items() if value not in (None, {}, [])}

    def _frozen(self, trial: TrialData) -> Any:
        """Return a trial as Optuna keeps it."""
        state = self._state(trial)
        params, distributions, others = self._distributions.of(trial)
        began = self._began + timedelta(seconds=trial.began)
        ended = self._began + timedelta(seconds=trial.began if trial.ended is None else trial.ended)
        return self._optuna.trial.FrozenTrial(
            number=-1,  # the study counts
            trial_id=-1,
            state=state,
            value=None,
            values=self._values(trial),
            datetime_start=began,
            datetime_complete=max(began, ended) if state.is_finished() else None,
            params=params,
            distributions=distributions,
            user_attrs=_user_attributes(trial, others),
            system_attrs=self._constraints(trial),
            intermediate_values=_mean_curve(trial, self._data.objective.name),
        )

    def _update(self, trial: TrialData, known: Any) -> None:
        """Bring a trial up to date that had not ended at the last call."""
        if known.state.is_finished():
            return
        storage, new = self._storage, self._frozen(trial)
        study_id = storage.get_study_id_from_name(self._name)
        number = storage.get_trial_id_from_study_id_trial_number(study_id, known.number)
        for name, value in new.params.items():
            if name not in known.params:
                kind = new.distributions[name]
                storage.set_trial_param(number, name, kind.to_internal_repr(value), kind)
        changed = {n: v for n, v in new.params.items() if known.params.get(n, v) != v}
        if changed:  # by a population; Optuna keeps the first value
            new.user_attrs["other_values"] = {**new.user_attrs.get("other_values", {}), **changed}
        for step, value in new.intermediate_values.items():
            if known.intermediate_values.get(step) != value:
                storage.set_trial_intermediate_value(number, step, value)
        for name, value in new.user_attrs.items():
            storage.set_trial_user_attr(number, name, value)
        for name, value in new.system_attrs.items():
            storage.set_trial_system_attr(number, name, value)
        storage.set_trial_state_values(number, new.state, new.values)

    def _state(self, trial: TrialData) -> Any:
        state = self._optuna.trial.TrialState[_STATES[trial.state]]
        if trial.state == "completed" and not self._complete(trial):
            return (
                self._optuna.trial.TrialState.FAIL
            )  # Optuna has no completed trial without values
        return state

    def _complete(self, trial: TrialData) -> bool:
        values = [
            trial.objective_values.get(target.name, math.nan) for target in self._data.objectives
        ]
        return not any(map(math.isnan, values))

    def _values(self, trial: TrialData) -> list[float] | None:
        if trial.state not in ("completed", "pruned") or not self._complete(trial):
            return None
        return [float(trial.objective_values[target.name]) for target in self._data.objectives]

    def _constraints(self, trial: TrialData) -> dict[str, Any]:
        """Return the violations as the samplers of Optuna keep them."""
        if not trial.violations:
            return {}
        if hasattr(self._optuna.trial.FrozenTrial, CONSTRAINTS):  # since Optuna 5
            return {f"{CONSTRAINTS}:{name}": float(v) for name, v in trial.violations.items()}
        return {CONSTRAINTS: [float(violation) for violation in trial.violations.values()]}


def _user_attributes(trial: TrialData, others: Point) -> dict[str, Any]:
    facts = {name: getattr(trial, name) for name in _FACTS}
    metrics = {f"metrics/{name}": float(value) for name, value in trial.metrics.items()}
    found = {ID: trial.trial_id, "state": trial.state, **facts, **metrics}
    if others:
        found["other_values"] = dict(others)
    return {name: value for name, value in found.items() if value is not None}


def _mean_curve(trial: TrialData, metric: str) -> dict[int, float]:
    """Return the mean of a metric over the executions by its epoch."""
    by_step: dict[int, list[float]] = {}
    for execution in range(len(trial.executions)):
        for step, value in zip(*trial.curve(metric, execution), strict=True):
            by_step.setdefault(int(step), []).append(float(value))
    return {step: math.fsum(values) / len(values) for step, values in sorted(by_step.items())}


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ImportError(
            "`to_optuna` needs Optuna; install it with `pip install optuna`."
        ) from error
    return optuna


def _database(optuna: Any, url: str) -> Any:
    from sqlalchemy.exc import SQLAlchemyError  # which Optuna needs for a database

    try:
        return optuna.storages.RDBStorage(url)
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"`storage` must be the URL of a database that can be opened: {reason}"
        ) from error


class _quiet:  # noqa: N801 - a context manager
    """Keep Optuna from printing that it has created a study."""

    def __init__(self, optuna: Any) -> None:
        self._logging = optuna.logging

    def __enter__(self) -> None:
        self._before = self._logging.get_verbosity()
        self._logging.set_verbosity(self._logging.WARNING)

    def __exit__(self, *_: object) -> None:
        self._logging.set_verbosity(self._before)
