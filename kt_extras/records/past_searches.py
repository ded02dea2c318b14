"""Reads what earlier searches have found: ours, KerasTuner's and Optuna's.

Each trial comes down to its values and its rank within its search.  Of a long search, its best
trials and a part of the others are taken.
"""

from __future__ import annotations

import json
import math
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import TrialStatus

from kt_extras.arguments import is_finite, is_number, plain
from kt_extras.bridge.objective import loss_of
from kt_extras.bridge.trial_state import TrialState
from kt_extras.records.recorded_search import RecordedSearch, recorded_state
from kt_extras.records.recorder import open_project_store
from kt_extras.records.search_state import SearchState
from kt_extras.search.dimensions import Point
from kt_extras.search.past import Past, ranked
from kt_extras.storage.journal import FILE_NAME

PastSearches = Sequence[Any]  # what `warm_start` takes

_BEST, _OTHERS = 100, 100  # trials of an earlier search that are taken
_EPOCHS = "tuner/epochs"  # KerasTuner's Hyperband: for how many epochs a trial was trained
_RULE = (
    "`warm_start` must be a list of finished searches: the path of a project's directory, a pair "
    "of the URL of a database and the name of a project or study, what `kt_extras.load_results` "
    "returns, an Optuna study, or a list of pairs of values and score"
)

_Read = Callable[[keras_tuner.Objective], "Iterable[_Result]"]
_Pair = Union[tuple[Mapping[str, Any], float], Sequence[Any]]  # noqa: UP007 - Python 3.10


class _Result(NamedTuple):
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


@dataclass(frozen=True)
class PastSource:
    """An earlier search that can be read.

    Attributes:
        name: Under which it is recorded.
        results: Returns its trials, given the objective of the new search.
    """

    name: str
    results: _Read

    def read(self, objective: keras_tuner.Objective) -> Past:
        """Return what the search has found.

        Args:
            objective: That of the new search, for results that have none of their own.

        Raises:
            FileNotFoundError: There is no such search.
            ValueError: It has no trial with a score, or its objective is not known.
        """
        found = list(self.results(objective))
        if not any(math.isfinite(result.loss) for result in found):
            raise ValueError(
                f"`warm_start` must be of searches that have scores, but {self.name!r} has none "
                f"in {len(found)} trials; leave it out."
            )
        ranks = ranked(np.array(_places(found), dtype=float))
        ranks[[math.isinf(result.loss) for result in found]] = 1.0  # failures, however many
        order = np.argsort(ranks, kind="stable")
        others = order[_BEST:]
        kept = others[np.linspace(0, len(others) - 1, min(_OTHERS, len(others))).astype(int)]
        rows = [*order[:_BEST].tolist(), *kept.tolist()]
        points = tuple(_recordable(found[row].values) for row in rows)
        return Past(self.name, points, tuple(round(float(ranks[row]), 6) for row in rows))


def past_sources(given: PastSearches | None) -> list[PastSource]:
    """Return the earlier searches that the user names; nothing is read yet.

    Args:
        given: As for `kt_extras.SamplerOracle`; None for none.

    Raises:
        TypeError: It is no list, or an item is none of what it may hold.
        ValueError: A search is named twice.

    >>> [source.name for source in past_sources(["runs/old", ("sqlite:///a.db", "digits")])]
    ['runs/old', "'digits' in sqlite:///a.db"]
    """
    if given is None:
        return []
    if isinstance(given, (str, os.PathLike, Mapping)) or not isinstance(given, Sequence):
        hint = f"; pass [{given!r}]" if isinstance(given, (str, os.PathLike)) else ""
        raise TypeError(f"{_RULE}; got {given!r}{hint}.")
    if given and all(map(_is_pair, given)):
        given = [given]
    sources = [_source(item) for item in given]
    names = [source.name for source in sources]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"`warm_start` must name each search once, got {twice[0]!r} twice.")
    return sources


def _source(given: Any) -> PastSource:
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        return PastSource(os.fspath(given), lambda _: _in_directory(path))
    if isinstance(given, RecordedSearch):
        found = list(_of_state(given._state))
        return PastSource(_named("search", found), lambda _: found)
    if hasattr(given, "trials") and hasattr(given, "directions"):
        name = f"Optuna study {getattr(given, 'study_name', '')!r}"
        return PastSource(name, lambda _: _of_study(given))
    if _is_address(given):
        url, name = given
        shown = re.sub(r"//[^@/]*@", "//", url)  # without user and password
        return PastSource(f"{name!r} in {shown}", lambda _: _in_database(url, name))
    if isinstance(given, Sequence) and given and all(map(_is_pair, given)):
        return PastSource(_named("results", given), lambda objective: _of_pairs(given, objective))
    raise TypeError(f"{_RULE}; got {given!r}.")


