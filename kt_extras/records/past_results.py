"""Reads the trials of earlier searches: one function for each kind of search."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import TrialStatus

from kt_extras.arguments import is_finite
from kt_extras.bridge.objective import loss_of
from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.recorded_search import recorded_state
from kt_extras.records.recorder import open_project_store
from kt_extras.records.search_state import SearchState
from kt_extras.storage.journal import FILE_NAME

Pair = Union[tuple[Mapping[str, Any], float], Sequence[Any]]  # noqa: UP007 - Python 3.10

_EPOCHS = "tuner/epochs"  # KerasTuner's Hyperband: for how many epochs a trial was trained


class Result(NamedTuple):
    """A trial of an earlier search.

    Attributes:
        values: Of its hyperparameters.
        loss: Lower is better; `inf` without a score.
        whole: Whether it was trained to its end.
        epochs: How long it was trained, if not.
    """

    values: Mapping[str, Any]
    loss: float
    whole: bool = True
    epochs: int = 0


def in_directory(path: Path) -> Iterable[Result]:
    """Return the trials of a project, ours or KerasTuner's."""
    if (path / FILE_NAME).exists():
        return of_state(recorded_state(path.absolute()))
    theirs = (path / "oracle.json").exists()  # which a search of ours in a database does not write
    files = sorted(path.glob("trial_*/trial.json")) if theirs else []
    if not files:
        raise FileNotFoundError(
            f"`warm_start` must name directories of projects, but {str(path)!r} holds no search "
            "of kt_extras or KerasTuner.  A project's directory is `directory/project_name`; for "
            "one in a database pass a pair of its URL and its name."
        )
    return _of_keras_tuner(path, files)


def in_database(url: str, name: str) -> Iterable[Result]:
    """Return the trials of a project of ours, or else of an Optuna study, in a database."""
    from kt_extras.storage.address import parse  # SQLAlchemy is optional
    from kt_extras.storage.backends import BACKENDS

    ours = parse(url).get_backend_name() in BACKENDS
    if ours and open_project_store(url, Path(name)).exists():
        return of_state(recorded_state(Path(name), url))
    if not _holds_studies(url, may_be_missing=ours):
        raise _in_no_database(name)
    try:
        import optuna
    except ModuleNotFoundError:
        raise FileNotFoundError(
            f"`warm_start` must name projects that a database holds, but {name!r} is none.  To "
            "read a study of Optuna, install it: `pip install optuna`."
        ) from None
    try:
        return of_study(optuna.load_study(study_name=name, storage=url))
    except KeyError:
        raise _in_no_database(name) from None


def _holds_studies(url: str, *, may_be_missing: bool) -> bool:
    """Tell whether a database has Optuna's tables, which Optuna would create."""
    from kt_extras.storage.address import engine, parse
    from kt_extras.storage.backends import backend_for
    from kt_extras.storage.sql import sa

    if may_be_missing and not backend_for(url).exists():
        return False
    with engine(parse(url), {}).connect() as connection:
        return bool(sa.inspect(connection).has_table("studies"))


def _in_no_database(name: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"`warm_start` must name projects or studies that a database holds, but {name!r} is "
        "neither."
    )


def of_state(state: SearchState) -> Iterator[Result]:
    """Return the trials of a search of ours."""
    losses = state.history.ranked().losses
    for record in state.trials.values():
        if record.state.is_open or record.state is TrialState.REJECTED:
            continue
        loss = loss_of(state.objective, record.trial.score)
        if state.goals is not None:
            loss = float(losses[record.number])
        whole = record.state is TrialState.COMPLETED
        yield Result(record.best_values, loss, whole, record.epochs)


