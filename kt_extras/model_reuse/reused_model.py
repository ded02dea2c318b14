"""One traced model that the members of a population use in turn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import keras

from kt_extras.model_reuse.optimizer_settings import (
    Number,
    is_number,
    optimizer_numbers,
    same_number,
)
from kt_extras.model_reuse.optimizer_update import differing_numbers, hold_numbers, take_numbers

Build = Callable[[Any], keras.Model]

_ENOUGH = 3  # comparisons, and values, that show a hyperparameter to be a number of the optimizer
_ALWAYS_THE_SAME = ""  # in the place of the name of a hyperparameter


class ReusedModel:
    """Keeps the model that was trained last and reuses it for the next member if it can.

    Building a model costs something and tracing it costs much.  So the model that a member asks for
    is built and compared with the one that is there: if they differ in numbers of the optimizer
    alone, the traced one takes these over.  A few such comparisons show what each number comes
    from, and from then on nothing is built.  Its state is for `RestoreState` to restore.

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
        self._origins = Origins()

    def begin(self, model: keras.Model) -> keras.Model:
        """Keep a model that is to be trained from its beginning."""
        self.model = model
        self._origins = Origins()
        return model

    def model_for(self, hp: Any, build: Build, compare: Build) -> keras.Model:
        """Return a model with these hyperparameters, whose state is to be restored.

        Args:
            hp: The hyperparameters.
            build: Builds a model to be trained.
            compare: Builds a model to be looked at only.
        """
        if self.model is None:
            return self.begin(build(hp))
        numbers = self._origins.numbers(hp.values)
        if numbers is None:
            rebuilt = compare(hp)
            differing = differing_numbers(self.model, rebuilt)
            if differing is None:
                return self.begin(rebuilt)
            self._origins.note(hp.values, optimizer_numbers(rebuilt))
            numbers = differing
            if set(numbers) - {"learning_rate"}:
                hold_numbers(self.model)
        take_numbers(self.model, numbers)
        return self.model


class Origins:
    """Finds out which numbers of an optimizer are hyperparameters as they are.

    Every model that it is told of is like the others but for its optimizer's numbers.  If these are
    either always the same or always the value of one hyperparameter, then those of another model
    are known before it is built, unless one of its other hyperparameters has a new value.  A
    `build` may do something else beyond some value, so only what lies between values seen is told.

    >>> origins = Origins()
    >>> for rate in (0.1, 0.2, 0.4):
    ...     origins.note({"rate": rate, "units": 8}, {"learning_rate": rate, "momentum": 0.5})
    >>> origins.numbers({"rate": 0.25, "units": 8})
    {'learning_rate': 0.25, 'momentum': 0.5}
    >>> origins.numbers({"rate": 0.5, "units": 8}) is None
    True
    """

    def __init__(self) -> None:
        self._seen: list[tuple[dict[str, Any], dict[str, Number]]] = []

    def note(self, values: Mapping[str, Any], numbers: Mapping[str, Number]) -> None:
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
            None if they can't be told.
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
        """Return the hyperparameter that a number is, None if there is none, or more than one."""
        told = [numbers[path] for _, numbers in self._seen if path in numbers]
        if len(told) < len(self._seen):
            return None
        if all(same_number(told[0], number) for number in told):
            return _ALWAYS_THE_SAME
        found = [name for name in values if self._is(name, told, values[name])]
        return found[0] if len(found) == 1 else None

    def _is(self, name: str, told: list[Number], value: Any) -> bool:
        """Tell whether a number was always this hyperparameter, whose value is one of the usual."""
        known: list[Any] = [values.get(name) for values, _ in self._seen]
        return (
            all(map(is_number, [value, *known]))
            and len(set(known)) >= _ENOUGH
            and all(map(same_number, known, told))
            and min(known) <= value <= max(known)
            and bool(value)
        )


def _without(names: Collection[str | None], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
