"""Reads what earlier searches have found: ours, KerasTuner's and Optuna's.

Each trial comes down to its values and its rank within its search.  Of a long search, its best
trials and a part of the others are taken.
"""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np

from kt_extras.arguments import is_finite, is_number, plain
from kt_extras.records.past_results import (
    Result,
    in_database,
    in_directory,
    of_data,
    of_pairs,
    of_study,
)
from kt_extras.search.dimensions import Point
from kt_extras.search.past import Past, ranked

PastSearches = Sequence[Any]  # what `warm_start` takes

_BEST, _OTHERS = 100, 100  # trials of an earlier search that are taken
_RULE = (
    "`warm_start` must be a list of finished searches: the path of a project's directory, a pair "
    "of the URL of a database and the name of a project or study, what `kt_extras.load` returns, "
    "an Optuna study, or a list of pairs of values and score"
)

_Read = Callable[[keras_tuner.Objective], "Iterable[Result]"]


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
        ValueError: A search is named twice, or a URL has no name of a project beside it.

    >>> [source.name for source in past_sources(["runs/old", ("sqlite:///a.db", "digits")])]
    ['runs/old', "'digits' in sqlite:///a.db"]
    """
    if given is None:
        return []
    if isinstance(given, (str, os.PathLike, Mapping)) or not isinstance(given, Sequence):
        alone = isinstance(given, (str, os.PathLike)) and "://" not in str(given)
        hint = f"; pass [{given!r}]" if alone else ""
        raise TypeError(f"{_RULE}; got {_got(given)}{hint}.")
    if _is_address(given) or (given and all(map(_is_pair, given))):
        given = [given]
    sources = [_source(item) for item in given]
    names = [source.name for source in sources]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"`warm_start` must name each search once, got {twice[0]!r} twice.")
    return sources


def _source(given: Any) -> PastSource:
    if isinstance(given, (str, os.PathLike)) and "://" not in str(given):
        path = Path(given)
        return PastSource(_project_name(path), lambda _: in_directory(path))
    if hasattr(given, "search_data") and hasattr(given, "storage"):  # what `load` returns
        found = list(of_data(given.search_data()))
        return PastSource(_project_name(given.directory, given.storage), lambda _: found)
    if hasattr(given, "trials") and hasattr(given, "directions"):
        return PastSource(_study_name(given), lambda _: of_study(given))
    if _is_address(given):
        url, name = given
        return PastSource(_project_name(Path(name), url), lambda _: in_database(url, name))
    if isinstance(given, Sequence) and given and all(map(_is_pair, given)):
        return PastSource(_named("results", given), lambda objective: of_pairs(given, objective))
    raise TypeError(f"{_RULE}; got {_got(given)}.")


def _got(given: Any) -> str:
    """Return how a message shows what was given: without a URL, which may hold a password."""
    text = repr(given)
    return "a URL that is not in a pair (URL, name)" if "://" in text else text


def _is_address(given: Any) -> bool:
    pair = isinstance(given, (tuple, list)) and len(given) == 2
    return pair and all(isinstance(part, str) for part in given) and "://" in given[0]


def _is_pair(given: Any) -> bool:
    pair = isinstance(given, (tuple, list)) and len(given) == 2
    return pair and isinstance(given[0], Mapping) and is_number(given[1])


# Names are the same when the program runs again; else a search would be recorded twice.


def _project_name(directory: Path, storage: str | None = None) -> str:
    if storage is None:
        return _local(directory)
    from kt_extras.storage.address import parse, shown  # SQLAlchemy is optional

    url = parse(storage)
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=_local(Path(url.database)))
    return f"{directory.name!r} in {shown(url)}"


def _local(path: Path) -> str:
    """Return a path as seen from the working directory if that holds it, so that both can move."""
    path, here = path.resolve(), Path.cwd().resolve()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _study_name(study: Any) -> str:
    name = str(getattr(study, "study_name", ""))
    if name.startswith("no-name-"):  # and a random number
        return _named("Optuna study", list(of_study(study)))
    return f"Optuna study {name!r}"


def _named(kind: str, content: Any) -> str:
    """Return a name for results that have none."""
    text = repr([(sorted(map(str, item[0].items())), float(item[1])) for item in content])
    return f"{kind} {zlib.crc32(text.encode()):08x}"


def _places(results: Sequence[Result]) -> list[int]:
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