def of_data(search: Any) -> Iterator[Result]:
    """Return the trials of a search of ours that was loaded, as `SearchData`."""
    trials = [t for t in search.trials if t.state not in {"running", "waiting", "rejected"}]
    losses = [math.inf if t.score is None else search.objective.sign * t.score for t in trials]
    if (goals := search.goals) is not None:
        outcomes = np.array([goals.outcome(t.metrics) for t in trials]).reshape(-1, goals.width)
        outcomes[np.isinf(losses)] = math.inf
        losses = goals.order(outcomes).tolist()
    for trial, loss in zip(trials, losses, strict=True):
        yield Result(trial.values, loss, trial.state == "completed", trial.epochs)


def _of_keras_tuner(path: Path, files: Sequence[Path]) -> Iterable[Result]:
    """Return the trials of KerasTuner's own files, which do not say what its objective was."""
    trials = [trial for trial in map(_loaded, files) if trial]
    ended = {TrialStatus.COMPLETED, TrialStatus.FAILED, TrialStatus.INVALID}
    trials = [trial for trial in trials if trial.get("status") in ended]
    scored = [trial for trial in trials if _is_scored(trial)]
    sign = -1.0 if scored and _direction(path, scored) == "max" else 1.0
    longest = max((_epochs_of(trial) for trial in trials), default=0)
    for trial in trials:
        loss, epochs = sign * trial["score"] if _is_scored(trial) else math.inf, _epochs_of(trial)
        yield Result(trial["hyperparameters"]["values"], loss, epochs >= longest, epochs)


def _loaded(file: Path) -> Mapping[str, Any]:
    try:
        return dict(json.loads(file.read_bytes()))
    except (ValueError, TypeError) as error:  # its process died while it wrote
        warnings.warn(f"`warm_start` leaves out {file}, which is damaged: {error}", stacklevel=2)
        return {}


def _is_scored(trial: Mapping[str, Any]) -> bool:
    return is_finite(trial.get("score")) and trial["status"] == TrialStatus.COMPLETED


def _epochs_of(trial: Mapping[str, Any]) -> int:
    return int(trial["hyperparameters"]["values"].get(_EPOCHS, 0))


def _direction(path: Path, trials: Iterable[Mapping[str, Any]]) -> Literal["min", "max"]:
    """Return the direction of the metric that has given the scores."""
    possible: dict[str, str] | None = None
    for trial in trials:
        own = {
            name: metric["direction"]
            for name, metric in trial["metrics"]["metrics"].items()
            for seen in metric["observations"]
            if math.isclose(float(np.mean(seen["value"])), trial["score"], rel_tol=1e-9)
        }
        possible = own if possible is None else {n: d for n, d in possible.items() if n in own}
    directions = set((possible or {}).values())
    if len(directions) != 1:
        raise ValueError(
            f"`warm_start` must be of searches whose objective is known, but the files of "
            f"KerasTuner in {str(path)!r} do not show which metric it was.  Pass a list of pairs "
            "of values and score in place of the directory."
        )
    return "max" if directions == {"max"} else "min"


def of_study(study: Any) -> Iterator[Result]:
    """Return the trials of an Optuna study."""
    if len(study.directions) != 1:
        raise ValueError(
            f"`warm_start` must be of studies with one objective, but {study.study_name!r} has "
            f"{len(study.directions)}; pass a list of pairs of values and score."
        )
    sign = -1.0 if study.directions[0].name == "MAXIMIZE" else 1.0
    for trial in study.trials:
        if trial.state.name not in {"COMPLETE", "PRUNED", "FAIL"}:
            continue
        shown = [sign * value for value in trial.intermediate_values.values()]
        value = min(shown, default=math.inf) if trial.value is None else sign * trial.value
        epochs = max(trial.intermediate_values, default=-1) + 1
        loss = value if trial.state.name != "FAIL" and math.isfinite(value) else math.inf
        yield Result(trial.params, loss, trial.state.name == "COMPLETE", epochs)


def of_pairs(given: Iterable[Pair], objective: keras_tuner.Objective) -> Iterator[Result]:
    """Return the trials of pairs of values and score."""
    for values, score in given:
        yield Result(values, loss_of(objective, float(score)))
