"""Checks of the arguments of `fit` before any training."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
import keras_tuner

from kt_extras.arguments import check_integer
from kt_extras.bridge.objective import names_of
from kt_extras.oracles.borrowed_names import argument_here
from kt_extras.schedulers import Scheduler

_EPOCHS_POSITION = 3  # of `epochs` in `keras.Model.fit`
_SCHEDULED = (
    "the scheduler sets how long each trial trains.  Set `max_epochs` of the tuner instead."
)
_UNEXPECTED = re.compile(r"([\w.<>]*\bfit\(\)) got an unexpected keyword argument '(\w+)'")
_TWICE = {
    "callbacks": "add yours to the ones that it is given, `callbacks=[*callbacks, ...]`.",
    "epochs": "leave it out in `search`; with a scheduler, leave it out here and set `max_epochs`.",
    "initial_epoch": "the scheduler sets it, since it resumes trainings.  For several trainings "
    "one after the other, use a tuner without a scheduler, such as `kt_extras.TPE`.",
}
_VALIDATION_POSITION = 6  # of `validation_split` in `keras.Model.fit`; `validation_data` follows


def check_validation(
    objective: keras_tuner.Objective, fit_args: Sequence[Any], fit_kwargs: Mapping[str, Any]
) -> None:
    """Raise if the objective is a validation metric and there is no validation data.

    Raises:
        ValueError: That is so.
    """
    given = fit_kwargs.get("validation_data") is not None or fit_kwargs.get("validation_split")
    if given or len(fit_args) > _VALIDATION_POSITION:
        return
    names = [name for name in names_of(objective) if name.startswith("val_")]
    if names and not fit_kwargs.get("callbacks"):  # which might add the metric to the logs
        raise ValueError(
            f"`objective` {names} is measured on validation data, but there is none: pass "
            "`validation_data=(x, y)` or `validation_split=0.2` to `search`."
        )


def check_epochs(fit_args: Sequence[Any], fit_kwargs: Mapping[str, Any]) -> None:
    """Raise if the user sets the epochs, which the scheduler sets.

    Raises:
        keras_tuner.errors.FatalValueError: That is so.
    """
    for name in ("epochs", "initial_epoch"):
        if name in fit_kwargs:
            raise keras_tuner.errors.FatalValueError(
                f"`{name}` can't be passed to `search` or `run_trial`, got {fit_kwargs[name]!r}: "
                f"{_SCHEDULED}"
            )
    if len(fit_args) > _EPOCHS_POSITION:
        raise keras_tuner.errors.FatalValueError(
            "`epochs` can't be passed to `search` or `run_trial`, not by position either: "
            f"{_SCHEDULED}"
        )


def check_validation_freq(
    scheduler: Scheduler, objective: keras_tuner.Objective, fit_kwargs: Mapping[str, Any]
) -> None:
    """Raise if the objective is not measured in every epoch after which trials are compared.

    Raises:
        ValueError: It is a validation metric, and at some rung there is no validation.
    """
    names = [name for name in names_of(objective) if name.startswith("val_")]
    given = fit_kwargs.get("validation_freq", 1)
    if not names or given is None:
        return
    if not isinstance(given, Collection):
        check_integer("validation_freq", given, minimum=1)
    rungs = _comparisons(scheduler)
    missed = [epochs for epochs in rungs if not _is_validated(epochs, given)]
    if missed:
        raise ValueError(
            f"`validation_freq` must have {names} measured whenever trials are compared, after "
            f"{_listed(rungs)} epochs, got {given!r}, which leaves out {_listed(missed)}.  Pass "
            "`validation_freq=1`, or choose `min_epochs` and `max_epochs`, or the `interval` of a "
            "population, as multiples of it."
        )


def _comparisons(scheduler: Scheduler) -> list[int]:
    """Return the epochs after which trials are compared; `max_epochs` only if it is alone."""
    rungs = sorted({rung.epochs for rung in scheduler.plan(1)})
    return rungs[:-1] or rungs


def _is_validated(epochs: int, frequency: int | Collection[int]) -> bool:
    """Return whether Keras validates after this number of epochs."""
    if isinstance(frequency, Collection):
        return epochs in frequency
    return epochs % frequency == 0


def _listed(numbers: Sequence[int], max_shown: int = 6) -> str:
    """Return numbers as a text, the first `max_shown` of them.

    >>> _listed([1, 3, 9]), _listed(range(1, 20), max_shown=2)
    ('1, 3, 9', '1, 2, ...')
    """
    return ", ".join([*map(str, numbers[:max_shown]), *["..."] * (len(numbers) > max_shown)])


def may_lack_objective(objective: keras_tuner.Objective, fit_kwargs: Mapping[str, Any]) -> bool:
    """Return whether an epoch may lack the objective because it was not validated.

    >>> may_lack_objective(keras_tuner.Objective("val_loss", "min"), {"validation_freq": 2})
    True
    """
    validated = all(name.startswith("val_") for name in names_of(objective))
    return validated and fit_kwargs.get("validation_freq", 1) != 1


def passed_twice(argument: str, error: TypeError) -> bool:
    """Tell whether a call failed because it was given an argument by name twice.

    >>> try:
    ...     dict(verbose=0, **{"verbose": 1})
    ... except TypeError as error:
    ...     passed_twice("verbose", error)
    True
    """
    return f"multiple values for keyword argument '{argument}'" in str(error)


def refuse_unexpected(error: TypeError, given: Collection[str], constructor: Any) -> None:
    """Raise what to do about an argument that a training has refused, for each trial would fail.

    Args:
        error: What the training has raised.
        given: The names of the arguments that it was given.
        constructor: The class of the tuner, to which the argument may belong.

    Raises:
        keras_tuner.errors.FatalTypeError: `fit` takes no argument of this name, or a `fit` of the
            user's own has set one of its own besides.

    >>> error = TypeError("Model.fit() got an unexpected keyword argument 'epoch'")
    >>> try:
    ...     refuse_unexpected(error, ["epoch"], object)
    ... except keras_tuner.errors.FatalTypeError as refused:
    ...     print(str(refused).partition("takes ")[2])
    no argument `epoch`; did you mean `epochs`?
    """
    # Without `verbose` the training is tried once more.
    twice = next((n for n in given if n != "verbose" and passed_twice(n, error)), None)
    if twice is not None:
        raise keras_tuner.errors.FatalTypeError(
            f"`{twice}` is passed on to `model.fit` by this `HyperModel.fit`, which also sets it: "
            + _TWICE.get(twice, "leave it out in one of the two, or in `search`.")
        ) from error
    found = _UNEXPECTED.match(str(error))
    if found is None or found[2] not in given:
        return
    raise unexpected(found[1], found[2], constructor) from error


def unexpected(fit: str, name: str, constructor: Any) -> keras_tuner.errors.FatalTypeError:
    """Return what to say of an argument of `search` that a training does not take.

    Args:
        fit: The training, as it is called.
        name: The argument.
        constructor: The class of the tuner, to which it may belong.
    """
    arguments = list(inspect.signature(keras.Model.fit).parameters)
    known = inspect.signature(constructor).parameters
    near = difflib.get_close_matches(name, arguments, n=1, cutoff=0.75)
    borrowed = argument_here(name, known)
    if name in arguments:
        cure = "let it take `**kwargs`, and call `model.fit(..., **kwargs)`."
    elif name in known:
        cure = f"pass it to the constructor of `{constructor.__name__}`."
    elif near:
        cure = f"did you mean `{near[0]}`?"
    elif borrowed:
        cure = f"in the constructor of `{constructor.__name__}`, {borrowed}"
    else:
        cure = "leave it out, or let a `HyperModel.fit` of your own take it."
    return keras_tuner.errors.FatalTypeError(
        f"`{fit}`, which gets the arguments of `search`, takes no argument `{name}`; {cure}"
    )


def accepts(function: Any, argument: str) -> bool:
    """Return whether a function takes an argument of that name.

    >>> accepts(lambda **others: None, "verbose"), accepts(len, "verbose")
    (True, False)
    """
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == argument or p.kind == p.VAR_KEYWORD for p in parameters)


def refuse_for_workers(fit_kwargs: Mapping[str, Any]) -> None:
    """Raise if an argument is given that only a search in several processes has.

    Raises:
        TypeError: It is.

    >>> refuse_for_workers({"address": "auto"})
    Traceback (most recent call last):
    TypeError: `address` needs `workers`, the number of processes that train.
    """
    for name in ("resources_per_worker", "address", "heartbeat_timeout", "progress_timeout"):
        if name in fit_kwargs:
            raise TypeError(f"`{name}` needs `workers`, the number of processes that train.")
