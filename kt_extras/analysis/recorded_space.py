"""The search space from the configs of KerasTuner's hyperparameters, as records hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kt_extras.search import Boolean, Choice, Condition, Dimension, Fixed, Float, Int, Space

Config = Mapping[str, Any]  # {"class_name": "Int", "config": {"name": "units", ...}}


class RecordedSpace:
    """The hyperparameters that the records declare, merged as KerasTuner merges them.

    Two of the same name are one hyperparameter if their conditions are the same ones; otherwise
    they share the name in sibling scopes.

    Attributes:
        configs: Those of all hyperparameters, in the order in which they were declared.

    >>> units = {"name": "units", "min_value": 1, "max_value": 8, "step": 1, "sampling": "linear",
    ...          "default": None, "conditions": []}
    >>> declared = RecordedSpace()
    >>> declared.add([{"class_name": "Int", "config": units}])
    >>> declared.space().names
    ('units',)
    """

    def __init__(self) -> None:
        self.configs: list[Config] = []

    def add(self, configs: Iterable[Config], *, anew: bool = False) -> None:
        """Add the hyperparameters that are not there yet.

        Args:
            configs: Those of hyperparameters.
            anew: Whether they replace those of before.  Defaults to False.
        """
        known = [] if anew else self.configs
        new = [one for one in configs if not any(_is_same(one, other) for other in known)]
        self.configs = [*known, *new]

    def space(self) -> Space:
        """Return the search space.

        Raises:
            ValueError: A range or a condition is wrong.
            LookupError: A config lacks a field, or its class is not known.
        """
        return Space(map(_dimension, self.configs))


def _is_same(one: Config, other: Config) -> bool:
    first, second = one["config"], other["config"]
    return bool(first["name"] == second["name"] and first["conditions"] == second["conditions"])


def _dimension(declared: Config) -> Dimension:
    given = declared["config"]
    name, default = given["name"], given.get("default")
    inner = [condition["config"] for condition in given["conditions"]]
    conditions = tuple(Condition(one["name"], tuple(one["values"])) for one in inner)
    return _KINDS[declared["class_name"]](given, name, conditions, default)


def _choice(given: Config, name: str, conditions: Any, default: Any) -> Choice:
    options, ordered = tuple(given["values"]), given.get("ordered")
    if ordered is None:
        ordered = isinstance(options[0], (int, float))
    return Choice(name, options, bool(ordered), conditions, default)


def _boolean(_: Config, name: str, conditions: Any, default: Any) -> Choice:
    return Boolean(name, conditions, default)


def _fixed(given: Config, name: str, conditions: Any, _: Any) -> Choice:
    return Fixed(name, given["value"], conditions)


def _int(given: Config, name: str, conditions: Any, default: Any) -> Int:
    step, sampling = given["step"], given["sampling"]
    if step is None and sampling == "linear":
        step = 1
    low, high = given["min_value"], given["max_value"]
    return Int(name, low, high, step, sampling, conditions, default)


def _float(given: Config, name: str, conditions: Any, default: Any) -> Float:
    low, high = float(given["min_value"]), float(given["max_value"])
    return Float(name, low, high, given["step"], given["sampling"], conditions, default)


_KINDS: Mapping[str, Callable[[Config, str, Any, Any], Dimension]] = {
    "Boolean": _boolean,
    "Choice": _choice,
    "Fixed": _fixed,
    "Float": _float,
    "Int": _int,
}
