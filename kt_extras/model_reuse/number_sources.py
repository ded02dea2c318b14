"""Finds the numbers of a model without building it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from kt_extras.model_reuse.optimizer_settings import Number, is_number, same_number

_ENOUGH = 3  # models, and values, after which a number is taken for a hyperparameter
_ALWAYS_THE_SAME = ""  # in the place of the name of a hyperparameter


class NumberSources:
    """Finds the hyperparameter that each number of a model equals.

    All recorded models are the same except for their numbers.  If each number is constant or always
    equal to one hyperparameter, then the numbers of another model are known before it is built,
    unless one of its other hyperparameters has a new value.  A `build` may branch on a
    hyperparameter, so numbers are returned only for values between recorded ones, and for those of
    a recorded model.

    >>> sources = NumberSources()
    >>> for rate in (0.1, 0.2, 0.4):
    ...     sources.record({"rate": rate, "units": 8}, {"learning_rate": rate, "momentum": 0.5})
    >>> sources.numbers({"rate": 0.25, "units": 8})
    {'learning_rate': 0.25, 'momentum': 0.5}
    >>> sources.numbers({"rate": 0.5, "units": 8}) is None
    True
    """

    def __init__(self) -> None:
        self._seen: list[tuple[dict[str, Any], dict[str, Number]]] = []

    def record(self, values: Mapping[str, Any], numbers: Mapping[str, Number]) -> None:
        """Record one model.

        Args:
            values: Its hyperparameters.
            numbers: Its numbers.
        """
        self._seen.append((dict(values), dict(numbers)))

    def numbers(self, values: Mapping[str, Any]) -> dict[str, Number] | None:
        """Return the numbers of a model that was not built.

        Args:
            values: Its hyperparameters.

        Returns:
            The numbers by name; None if they are not known.
        """
        for seen, numbers in self._seen:
            if seen == values:
                return numbers
        if len(self._seen) < _ENOUGH:
            return None
        names = {path: self._origin(path, values) for path in self._seen[0][1]}
        given = set(names.values()) - {_ALWAYS_THE_SAME}
        rest = _without(given, values)
        if None in given or all(_without(given, seen) != rest for seen, _ in self._seen):
            return None
        first = self._seen[0][1]
        return {path: values[name] if name else first[path] for path, name in names.items()}

    def _origin(self, path: str, values: Mapping[str, Any]) -> str | None:
        """Return the hyperparameter that a number equals; None if none does, or more than one."""
        seen = [numbers[path] for _, numbers in self._seen if path in numbers]
        if len(seen) < len(self._seen):
            return None
        if all(same_number(seen[0], number) for number in seen):
            return _ALWAYS_THE_SAME
        found = [name for name in values if self._is(name, seen, values[name])]
        return found[0] if len(found) == 1 else None

    def _is(self, name: str, seen: list[Number], value: Any) -> bool:
        """Tell whether a number always equalled a hyperparameter with a value in the seen range."""
        known: list[Any] = [values.get(name) for values, _ in self._seen]
        return (
            all(map(is_number, [value, *known]))
            and len(set(known)) >= _ENOUGH
            and all(map(same_number, known, seen))
            and min(known) <= value <= max(known)
            and bool(value)
        )


def _without(names: Collection[str | None], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
