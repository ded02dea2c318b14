"""Hyperparameters whose declarations are checked: their values, and whether they agree."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable
from typing import Any

import keras_tuner

from kt_extras.arguments import plain
from kt_extras.bridge.declared_ranges import DeclarationError, check_declared

_SIGNATURES = {
    kind: inspect.signature(getattr(keras_tuner.HyperParameters, kind))
    for kind in ("Boolean", "Choice", "Fixed", "Float", "Int")
}
_NO_RANGE = ("name", "conditions", "default")


class CheckedHyperParameters(keras_tuner.HyperParameters):
    """Refuses values that cannot be recorded, and warns once of each contradiction.

    Numbers of NumPy are taken for those of Python.  A contradiction is a hyperparameter that is
    declared again with another kind or range.

    KerasTuner passes over the later declaration silently: `hp.Choice("x", ["a", "b"])` after
    `hp.Float("x", 0.0, 1.0)` returns a number.

    Args:
        unchecked: Names of which no warning is given; those of which one was given are added.
            Shared by all copies.  Defaults to None: no names.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     hp = CheckedHyperParameters()
    ...     number = hp.Float("x", 0.0, 1.0)
    ...     for _ in range(2):
    ...         value = hp.copy().Choice("x", ["a", "b"])
    >>> value, len(caught)
    (0.0, 1)
    """

    def __init__(self, unchecked: set[str] | None = None) -> None:
        super().__init__()
        self.unchecked = set() if unchecked is None else unchecked

    def copy(self) -> CheckedHyperParameters:
        """Return a copy that warns of no name again."""
        return checked(self, self.unchecked)

    def Choice(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - KerasTuner's names
        """Declare as KerasTuner does, with values that can be recorded."""
        return super().Choice(**_arguments("Choice", args, kwargs))

    def Int(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Declare as KerasTuner does, with a range that can be recorded."""
        return super().Int(**_arguments("Int", args, kwargs))

    def Float(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Declare as KerasTuner does, with a range that can be recorded."""
        return super().Float(**_arguments("Float", args, kwargs))

    def Boolean(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Declare as KerasTuner does, with a default that can be recorded."""
        return super().Boolean(**_arguments("Boolean", args, kwargs))

    def Fixed(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Declare as KerasTuner does, with a value that can be recorded."""
        return super().Fixed(**_arguments("Fixed", args, kwargs))

    def _retrieve(self, hp: Any) -> Any:
        """Return the value of a hyperparameter that is being declared."""
        first = self._in_force(hp)
        if first is not None and hp.name not in self.unchecked and _call(hp) != _call(first):
            self.unchecked.add(hp.name)
            warnings.warn(
                f"The hyperparameter {hp.name!r} is declared as {_call(hp)}, but it was declared "
                f"before as {_call(first)}, which stays in force, as in KerasTuner.  Give one of "
                "them another name, or both the same range.  If a trial of an earlier run has "
                "declared it, the new one counts once `declare_hyperparameters` has it.",
                stacklevel=4,
            )
        return super()._retrieve(hp)

    def _in_force(self, hp: Any) -> Any:
        """Return the first hyperparameter that has the value of another, None if there is none."""
        for known in self.space:
            if known.name == hp.name and (
                known.conditions == hp.conditions or (self.is_active(known) and self.is_active(hp))
            ):
                return known
        return None


def checked(
    hyperparameters: keras_tuner.HyperParameters, unchecked: set[str]
) -> CheckedHyperParameters:
    """Return a copy of hyperparameters that checks declarations.

    Args:
        hyperparameters: All that are declared, with their values.
        unchecked: As for `CheckedHyperParameters`.
    """
    made = CheckedHyperParameters(unchecked)
    made.merge(hyperparameters)
    made.values = dict(hyperparameters.values)
    if not isinstance(hyperparameters, CheckedHyperParameters):
        for hp in made.space:
            vars(hp).update(plain(vars(hp)))
        made.values = plain(made.values)
    return made


def empty_like(hyperparameters: keras_tuner.HyperParameters) -> keras_tuner.HyperParameters:
    """Return an empty space that checks declarations if, and as, a given one does."""
    if isinstance(hyperparameters, CheckedHyperParameters):
        return CheckedHyperParameters(hyperparameters.unchecked)
    return keras_tuner.HyperParameters()


def _arguments(kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a declaration by name, checked, as Python's own numbers.

    >>> import numpy as np
    >>> _arguments("Choice", ("units", np.array([8, 16])), {})["values"]
    [8, 16]
    """
    signature = _SIGNATURES[kind]
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError as error:
        known = list(signature.parameters)[1:]
        raise DeclarationError(
            f"`hp.{kind}` must be called with {', '.join(known)}, but {error}."
        ) from None
    bound.apply_defaults()
    given = {name: plain(value) for name, value in bound.arguments.items() if name != "self"}
    if isinstance(given.get("values"), Iterable) and not isinstance(given["values"], str):
        given["values"] = list(given["values"])
    check_declared(kind, given)
    return given


def _call(hp: Any) -> str:
    """Return the declaration of a hyperparameter without its name, as a call."""
    given = {k: v for k, v in hp.get_config().items() if k not in _NO_RANGE and v is not None}
    arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return f"`{type(hp).__name__}({arguments})`"
