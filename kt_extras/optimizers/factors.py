"""Assigns optimizers with fractions of a learning rate to variables."""

from __future__ import annotations

import re
import warnings
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras import compat
from kt_extras.optimizers.copies import with_learning_rate
from kt_extras.optimizers.learning_rates import PART_PREFIX
from kt_extras.optimizers.rate_fraction import RateFraction, ScheduleFraction
from kt_extras.optimizers.variable_paths import path_of, paths_in, pattern_of, variables_of
from kt_extras.schedules.arguments import check_rate

# What is saved of a variable: its shape, the number of its optimizer, whether its weight decays.
Assigned = Sequence[tuple[Sequence[int], int, bool]]


@keras.saving.register_keras_serializable(package="kt_extras")
class LearningRateFactors:
    """Returns, for a variable, a copy of an optimizer with a fraction of its learning rate.

    Keras' `OptimizerMap` compares whole paths.  Those of a nested model's variables change when it
    is loaded, so a loaded model would train differently.  The order of the trainable variables
    stays, so that is what is saved of the assignment.

    Args:
        optimizer: The optimizer of variables that no key matches.
        factors: Maps a layer or a pattern to the factor of the learning rate, at least 0, or is
            pairs of both.  A pattern is a regular expression that matches one or more neighbouring
            parts of a variable's path, each as a whole; the first key that matches counts.
        model: The model, whose layers make the full paths of variables; if it has none, the paths
            are those that Keras gives to variables.  Defaults to None.
        assigned: The assignment to the variables of a model that was saved.  Defaults to None.

    Attributes:
        default_optimizer: `optimizer`.

    Raises:
        ValueError: A factor is out of its range, or a pattern is not a regular expression.

    >>> factors = LearningRateFactors(keras.optimizers.SGD(1.0), {"head/kernel": 0.5, "body": 0.0})
    >>> [factors.factor(path) for path in ("net/head/kernel", "head/bias", "body/1/kernel")]
    [0.5, 1.0, 0.0]
    """

    def __init__(
        self,
        optimizer: Any,
        factors: Mapping[Any, float] | Sequence[tuple[Any, float]],
        model: keras.Model | None = None,
        assigned: Assigned | None = None,
    ) -> None:
        self.default_optimizer = optimizer
        pairs = factors.items() if isinstance(factors, Mapping) else factors
        self._keys = [_Key(key, check_rate("factors", factor, zero=True)) for key, factor in pairs]
        # One for each key, so that their number does not depend on the factors.
        self._parts = [_slowed(optimizer, key.factor) for key in self._keys]
        self._model = None if model is None else weakref.ref(model)
        self._assigned = assigned
        self._numbers: dict[int, int] = {}

    def __call__(self, variable: Any) -> Any:
        """Return the optimizer of a variable."""
        number = self._numbers.get(id(variable))
        if number is None:
            number = self._number(variable, [path_of(variable)])
        return [*self._parts, self.default_optimizer][number]

    def factor(self, path: str) -> float:
        """Return the factor of the variable at a path."""
        return [*(key.factor for key in self._keys), 1.0][self._number(None, [path])]

    @property
    def uses_default(self) -> bool:
        """Whether one of the variables that are assigned has the default optimizer."""
        return len(self._parts) in self._numbers.values()

    def assign(self, variables: list[Any]) -> None:
        """Assign optimizers to all variables that will be trained, before they are built.

        Args:
            variables: The variables, in the order of the model.
        """
        if not self._is_for(variables):
            self._assigned = self._assignment(variables)
            if self._model is None and (unused := self.unused(variables)):
                warnings.warn(
                    f"`factors` has keys that match no trainable variable: {unused}.  They have no "
                    "effect.  Pass the layer itself as the key, or `model`, which is needed to "
                    "find nested models by their names.",
                    stacklevel=2,
                )
        numbers = [number for _, number, _ in self._assigned or ()]
        self._numbers = {id(v): number for v, number in zip(variables, numbers, strict=True)}
        self._exclude_from_decay(variables)

    def unused(self, variables: Iterable[Any]) -> list[str]:
        """Return the keys that match none of the variables."""
        paths = self._paths(variables)
        return [
            key.name
            for key in self._keys
            if not any(key.matches(variable, its) for variable, its in paths)
        ]

    def values(self) -> list[Any]:
        """Return the optimizers except the default one; Keras' `MultiOptimizer` calls this."""
        return list(self._parts)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments; the factors as pairs, since their order counts."""
        model = None if self._model is None else self._model()
        assigned = self._assigned
        if assigned is None and model is not None and model.built:
            assigned = self._assignment(model.trainable_variables)
        return {
            "optimizer": keras.saving.serialize_keras_object(self.default_optimizer),
            "factors": [[key.pattern, key.factor] for key in self._keys],
            "assigned": None if assigned is None else [list(one) for one in assigned],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateFactors:
        """Create an object from the result of `get_config`."""
        optimizer = keras.saving.deserialize_keras_object(config["optimizer"])
        return cls(optimizer, config["factors"], assigned=config.get("assigned"))

    def _is_for(self, variables: list[Any]) -> bool:
        """Tell whether the saved assignment is one of these variables."""
        saved = [list(shape) for shape, *_ in self._assigned or ()]
        return self._assigned is not None and saved == [list(one.shape) for one in variables]

    def _assignment(self, variables: list[Any]) -> Assigned:
        decays = compat.decaying(self.default_optimizer, variables)
        return [
            (list(variable.shape), self._number(variable, paths), decay)
            for (variable, paths), decay in zip(self._paths(variables), decays, strict=True)
        ]

    def _number(self, variable: Any, paths: list[str]) -> int:
        """Return the number of the first key that matches a variable."""
        matching = (n for n, key in enumerate(self._keys) if key.matches(variable, paths))
        return next(matching, len(self._keys))

    def _paths(self, variables: Iterable[Any]) -> list[tuple[Any, list[str]]]:
        model = None if self._model is None else self._model()
        full = {} if model is None else paths_in(model)
        return [(one, [path_of(one), *full.get(id(one), ())]) for one in variables]

    def _exclude_from_decay(self, variables: list[Any]) -> None:
        """Let every part exclude from weight decay what the optimizer excludes."""
        pairs = list(zip(variables, self._assigned or (), strict=True))
        for number, part in enumerate([*self._parts, self.default_optimizer]):
            excluded = [v for v, (_, its, decays) in pairs if its == number and not decays]
            if excluded:
                part.exclude_from_weight_decay(var_list=excluded)


class _Key:
    """A key of `factors`: a layer, or a pattern of paths."""

    def __init__(self, key: Any, factor: float) -> None:
        self.factor = factor
        self._layer = key if isinstance(key, keras.layers.Layer) else None
        self._given = key
        self._compiled = None if self._layer is not None else _compiled(key)

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return str(self._given if self._layer is None else self._layer.name)

    @property
    def pattern(self) -> str:
        """The pattern; of a layer one of its variables' paths."""
        return str(self._given) if self._layer is None else pattern_of(self._layer)

    def matches(self, variable: Any, paths: list[str]) -> bool:
        """Tell whether it matches a variable, which has these paths."""
        if self._compiled is None:
            return any(variable is own for own in variables_of(self._given))
        return any(self._compiled.search(path) for path in paths)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        if not isinstance(pattern, str):
            raise TypeError("it is neither a string nor a layer")
        return re.compile(f"(?:^|/)(?:{pattern})(?:/|$)")
    except (re.error, TypeError) as error:
        raise ValueError(
            f"`factors` must have regular expressions as keys, got {pattern!r}: {error}."
        ) from error


def _slowed(optimizer: Any, factor: float) -> Any:
    """Return a copy of an optimizer with a fraction of its learning rate."""
    schedule = compat.stored_learning_rate(optimizer)
    if isinstance(schedule, LearningRateSchedule):
        rate: Any = ScheduleFraction(schedule, factor)  # of the same object, which may be changed
    else:
        rate = RateFraction(optimizer, factor)
    return with_learning_rate(optimizer, rate, name=f"{PART_PREFIX}{factor:g}")
