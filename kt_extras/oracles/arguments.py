"""Checks of the arguments of tuners and oracles, whose errors name the argument and its rule."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Union

import keras_tuner

from kt_extras.arguments import check_integer, check_protocol, is_finite, is_number, plain
from kt_extras.bridge.declared_ranges import check_declared
from kt_extras.oracles.borrowed_names import argument_here, class_here
from kt_extras.pruners import Pruner
from kt_extras.pruners.number import check_compares_trials
from kt_extras.samplers.auto import Auto
from kt_extras.samplers.bayesian_optimization import BayesianOptimization
from kt_extras.samplers.evolution import Evolution
from kt_extras.samplers.gaussian_process import GaussianProcess
from kt_extras.samplers.grid import Grid
from kt_extras.samplers.random import Random
from kt_extras.samplers.random_forest import RandomForest
from kt_extras.samplers.sobol import Sobol
from kt_extras.samplers.tpe import TPE
from kt_extras.schedulers import Scheduler
from kt_extras.schedulers.progressive_halving import ProgressiveHalving
from kt_extras.search import Point, Sampler
from kt_extras.search.outcome import Goals

Values = Union[Mapping[str, Any], keras_tuner.HyperParameters]  # noqa: UP007 - Python 3.10
Points = Union[Values, Sequence[Values]]  # noqa: UP007

# Methods of KerasTuner's oracle that are never called here, and what takes their place.
_NEVER_CALLED = {
    **dict.fromkeys(
        ("populate_space", "_populate_space"),
        "write a sampler, that is an object with a method `suggest(history, space, rng)`, and pass "
        "it to `kt_extras.SamplerOracle`",
    ),
    "_score_trial": "override `score_trial`",
    **dict.fromkeys(
        ("get_state", "set_state"),
        "let what it decides follow from the history of trials, which is recorded",
    ),
}

_SAMPLERS: dict[str, type[Sampler]] = {
    "auto": Auto,
    "bayesian": BayesianOptimization,
    "evolution": Evolution,
    "forest": RandomForest,
    "gp": GaussianProcess,
    "grid": Grid,
    "random": Random,
    "sobol": Sobol,
    "tpe": TPE,
}


def check_fits_goals(
    goals: Goals | None,
    *,
    target: float | None,
    pruner: Pruner | None,
    scheduler: Scheduler | None,
) -> None:
    """Raise if an argument looks at scores, and trials are compared by more than that.

    Args:
        goals: What is wanted of outcomes, None for a good score alone.
        target: A score that ends the search, or None.
        pruner: A rule that stops trials, or None.
        scheduler: What gives epochs to trials, or None.

    Raises:
        ValueError: It does.
    """
    if goals is None:
        return
    if target is not None and len(goals.objectives) > 1:
        raise ValueError(
            f"`target` must be left out with several `objectives`, got {target!r}: no single score "
            "says that they are reached.  End the search with `max_trials`, `max_time` or "
            "`max_trials_without_improvement`."
        )
    check_compares_trials(pruner, goals)
    if isinstance(scheduler, ProgressiveHalving) or getattr(scheduler, "explore", None) == "pb2":
        raise ValueError(
            "`scheduler` must compare trials at one epoch alone where there are several "
            f"`objectives` or `constraints`, got {scheduler!r}, which looks at how much a score "
            "changes.  Use `ASHA` in place of `PASHA`, and `PBT` without `explore='pb2'`."
        )


def check_sampler(given: object) -> None:
    """Raise unless the value is a sampler; the name of one is not.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(given, str):
        return check_protocol("sampler", given, Sampler, "suggest")
    known = _SAMPLERS.get(given.lower())
    instead = f"kt_extras.samplers.{known.__name__}()" if known else "kt_extras.samplers.TPE()"
    raise TypeError(
        f"`sampler` must be an object with a method `suggest`, got {given!r}; pass such an object "
        f"to `kt_extras.SamplerOracle`: `kt_extras.Tuner(kt_extras.SamplerOracle({instead}, ...), "
        "hypermodel)`."
    )


def check_scheduler(given: object, sampler: Sampler) -> None:
    """Raise unless the value is a scheduler, or None, that the sampler goes with.

    Raises:
        TypeError: It is no scheduler.
        ValueError: The sampler waits for trials that are trained to their end.

    """
    if given is None:
        return
    check_protocol("scheduler", given, Scheduler, "next_step")
    if isinstance(sampler, Grid) and sampler.refine:
        raise ValueError(
            f"`refine` must be 0 with a scheduler, got {sampler.refine}: a finer grid is around "
            "the best of trials that were trained to their end; leave out the scheduler, or pass a "
            "larger `resolution`."
        )


def other_oracle(given: object) -> str:
    """Return what to say of an oracle that is not one of `kt_extras`.

    >>> other_oracle(keras_tuner.oracles.HyperbandOracle("loss")).partition(";")[0]
    ' In place of `HyperbandOracle`, use `kt_extras.HyperbandOracle`'
    """
    if not isinstance(given, keras_tuner.Oracle):
        return ""
    name = type(given).__name__
    here = class_here(name) or "a sampler in a `kt_extras.SamplerOracle`"
    return f" In place of `{name}`, use {here}; or run it with `keras_tuner.Tuner`."


