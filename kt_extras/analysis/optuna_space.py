"""A space as distributions of Optuna, and the distributions of a study as a space."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kt_extras.analysis.search_data import SearchData, TrialData
from kt_extras.arguments import is_number
from kt_extras.search import Choice, Condition, Dimension, Float, Int, Point, Space
from kt_extras.search.dimensions import Value

_TOLERANCE = 1e-8  # of a value on a grid, in steps


class Distributions:
    """Tells the parameters of trials and their distributions.

    A study of Optuna has one kind of distribution for a name, and of a categorical one the same
    choices in all trials.  Optuna has conditions only by which trials have a parameter.

    Args:
        data: The search.
        optuna: The module.
        known: Trials that the study has already.
    """

    def __init__(self, data: SearchData, optuna: Any, known: Iterable[Any]) -> None:
        self._space, self._module = data.space, optuna.distributions
        self._kinds: dict[str, Any] = {}
        for frozen in known:
            for name, kind in frozen.distributions.items():
                self._kinds.setdefault(name, kind)
        choices: dict[str, list[Value]] = {}
        for dimension in data.space.dimensions:
            if isinstance(dimension, Choice):
                choices.setdefault(dimension.name, []).extend(dimension.declared)
        for trial in data.trials:  # of a space that was another one, too
            for name in {*choices} & {*trial.values}:
                choices[name].append(trial.values[name])
        self._choices = {name: _distinct(options) for name, options in choices.items()}

    def of(self, trial: TrialData) -> tuple[Point, dict[str, Any], Point]:
        """Return the parameters of a trial, their distributions, and values that fit into none."""
        active = {one.name: one for one in self._space.active(trial.values)}
        params: Point = {}
        distributions: dict[str, Any] = {}
        others: Point = {}
        for name, value in trial.values.items():
            kind = self._distribution(active[name], value) if name in active else None
            if kind is None or not self._fits(name, kind):
                others[name] = value
            else:
                params[name], distributions[name] = value, kind
        return params, distributions, others

    def _fits(self, name: str, kind: Any) -> bool:
        known = self._kinds.setdefault(name, kind)
        same = type(known) is type(kind) and getattr(known, "log", None) == getattr(
            kind, "log", None
        )
        return same and getattr(known, "choices", None) == getattr(kind, "choices", None)

    def _distribution(self, dimension: Dimension, value: Value) -> Any:
        """Return the distribution of a dimension, wide enough for a value."""
        if isinstance(dimension, Choice):
            known = self._kinds.get(dimension.name)
            if known is not None and value in getattr(known, "choices", ()):
                return known
            return self._module.CategoricalDistribution(self._choices[dimension.name])
        if not is_number(value):
            return None
        low, high = min(dimension.low, value), max(dimension.high, value)
        log, step = dimension.sampling == "log", _step(dimension, value)
        if step is not None:
            high = low + int((high - low) / step + _TOLERANCE) * step
        if isinstance(dimension, Int) and value == int(value):
            return self._module.IntDistribution(int(low), int(high), log=log, step=int(step or 1))
        return self._module.FloatDistribution(float(low), float(high), log=log, step=step)


def _step(dimension: Float | Int, value: float) -> float | None:
    """Return the step of a dimension if Optuna has such a one, and a value lies on it.

    Optuna has steps on a linear scale alone.

    >>> _step(Int("units", 8, 64, step=8), 24), _step(Int("units", 8, 64, step=8), 10)
    (8, None)
    """
    if dimension.step is None or dimension.sampling != "linear" or not dimension.contains(value):
        return None
    steps = (value - dimension.low) / dimension.step
    return dimension.step if abs(steps - round(steps)) < _TOLERANCE else None


def space_of(trials: Sequence[Any]) -> Space:
    """Return the space of the trials of a study.

    Args:
        trials: Trials of Optuna.
    """
    kinds: dict[str, list[Any]] = {}
    for trial in trials:
        for name, kind in trial.distributions.items():
            kinds.setdefault(name, []).append(kind)
    points = [trial.params for trial in trials if trial.params]
    return Space(_dimension(name, found, points) for name, found in kinds.items())


def _dimension(name: str, kinds: Sequence[Any], points: Sequence[Mapping[str, Value]]) -> Dimension:
    conditions = _conditions(name, points)
    first = kinds[-1]
    if hasattr(first, "choices"):
        return Choice(name, tuple(first.choices), conditions=conditions)
    low, high = min(kind.low for kind in kinds), max(kind.high for kind in kinds)
    sampling = "log" if first.log else "linear"
    step = None if first.log or any(kind.step != first.step for kind in kinds) else first.step
    if type(first).__name__ == "IntDistribution":
        return Int(name, low, high, None if step == 1 else step, sampling, conditions)
    return Float(name, low, high, step, sampling, conditions)


def _conditions(name: str, points: Sequence[Mapping[str, Value]]) -> tuple[Condition, ...]:
    """Return the condition that tells which trials have a parameter, if there is one.

    >>> _conditions("rate", [{"drop": True, "rate": 0.1}, {"drop": False}])
    (Condition(parent='drop', values=(True,)),)
    """
    having = [point for point in points if name in point]
    if len(having) == len(points):
        return ()
    for parent in _distinct(key for point in having for key in point if key != name):
        if not all(parent in point for point in having):
            continue
        where = [point[parent] for point in having]
        elsewhere = [p[parent] for p in points if parent in p and name not in p]
        if elsewhere and not any(value in where for value in elsewhere):
            return (Condition(parent, _distinct(where)),)
    return ()


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return values without repetitions; True and 1 are two."""
    return tuple({(type(value), value): value for value in values}.values())
