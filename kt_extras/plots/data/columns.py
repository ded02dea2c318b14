"""What the columns of all pictures need: which objective, which names, which values."""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from kt_extras.analysis.search_data import SearchData, Target, TrialData
from kt_extras.arguments import names_in

Columns = dict[str, list[Any]]
"""Lists of one length by their names."""


def columns(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Columns:
    """Return rows as columns.

    >>> columns(["trial", "score"], [(0, 0.5), (1, 0.7)])
    {'trial': [0, 1], 'score': [0.5, 0.7]}
    """
    listed = list(rows)
    return {name: [row[i] for row in listed] for i, name in enumerate(names)}


def runs(table: Columns, column: str) -> dict[Any, Columns]:
    """Return the rows of each value of a column whose equal values stand together.

    >>> runs({"name": ["a", "a", "b"], "score": [1, 2, 3]}, "name")["a"]
    {'name': ['a', 'a'], 'score': [1, 2]}
    """
    found = {}
    for value, group in itertools.groupby(range(len(table[column])), table[column].__getitem__):
        where = list(group)
        rows = slice(where[0], where[-1] + 1)
        found[value] = {name: values[rows] for name, values in table.items()}
    return found


def objective_of(search: SearchData, name: str | None) -> Target:
    """Return one of the objectives, the first one for None.

    Raises:
        ValueError: There is no such objective.
    """
    if name is None:
        return search.objective
    for target in search.objectives:
        if target.name == name:
            return target
    known = [target.name for target in search.objectives]
    raise ValueError(_unknown("objective", "name an objective of the search", name, known))


def value_of(trial: TrialData, target: Target, search: SearchData) -> float | None:
    """Return the finite value of an objective, None if there is none."""
    value = trial.objective_values.get(target.name)
    if value is None and target == search.objective:
        value = trial.score
    return value if value is not None and math.isfinite(value) else None


def searched_names(search: SearchData) -> list[str]:
    """Return the names of the hyperparameters that have more than one value, in order."""
    names = [d.name for d in search.space.dimensions if d.size > 1]
    twice = [name for name in search.space.names if search.space.names.count(name) > 1]
    return list(dict.fromkeys(name for name in search.space.names if name in {*names, *twice}))


def chosen_names(search: SearchData, names: Sequence[str] | None) -> list[str]:
    """Return the given hyperparameters, all that were searched for None.

    Raises:
        TypeError: `names` is not a list of names.
        ValueError: There is no such hyperparameter.
    """
    given = names_in("names", names)
    if given is None:
        return searched_names(search)
    for name in given:
        check_name("names", name, search)
    return list(dict.fromkeys(given))


def check_name(argument: str, name: object, search: SearchData) -> None:
    """Raise unless the space has a hyperparameter of this name."""
    if name not in search.space.names:
        rule = "name a hyperparameter of the search"
        raise ValueError(_unknown(argument, rule, name, sorted(set(search.space.names))))


def check_metric(name: object, known: Collection[str]) -> None:
    """Raise unless the metric was measured in some trial."""
    if name not in known:
        rule = "name a metric that was measured in the trials"
        raise ValueError(_unknown("metric", rule, name, sorted(known)))


def _unknown(argument: str, rule: str, given: object, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(given), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {list(known)}."
    return f"`{argument}` must {rule}, got {given!r}; {hint}"