def check_count(name: str, value: int | None, *, minimum: int) -> int | None:
    """Return the value as a plain integer; raise unless it is None or an integer from `minimum`.

    >>> check_count("max_trials", 0, minimum=1)
    Traceback (most recent call last):
    ValueError: `max_trials` must be an integer from 1 or None, got 0.
    """
    if value is not None and not (is_number(value) and value % 1 == 0 and value >= minimum):
        raise ValueError(f"`{name}` must be an integer from {minimum} or None, got {value!r}.")
    return None if value is None else int(value)


def check_fraction(name: str, value: float | None) -> None:
    """Raise unless the value is None or a fraction above 0 and at most 1.

    Raises:
        ValueError: It is not.
    """
    if value is not None and not (is_number(value) and 0 < value <= 1):
        raise ValueError(f"`{name}` must be above 0 and at most 1, or None, got {value!r}.")


def check_executions(value: object) -> None:
    """Raise unless the number of executions of each trial is an integer from 1.

    >>> check_executions(0)
    Traceback (most recent call last):
    ValueError: `executions_per_trial` must be an integer from 1, got 0.
    """
    check_integer("executions_per_trial", value, minimum=1)


def check_hyperparameters(given: object) -> None:
    """Raise unless the value is None or a `HyperParameters`; a dictionary of values is not.

    Raises:
        TypeError: It is not.
        ValueError: It declares a hyperparameter with a value that no trial could use.
    """
    if given is not None and not isinstance(given, keras_tuner.HyperParameters):
        raise TypeError(
            "`hyperparameters` must be a `keras_tuner.HyperParameters` that declares the space, or "
            f"None, got {given!r}.  To try values first, use `enqueue` of the tuner."
        )
    for hp in given.space if given is not None else ():
        check_declared(type(hp).__name__, plain(hp.get_config()))


def enqueued_points(given: Points) -> list[Point]:
    """Return the points that `enqueue` is given, as plain dictionaries.

    Raises:
        TypeError: It is neither a mapping, nor a `HyperParameters`, nor a list of these.

    >>> import numpy as np
    >>> enqueued_points([{"units": np.int64(3)}, {"units": 4}])
    [{'units': 3}, {'units': 4}]
    """
    several = isinstance(given, Sequence) and not isinstance(given, str)
    return [plain_values(point) for point in (given if several else [given])]


def refuse_overridden(oracle: type) -> None:
    """Raise if a subclass overrides a method of KerasTuner's oracle that would never be called.

    Raises:
        TypeError: It does; the message says what to do instead.
    """
    for name, instead in _NEVER_CALLED.items():
        if getattr(oracle, name) is not getattr(keras_tuner.Oracle, name):
            raise TypeError(
                f"`{oracle.__name__}` must not override `{name}`, which the oracles of kt_extras "
                f"never call; {instead}."
            )


def refuse_unknown(unknown: Mapping[str, object], taker: type) -> None:
    """Raise if there are arguments that a constructor does not have.

    A constructor that ends with ``**unknown: NoReturn`` calls this at run time; a type checker
    refuses such arguments before, for no value has the type `NoReturn`.

    Args:
        unknown: The arguments, by name.
        taker: The class that the user calls.

    Raises:
        TypeError: There are any; the message names the argument that was probably meant, also for
            one of KerasTuner, Optuna or Ray.

    >>> from typing import NoReturn
    >>> class Halving:
    ...     def __init__(self, max_epochs: int, **unknown: NoReturn) -> None: ...
    >>> refuse_unknown({"max_epoch": 9}, Halving)
    Traceback (most recent call last):
    TypeError: `Halving` has no argument `max_epoch`; did you mean `max_epochs`?
    """
    known = _named_arguments(taker)
    for name in unknown:
        near = difflib.get_close_matches(name, known - {name}, n=1)
        other = f"did you mean `{near[0]}`?" if near else f"there are {sorted(known)}."
        hint = argument_here(name, known - {name}) or other
        raise TypeError(f"`{taker.__name__}` has no argument `{name}`; {hint}")


def passed_on(given: Mapping[str, Any], taker: type) -> dict[str, Any]:
    """Return what a constructor passes on to another one: all that the other names, too.

    So a preset can name every argument in its signature without repeating each one in its body.

    Args:
        given: `locals()` of the constructor.
        taker: The class that takes them.

    >>> class Halving:
    ...     def __init__(self, max_epochs: int, seed: int) -> None: ...
    >>> passed_on({"max_epochs": 9, "seed": 0, "sampler": None}, Halving)
    {'max_epochs': 9, 'seed': 0}
    """
    known = _named_arguments(taker)
    return {name: value for name, value in given.items() if name in known}


def _named_arguments(taker: type) -> set[str]:
    """Return the arguments that the constructor of a class names."""
    parameters = inspect.signature(taker).parameters.values()
    return {p.name for p in parameters if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}}


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


def plain_values(point: object) -> Point:
    """Return the values of hyperparameters, given in either way, as a plain dictionary.

    Raises:
        TypeError: It is neither a mapping nor a `HyperParameters`.
        ValueError: A value cannot be recorded.
    """
    values = point.values if isinstance(point, keras_tuner.HyperParameters) else point
    if not isinstance(values, Mapping):
        raise TypeError(
            "`values` must be a dictionary of values, a `keras_tuner.HyperParameters` or a list "
            f"of these, got {point!r}."
        )
    for name, value in (found := plain(dict(values))).items():
        if not isinstance(name, str):
            raise TypeError(f"`values` must have texts as names, got {name!r}.")
        if not isinstance(value, (str, bool)) and not is_finite(value):
            raise ValueError(
                f"`values` must be texts, bools or finite numbers, got {value!r} for {name!r}."
            )
    return found
