"""Checks of what a user passes, whose errors name the argument and its rule."""

from __future__ import annotations

import difflib
import inspect
import os
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import keras_tuner

from kt_extras.arguments import check_integer, is_number
from kt_extras.samplers.evolution import Evolution
from kt_extras.samplers.gaussian_process import GaussianProcess
from kt_extras.samplers.random import Random
from kt_extras.samplers.sobol import Sobol
from kt_extras.samplers.tpe import TPE
from kt_extras.search import Sampler

_SAMPLERS: dict[str, type[Sampler]] = {
    "evolution": Evolution,
    "gp": GaussianProcess,
    "random": Random,
    "sobol": Sobol,
    "tpe": TPE,
}
_NO_NAMES = {"self", "args", "kwargs", "fit_args", "fit_kwargs"}


def check_protocol(name: str, given: object, protocol: type, method: str) -> None:
    """Refuse what does not have the method, such as a class in place of an object."""
    if isinstance(given, type) or not isinstance(given, protocol):
        raise TypeError(f"`{name}` must be an object with a method `{method}`, got {given!r}.")


def check_count(name: str, value: int | None, *, least: int) -> None:
    """Refuse what is neither None nor an integer from `least`.

    >>> check_count("max_trials", 0, least=1)
    Traceback (most recent call last):
    ValueError: `max_trials` must be an integer from 1 or None, got 0.
    """
    if value is not None and not (is_number(value) and value % 1 == 0 and value >= least):
        raise ValueError(f"`{name}` must be an integer from {least} or None, got {value!r}.")


def check_fraction(name: str, value: float | None) -> None:
    """Refuse what is neither None nor a part above 0."""
    if value is not None and not (is_number(value) and 0 < value <= 1):
        raise ValueError(f"`{name}` must be above 0 and at most 1, or None, got {value!r}.")


def check_executions(value: object) -> None:
    """Refuse a number of executions of each trial that is none.

    >>> check_executions(0)
    Traceback (most recent call last):
    ValueError: `executions_per_trial` must be an integer from 1, got 0.
    """
    check_integer("executions_per_trial", value, minimum=1)


def check_hyperparameters(given: object) -> None:
    """Refuse what is neither None nor declared hyperparameters, such as a dictionary of values."""
    if given is not None and not isinstance(given, keras_tuner.HyperParameters):
        raise TypeError(
            "`hyperparameters` must be a `keras_tuner.HyperParameters` that declares the space, or "
            f"None, got {given!r}.  To try values first, use `enqueue` of the tuner."
        )


def check_project_name(given: object) -> None:
    """Refuse what is neither None nor the name of a directory."""
    if given is not None and not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"`project_name` must be a text or None, got {given!r}.")


def names_in(argument: str, given: Collection[str] | None) -> tuple[str, ...] | None:
    """Return a list of names as a tuple, None if there is none.

    >>> names_in("mutable", "rate")
    Traceback (most recent call last):
    TypeError: `mutable` must be a list of names or None, got 'rate'; pass ['rate'].
    """
    if given is None:
        return None
    if isinstance(given, str):
        raise TypeError(
            f"`{argument}` must be a list of names or None, got {given!r}; pass [{given!r}]."
        )
    if not isinstance(given, Collection) or not all(isinstance(name, str) for name in given):
        raise TypeError(f"`{argument}` must be a list of names or None, got {given!r}.")
    return tuple(given)


def check_names(arguments: Iterable[str], taker: type, *makers: type) -> None:
    """Refuse arguments that no constructor of some classes and their bases names.

    Args:
        arguments: Their names.
        taker: The class that the user calls.
        *makers: Others whose arguments it hands on.

    >>> class Halving:
    ...     def __init__(self, max_epochs: int) -> None: ...
    >>> check_names(["max_epoch"], Halving)
    Traceback (most recent call last):
    TypeError: `Halving` has no argument `max_epoch`; did you mean `max_epochs`?
    """
    bases = [base for maker in (taker, *makers) for base in maker.__mro__ if base is not object]
    known = {name for base in bases for name in inspect.signature(base).parameters}
    for name in arguments:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"did you mean `{near[0]}`?" if near else f"there are {sorted(known - _NO_NAMES)}."
            )
            raise TypeError(f"`{taker.__name__}` has no argument `{name}`; {hint}")


def sampler_of(given: Sampler | str) -> Sampler:
    """Return a sampler, which may be given by its name.

    >>> sampler_of("random")
    Random()
    """
    if not isinstance(given, str):
        return given
    if given not in _SAMPLERS:
        names = ", ".join(map(repr, sorted(_SAMPLERS)))
        raise ValueError(f"`sampler` must be one of {names}, or a sampler itself; got {given!r}.")
    return _SAMPLERS[given]()


def split(arguments: Mapping[str, Any], *functions: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split keyword arguments into those that one of some functions names and the others.

    >>> split({"seed": 0, "directory": "runs"}, lambda seed, objective: None)
    ({'seed': 0}, {'directory': 'runs'})
    """
    names = {name for function in functions for name in inspect.signature(function).parameters}
    taken = {name: value for name, value in arguments.items() if name in names}
    return taken, {name: value for name, value in arguments.items() if name not in names}
