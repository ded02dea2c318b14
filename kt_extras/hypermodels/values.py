"""Hyperparameters that are declared where they are passed, and named by their argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Union


@dataclass(frozen=True)
class _Value:
    _method: ClassVar[str]

    def declare(self, hp: Any, name: str) -> Any:
        """Declare the hyperparameter, and return its value.

        Args:
            hp: KerasTuner's hyperparameters.
            name: What it is called.
        """
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return getattr(hp, self._method)(name, **{k: v for k, v in given.items() if v is not None})


@dataclass(frozen=True)
class Choice(_Value):
    """One of several values, as `hp.Choice` of KerasTuner.

    Args:
        values: Numbers, or texts, or booleans.
        ordered: Whether their order means something.  Defaults to None: if they are numbers.
        default: The first value to try.  Defaults to None: the first of `values`.

    >>> import keras_tuner
    >>> Choice([32, 64]).declare(keras_tuner.HyperParameters(), "batch_size")
    32
    """

    _method = "Choice"
    values: Sequence[Any]
    ordered: bool | None = None
    default: Any = None

    def __post_init__(self) -> None:
        if isinstance(self.values, str) or not list(self.values):
            raise ValueError(f"`values` must be a list of at least one value, got {self.values!r}.")
        object.__setattr__(self, "values", list(self.values))


@dataclass(frozen=True)
class Int(_Value):
    """An integer in a range, as `hp.Int` of KerasTuner.

    Args:
        min_value: The lowest.
        max_value: The highest.
        step: The distance of two values; with `sampling="log"` their ratio.  Defaults to None: 1.
        sampling: `"linear"`, `"log"` or `"reverse_log"`.  Defaults to None: `"linear"`.
        default: The first value to try.  Defaults to None: `min_value`.
    """

    _method = "Int"
    min_value: int
    max_value: int
    step: int | None = None
    sampling: str | None = None
    default: int | None = None


@dataclass(frozen=True)
class Float(_Value):
    """A number in a range, as `hp.Float` of KerasTuner.

    Args:
        min_value: The lowest.
        max_value: The highest.
        step: The distance of two values; with `sampling="log"` their ratio.  Defaults to None:
            any number of the range.
        sampling: `"linear"`, `"log"` or `"reverse_log"`.  Defaults to None: `"linear"`.
        default: The first value to try.  Defaults to None: `min_value`.
    """

    _method = "Float"
    min_value: float
    max_value: float
    step: float | None = None
    sampling: str | None = None
    default: float | None = None


@dataclass(frozen=True)
class Boolean(_Value):
    """True or False, as `hp.Boolean` of KerasTuner.

    Args:
        default: The first value to try.  Defaults to False.
    """

    _method = "Boolean"
    default: bool = False


Value = Union[Choice, Int, Float, Boolean]  # noqa: UP007 - Python 3.10
VALUES = (Choice, Int, Float, Boolean)