def _is_address(given: Any) -> bool:
    pair = isinstance(given, (tuple, list)) and len(given) == 2
    return pair and all(isinstance(part, str) for part in given) and "://" in given[0]


def _is_pair(given: Any) -> bool:
    pair = isinstance(given, (tuple, list)) and len(given) == 2
    return pair and isinstance(given[0], Mapping) and is_number(given[1])


def _named(kind: str, content: Any) -> str:
    """Return a name for results that have none; it is the same when the program runs again."""
    text = repr([(sorted(map(str, item[0].items())), float(item[1])) for item in content])
    return f"{kind} {zlib.crc32(text.encode()):08x}"


# One function for each kind of search.


def _in_directory(path: Path) -> Iterable[_Result]:
    if (path / FILE_NAME).exists():
        return _of_state(recorded_state(path.absolute()))
    files = sorted(path.glob("trial_*/trial.json"))
    if not files:
        raise FileNotFoundError(
            f"`warm_start` must name directories of projects, but {str(path)!r} holds no search "
            "of kt_extras or KerasTuner.  A project's directory is `directory/project_name`; for "
            "one in a database pass a pair of its URL and its name."
        )
    return _of_keras_tuner(path, files)


def _in_database(url: str, name: str) -> Iterable[_Result]:
    if open_project_store(url, Path(name)).exists():
        return _of_state(recorded_state(Path(name), url))
    try:
        import optuna
    except ModuleNotFoundError:
        raise FileNotFoundError(
            f"`warm_start` must name projects that a database holds, but {name!r} is none.  To "
            "read a study of Optuna, install it: `pip install optuna`."
        ) from None
    try:
        return _of_study(optuna.load_study(study_name=name, storage=url))
    except KeyError:
        raise FileNotFoundError(
            f"`warm_start` must name projects or studies that a database holds, but {name!r} is "
            "neither."
        ) from None


def _of_state(state: SearchState) -> Iterator[_Result]:
    for record in state.trials.values():
        if record.state.is_open or record.state is TrialState.REJECTED:
            continue
        loss = loss_of(state.objective, record.trial.score)
        whole = record.state is TrialState.COMPLETED
        yield _Result(record.best_values, loss, whole, record.epochs)


def _of_keras_tuner(path: Path, files: Sequence[Path]) -> Iterable[_Result]:
    """Return the trials of KerasTuner's own files, which do not say what its objective was."""
    trials = [json.loads(file.read_bytes()) for file in files]
    ended = {TrialStatus.COMPLETED, TrialStatus.FAILED, TrialStatus.INVALID}
    trials = [trial for trial in trials if trial.get("status") in ended]
    scored = [trial for trial in trials if _is_scored(trial)]
    sign = -1.0 if scored and _direction(path, scored) == "max" else 1.0
    longest = max((_epochs_of(trial) for trial in trials), default=0)
    for trial in trials:
        loss, epochs = sign * trial["score"] if _is_scored(trial) else math.inf, _epochs_of(trial)
        yield _Result(trial["hyperparameters"]["values"], loss, epochs >= longest, epochs)


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


def _of_study(study: Any) -> Iterator[_Result]:
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
        yield _Result(trial.params, loss, trial.state.name == "COMPLETE", epochs)


def _of_pairs(given: Iterable[_Pair], objective: keras_tuner.Objective) -> Iterator[_Result]:
    for values, score in given:
        yield _Result(values, loss_of(objective, float(score)))


# What they share.


def _places(results: Sequence[_Result]) -> list[int]:
    """Return the place of each trial: whole ones by loss, then others by epochs and loss."""
    keys = [
        (2, 0.0, 0.0)
        if math.isinf(result.loss)
        else (0, 0.0, result.loss)
        if result.whole
        else (1, -float(result.epochs), result.loss)
        for result in results
    ]
    places = {key: place for place, key in enumerate(sorted(set(keys)))}
    return [places[key] for key in keys]


def _recordable(values: Mapping[str, Any]) -> Point:
    """Return the values that a record can hold, which are all that a hyperparameter can have."""
    found = plain(dict(values))
    return {
        name: value
        for name, value in found.items()
        if isinstance(name, str) and (isinstance(value, (str, bool)) or is_finite(value))
    }
