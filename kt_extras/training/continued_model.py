"""One model that one member of a population after the other goes on with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from kt_extras.training.live_model import differing_numbers, hold_numbers, take_numbers
from kt_extras.training.optimizer_numbers import Number, is_number, optimizer_numbers, same_number

Build = Callable[[Any], keras.Model]

_ENOUGH = 3  # comparisons in which a hyperparameter was a number of the optimizer, and nothing else


class ContinuedModel:
    """Keeps the model that was trained last, for whoever can go on with it.

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
    >>> continued = ContinuedModel()
    >>> model = continued.begin(build(Values(0.5)))
    >>> continued.go_on(Values(0.25), build, build) is model
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

    def go_on(self, hp: Any, build: Build, compare: Build) -> keras.Model:
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

    Every model that it is told of is like the others but for its optimizer's numbers.  A number
    comes from a hyperparameter if the two were the same in each of these models, and if they took
    several values.  That is enough to foretell the optimizer's numbers of a model when each
    hyperparameter whose value has never been seen is one that a number comes from, all other
    numbers have always been the same, and the other hyperparameters have values seen together.

    >>> origins = Origins()
    >>> for rate in (0.1, 0.2, 0.4):
    ...     origins.note({"rate": rate, "units": 8}, {"learning_rate": rate, "momentum": 0.9})
    >>> origins.numbers({"rate": 0.3, "units": 8})
    {'learning_rate': 0.3, 'momentum': 0.9}
    >>> origins.numbers({"rate": 0.3, "units": 16}) is None
    True
    """

    def __init__(self) -> None:
        self._seen: list[tuple[dict[str, Any], dict[str, Number]]] = []

    def note(self, values: Mapping[str, Any], numbers: Mapping[str, Number]) -> None:
        """Be told of a model.

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
        constant, origins = self._constant(), self._origins()
        if constant is None or len(constant) + len(origins) < len(self._seen[0][1]):
            return None  # some number changes in a way that is not understood
        free = set(origins.values())
        rest = {name: value for name, value in values.items() if name not in free}
        known = ({n: v for n, v in seen.items() if n not in free} for seen, _ in self._seen)
        if free - set(values) or rest not in list(known):
            return None
        taken = {path: values[name] for path, name in origins.items()}
        return None if not all(taken.values()) else {**taken, **constant}

    def _constant(self) -> dict[str, Number] | None:
        """Return the numbers that were the same in all models, None if some had other ones."""
        first = self._seen[0][1]
        if any(numbers.keys() != first.keys() for _, numbers in self._seen):
            return None
        return {
            path: value
            for path, value in first.items()
            if all(same_number(value, numbers[path]) for _, numbers in self._seen)
        }

    def _origins(self) -> dict[str, str]:
        """Return for numbers that changed the one hyperparameter that they always were."""
        constant, found = self._constant() or {}, {}
        for path in self._seen[0][1].keys() - constant.keys():
            names = [name for name in self._seen[0][0] if self._is(name, path)]
            if len(names) == 1:
                found[path] = names[0]
        return found

    def _is(self, name: str, path: str) -> bool:
        """Tell whether a number was a hyperparameter in all models, of several values."""
        pairs = [(values.get(name), numbers[path]) for values, numbers in self._seen]
        return len({value for value, _ in pairs}) >= _ENOUGH and all(
            is_number(value) and same_number(value, number) for value, number in pairs
        )
