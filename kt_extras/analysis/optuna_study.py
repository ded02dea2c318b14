"""A study of Optuna as a search.

What `kt_extras.analysis.optuna_export` has written beside what Optuna knows is read, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from kt_extras.analysis.optuna_export import BEGAN, CONSTRAINTS, ID
from kt_extras.analysis.optuna_space import space_of
from kt_extras.analysis.search_data import Epochs, SearchData, TrialData
from kt_extras.search import Point
from kt_extras.search.outcome import Direction, Target

_STATES_HERE = {
    "COMPLETE": "completed",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "RUNNING": "running",
    "WAITING": "waiting",
}


def data_of_study(study: Any) -> SearchData:
    """Return a study of Optuna as a search.

    A parameter that only some trials have becomes a hyperparameter with a condition if another one
    tells which they are.

    Args:
        study: An `optuna.Study`.

    Raises:
        TypeError: It is not one.
    """
    trials = sorted(_trials_of(study), key=lambda trial: trial.number)
    facts = _StudyFacts.of(study, trials)
    return SearchData(
        name=study.study_name,
        space=space_of(trials),
        objectives=facts.objectives,
        trials=tuple(_trial_here(trial, facts) for trial in trials),
        constraints=facts.constraints,
        seed=study.user_attrs.get("seed") if facts.is_ours else None,
        seconds=max(
            (_seconds_between(facts.began, t.datetime_complete) for t in trials), default=0.0
        ),
    )


def added_trials(study: Any) -> Iterator[tuple[Point, float, list[float] | None]]:
    """Yield what `tuner.add_trial` takes of each completed trial of a study of Optuna.

    Args:
        study: An `optuna.Study` with one objective.

    Yields:
        The values of the hyperparameters, the score, and the curve; None for no curve, and where
        a value is missing before the last one.

    Raises:
        TypeError: `study` is not a study of Optuna.
        ValueError: It has several objectives.
    """
    trials = _trials_of(study)
    if len(study.directions) > 1:
        raise ValueError(
            f"`study` must have one objective, got {len(study.directions)}; look at it with "
            "`kt_extras.from_optuna`."
        )
    for trial in trials:
        if trial.state.name == "COMPLETE" and math.isfinite(trial.value):
            steps = sorted(trial.intermediate_values)
            whole = bool(steps) and steps == list(range(steps[0], steps[0] + len(steps)))
            whole = whole and steps[0] in (0, 1)  # epochs are counted from 0, or from 1
            curve = [float(trial.intermediate_values[step]) for step in steps] if whole else None
            yield dict(trial.params), float(trial.value), curve


class _StudyFacts(NamedTuple):
    """What all trials of a study share."""

    objectives: tuple[Target, ...]
    constraints: tuple[str, ...]
    began: datetime
    is_ours: bool  # whether `to_optuna` has made the study

    @classmethod
    def of(cls, study: Any, trials: list[Any]) -> _StudyFacts:
        several = len(study.directions) > 1
        default = [f"value_{i}" if several else "value" for i in range(len(study.directions))]
        names = study.metric_names or default
        directions: list[Direction] = [
            "max" if one.name == "MAXIMIZE" else "min" for one in study.directions
        ]
        known = (name for trial in trials for name in _violations(trial))
        starts = [trial.datetime_start for trial in trials if trial.datetime_start is not None]
        began = study.user_attrs.get(BEGAN)
        return cls(
            tuple(map(Target, names, directions)),
            tuple(dict.fromkeys(known)),
            datetime.fromisoformat(began) if began else min(starts, default=datetime.min),
            bool(began),
        )


def _trial_here(trial: Any, facts: _StudyFacts) -> TrialData:
    """Return a trial of Optuna as one of a search; what `to_optuna` has written is read."""
    # Attributes of the same names in another study may be anything.
    ours = facts.is_ours and ID in trial.user_attrs
    told, first = trial.user_attrs if ours else {}, facts.objectives[0]
    curve = {step: float(v) for step, v in sorted(trial.intermediate_values.items())}
    targets = _targets(trial, facts, curve)
    score = targets.get(first.name)
    best = next((step for step, value in curve.items() if value == score), None)
    columns: dict[str, list[float | None]] = {first.name: list(curve.values())}
    ended = trial.datetime_complete
    began = _seconds_between(facts.began, trial.datetime_start)
    seconds = None if ended is None else _seconds_between(trial.datetime_start, ended)
    return TrialData(
        number=trial.number,
        trial_id=str(told.get(ID, f"{trial.number:04d}")),
        state=told.get("state", _STATES_HERE[trial.state.name]),
        values={**trial.params, **told.get("other_values", {})},
        score=score,
        objective_values=targets,
        violations={name: max(0.0, value) for name, value in _violations(trial).items()},
        metrics=_metrics(told) or targets,
        best_epoch=told.get("best_epoch") if ours else best,
        executions=[Epochs(steps=list(curve), metrics=columns)] if curve else (),
        epochs=told.get("epochs", len(curve)),
        began=began,
        ended=None if ended is None else _seconds_between(facts.began, ended),
        seconds=told.get("seconds", seconds),
        worker=told.get("worker"),
        bracket=told.get("bracket", 0),
        message=told.get("message"),
        attempt=told.get("attempt", 1),
    )


def _targets(trial: Any, facts: _StudyFacts, curve: Mapping[int, float]) -> dict[str, float]:
    """Return the objectives of a trial; of one that was pruned or paused its last report."""
    if trial.state.name in ("FAIL", "WAITING"):
        return {}
    values = trial.values
    stopped = trial.state.name == "PRUNED" or trial.user_attrs.get("state") == "paused"
    if values is None and stopped and curve and len(facts.objectives) == 1:
        values = [list(curve.values())[-1]]
    names = (target.name for target in facts.objectives)
    found = {} if values is None else dict(zip(names, map(float, values), strict=True))
    return {} if any(map(math.isnan, found.values())) else found


def _violations(trial: Any) -> dict[str, float]:
    """Return the constraints of a trial by their names, positive where they are violated."""
    prefix, found = f"{CONSTRAINTS}:", trial.system_attrs
    named = {n.removeprefix(prefix): float(v) for n, v in found.items() if n.startswith(prefix)}
    listed = found.get(CONSTRAINTS) or ()
    return {**{f"constraint {i}": float(v) for i, v in enumerate(listed)}, **named}


def _metrics(told: Mapping[str, Any]) -> dict[str, float]:
    prefix = "metrics/"
    return {n.removeprefix(prefix): float(v) for n, v in told.items() if n.startswith(prefix)}


def _seconds_between(began: datetime | None, ended: datetime | None) -> float:
    return 0.0 if began is None or ended is None else (ended - began).total_seconds()


def check_study(study: Any) -> None:
    """Raise unless something is a study of Optuna.

    Raises:
        TypeError: It is not.
    """
    if not hasattr(study, "get_trials") or not hasattr(study, "directions"):
        raise TypeError(f"`study` must be an `optuna.Study`, got {study!r}.")


def _trials_of(study: Any) -> list[Any]:
    check_study(study)
    return list(study.get_trials(deepcopy=False))
