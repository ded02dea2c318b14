"""Reuse one traced model for the members of a population."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import keras

from kt_extras import compat
from kt_extras.model_reuse.optimizer_settings import (
    Number,
    is_number,
    optimizer_numbers,
    same_number,
)
from kt_extras.model_reuse.optimizer_update import differing_numbers, set_numbers, use_variables

Build = Callable[[Any], keras.Model]

_ENOUGH = 3  # comparisons, and values, after which a number is taken for a hyperparameter
_ALWAYS_THE_SAME = ""  # in the place of the name of a hyperparameter


class ReusedModel:
    """Keeps the model that was trained last and reuses it for the next member if possible.

    Tracing a model takes much longer than building it.  So the model of the next member is built
    and compared with the kept one.  If they differ in numbers of the optimizer alone, these are set
    in the kept one.  After a few comparisons the hyperparameter behind each number is known, and
    models are no longer built.  The weights are not touched: `RestoreState` restores them.

    Attributes:
        model: The model, None if there is none.

    >>> class Values:
    ...     def __init__(self, rate):
    ...         self.values = {"rate": rate}
    >>> def build(hp):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(hp.values["rate"]), "mse")
    ...     return model
    >>> reused = ReusedModel()
    >>> model = reused.begin(build(Values(0.5)))
    >>> reused.model_for(Values(0.25), build, build) is model
    True
    >>> optimizer_numbers(model)["learning_rate"]
    0.25
    """

    def __init__(self) -> None:
        self.model: keras.Model | None = None
        self._sources = NumberSources()

    def begin(self, model: keras.Model) -> keras.Model:
        """Keep a model that will be trained from its first epoch."""
        self.model = model
        self._sources = NumberSources()
        return model

    def model_for(self, hp: Any, build: Build, compare: Build) -> keras.Model:
        """Return a model with these hyperparameters, whose state is to be restored.

        Args:
            hp: The hyperparameters.
            build: Builds a model that will be trained.
            compare: Builds a model that is only compared.
        """
        if self.model is None:
            return self.begin(build(hp))
        numbers = self._sources.numbers(hp.values)
        if numbers is None:
            compat.reset_names()  # as KerasTuner does before the other builds
            rebuilt = compare(hp)
            differing = differing_numbers(self.model, rebuilt)
            if differing is None:
                return self.begin(rebuilt)
            self._sources.record(hp.values, optimizer_numbers(rebuilt))
            numbers = differing
            if set(numbers) - {"learning_rate"}:
                use_variables(self.model)
        set_numbers(self.model, numbers)
        return self.model


class NumberSources:
    """Finds the hyperparameter that each number of an optimizer equals.

    All recorded models are the same except for the numbers of their optimizers.  If each number is
    constant or always equal to one hyperparameter, then the numbers of another model are known
    before it is built, unless one of its other hyperparameters has a new value.  A `build` may
    branch on a hyperparameter, so numbers are returned only for values between recorded ones.

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
            numbers: Its optimizer's numbers.
        """
        self._seen.append((dict(values), dict(numbers)))

    def numbers(self, values: Mapping[str, Any]) -> dict[str, Number] | None:
        """Return the optimizer's numbers of a model that was not built.

        Args:
            values: Its hyperparameters.

        Returns:
            The numbers by name; None if they are not known.
        """
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
