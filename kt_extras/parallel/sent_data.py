"""What the workers of a search are sent: the tuner, and the arguments of `search`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_DATA = ("x", "y", "sample_weight", "validation_data")


def made_by_workers(args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Tell whether a function is passed in place of data.

    >>> made_by_workers([lambda: 1], {}), made_by_workers([], {"callbacks": lambda hp, trial: []})
    (True, False)
    """
    given = [*args, *(kwargs.get(name) for name in _DATA)]
    return any(map(_makes_data, given))


def called(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return arguments with what functions return in place of those that stand for data.

    >>> called([lambda: 3, 4], {"epochs": 2, "y": lambda: 5})
    ([3, 4], {'epochs': 2, 'y': 5})
    """
    made = {k: v() if k in _DATA and _makes_data(v) else v for k, v in kwargs.items()}
    return [v() if _makes_data(v) else v for v in args], made


def packed(cloudpickle: Any, tuner: Any) -> bytes:
    """Return a tuner as it is sent.

    Raises:
        TypeError: It cannot be sent.
    """
    try:
        return bytes(cloudpickle.dumps(tuner))
    except Exception as error:
        raise TypeError(
            f"The tuner cannot be sent to workers ({error}).  Its `build` and whatever it refers "
            "to must be picklable: make what is not, such as an open file, a lock or a data set, "
            "inside of `build`."
        ) from error


def check_sendable(cloudpickle: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Raise unless the arguments of `search` can be sent to workers.

    Raises:
        TypeError: One cannot.
    """
    named = [*((f"number {n} by position", v) for n, v in enumerate(args, 1)), *kwargs.items()]
    for name, value in named:
        parts = value if isinstance(value, (list, tuple)) else [value]
        if all(isinstance(part, np.ndarray) and part.dtype != object for part in parts):
            continue
        try:
            cloudpickle.dumps(value)
        except Exception as error:
            advice = (
                "Pass a function without arguments that returns it, such as `x=make_data`; each "
                "worker calls it once."
            )
            if name == "callbacks":
                advice = "Pass a function `(hp, trial) -> callbacks`; each worker calls it."
            raise TypeError(
                f"`{name}` of `search` cannot be sent to workers: {type(value).__name__} "
                f"({error}).  {advice}"
            ) from error


def _makes_data(value: Any) -> bool:
    """Tell whether a value is a function that can be called without arguments."""
    if not (inspect.isroutine(value) or hasattr(value, "func")):  # or a `functools.partial`
        return False
    try:
        inspect.signature(value).bind()
    except (TypeError, ValueError):
        return False
    return True
