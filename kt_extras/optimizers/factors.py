"""Assigns optimizers with fractions of a learning rate to variables, by the variables' paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from kt_extras import compat
from kt_extras.optimizers.copies import with_learning_rate
from kt_extras.optimizers.learning_rates import PART_PREFIX
from kt_extras.optimizers.rate_fraction import RateFraction
from kt_extras.schedules.arguments import check_rate
from kt_extras.schedules.scaled import Scaled


@keras.saving.register_keras_serializable(package="kt_extras")
class LearningRateFactors:
    """Returns, for a variable, a copy of an optimizer with a fraction of its learning rate.

    Keras' `OptimizerMap` compares whole paths.  Those of a `Sequential` begin with its name or not,
    depending on whether it was just made or loaded, so a loaded model would train differently.

    Args:
        optimizer: The optimizer of variables that no pattern matches.
        factors: Maps a pattern to the factor of the learning rate, at least 0.  A pattern is a
            regular expression that matches one or more neighbouring parts of a variable's path,
            each as a whole; the first one that matches counts.

    Attributes:
        default_optimizer: `optimizer`.

    Raises:
        ValueError: A factor is out of its range, or a pattern is not a regular expression.

    >>> factors = LearningRateFactors(keras.optimizers.SGD(1.0), {"head/kernel": 0.5, "body": 0.0})
    >>> [factors.factor(path) for path in ("net/head/kernel", "head/bias", "body/1/kernel")]
    [0.5, 1.0, 0.0]
    """

    def __init__(self, optimizer: Any, factors: Mapping[str, float]) -> None:
        self.default_optimizer = optimizer
        self.factors = {
            pattern: check_rate("factors", factor, zero=True) for pattern, factor in factors.items()
        }
        self._patterns = [(_compiled(key), factor) for key, factor in self.factors.items()]
        self._optimizers = {
            factor: _slowed(optimizer, factor)
            for factor in dict.fromkeys(self.factors.values())
            if factor != 1
        }

    def __call__(self, variable: Any) -> Any:
        """Return the optimizer of a variable."""
        return self._optimizers.get(self.factor(path_of(variable)), self.default_optimizer)

    def factor(self, path: str) -> float:
        """Return the factor of the variable at a path."""
        matching = (factor for pattern, factor in self._patterns if pattern.search(path))
        return next(matching, 1.0)

    def unused(self, paths: Iterable[str]) -> list[str]:
        """Return the patterns that match none of the paths."""
        paths = list(paths)
        return [
            key
            for key, (pattern, _) in zip(self.factors, self._patterns, strict=True)
            if not any(pattern.search(path) for path in paths)
        ]

    def values(self) -> list[Any]:
        """Return the optimizers except the default one; Keras' `MultiOptimizer` calls this."""
        return list(self._optimizers.values())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments; the factors as pairs, since their order counts."""
        return {
            "optimizer": keras.saving.serialize_keras_object(self.default_optimizer),
            "factors": [[pattern, factor] for pattern, factor in self.factors.items()],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateFactors:
        """Create an object from the result of `get_config`."""
        optimizer = keras.saving.deserialize_keras_object(config["optimizer"])
        return cls(optimizer, dict(config["factors"]))


def path_of(variable: Any) -> str:
    """Return the path of a variable: the names of its layers and its own, between slashes."""
    path = getattr(variable, "path", None) or variable.name  # Keras 2 has only the name
    return str(path).partition(":")[0]


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        if not isinstance(pattern, str):
            raise TypeError("it is not a string")
        return re.compile(f"(?:^|/)(?:{pattern})(?:/|$)")
    except (re.error, TypeError) as error:
        raise ValueError(
            f"`factors` must have regular expressions as keys, got {pattern!r}: {error}."
        ) from error


def _slowed(optimizer: Any, factor: float) -> Any:
    """Return a copy of an optimizer with a fraction of its learning rate."""
    schedule = compat.stored_learning_rate(optimizer)
    if isinstance(schedule, LearningRateSchedule):
        rate: Any = Scaled(schedule, factor)  # the same object, so that both can be changed in one
    else:
        rate = RateFraction(optimizer, factor)
    return with_learning_rate(optimizer, rate, name=f"{PART_PREFIX}{factor:g}")
