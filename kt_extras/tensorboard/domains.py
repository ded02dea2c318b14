"""A search space as the columns of TensorBoard's HParams dashboard.

The dashboard has columns of intervals of numbers and of lists of numbers, strings or booleans, of
one type each.  A finite dimension becomes the list of its values, a continuous one or one of very
many values an interval.  Dimensions of one name, in sibling scopes, become one column, whose domain
is the union of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kt_extras.search.dimensions import Choice, Condition, Dimension, Value
from kt_extras.search.space import Space

if TYPE_CHECKING:
    from tensorboard.plugins.hparams import api_pb2
    from tensorboard.plugins.hparams.summary_v2 import Domain

#: What a column of strings shows where a hyperparameter is inactive.
INACTIVE = "-"

# The dashboard draws a check box a listed value, so long ranges of integers are better intervals.
_LONGEST_RANGE = 32
_LONGEST_GRID = 256  # with a step an interval would also show values that cannot occur


def hparam_infos(space: Space) -> list[api_pb2.HParamInfo]:
    """Return one column a name, in the order of the space.

    >>> from kt_extras.search import Int
    >>> [info] = hparam_infos(Space([Int("units", 8, 64, step=2, sampling="log")]))
    >>> info.name, [value.number_value for value in info.domain_discrete.values]
    ('units', [8.0, 16.0, 32.0, 64.0])
    """
    twins: dict[str, list[Dimension]] = {}
    for dimension in space.dimensions:
        twins.setdefault(dimension.name, []).append(dimension)
    return [
        _info(name, dimensions, optional=_may_be_inactive(dimensions, space))
        for name, dimensions in twins.items()
    ]


def state_info(name: str, states: Sequence[str]) -> api_pb2.HParamInfo:
    """Return the column of the states of trials."""
    from tensorboard.plugins.hparams import api, api_pb2

    info = api_pb2.HParamInfo(name=name, description="The state of the trial.", differs=True)
    api.Discrete(states).update_hparam_info(info)
    return info


def cell(value: Value, info: api_pb2.HParamInfo | None) -> bool | float | int | str:
    """Return a value as its column holds it: as a string if the column mixes types.

    >>> cell(0.5, None), cell(None, None)
    (0.5, 'None')
    """
    from tensorboard.plugins.hparams import api_pb2

    value = _plain(value)
    text = info is not None and info.type == api_pb2.DATA_TYPE_STRING
    return str(value) if text or not isinstance(value, (bool, int, float, str)) else value


def _info(name: str, dimensions: Sequence[Dimension], *, optional: bool) -> api_pb2.HParamInfo:
    from tensorboard.plugins.hparams import api_pb2

    info = api_pb2.HParamInfo(
        name=name,
        description="; or ".join(map(_description, dimensions)),
        differs=_comes_first(dimensions),
    )
    domain = _domain(dimensions, optional=optional)
    if domain is None:
        info.type = api_pb2.DATA_TYPE_STRING
    else:
        domain.update_hparam_info(info)
    return info


def _comes_first(dimensions: Sequence[Dimension]) -> bool:
    """Return whether a column varies and every trial has a value of it.

    The dashboard shows such columns first, and its parallel coordinates leave out any trial without
    a value in one of the columns shown: conditional ones last means that all trials are drawn.
    """
    varies = any(dimension.size > 1 for dimension in dimensions)
    return varies and not all(dimension.conditions for dimension in dimensions)


def _may_be_inactive(dimensions: Sequence[Dimension], space: Space) -> bool:
    """Return whether a trial may have no value of any of these dimensions."""
    if not all(dimension.conditions for dimension in dimensions):
        return False
    parents = {one.parent for dimension in dimensions for one in dimension.conditions}
    covered = {value for d in dimensions for one in d.conditions for value in one.values}
    above = [dimension for dimension in space.dimensions if dimension.name in parents]
    alone = len(above) == 1 and all(len(dimension.conditions) == 1 for dimension in dimensions)
    return not (alone and not above[0].conditions and covered.issuperset(above[0].values()))


def _domain(dimensions: Sequence[Dimension], *, optional: bool) -> Domain | None:
    """Return the union of the domains; None if it is infinite and not of numbers alone."""
    from tensorboard.plugins.hparams import api

    if all(_is_listed(dimension) for dimension in dimensions):
        values = _one_type(v for d in dimensions for v in d.values())
        return api.Discrete([*values, INACTIVE] if optional and _are_strings(values) else values)
    ends = _one_type(end for dimension in dimensions for end in _ends(dimension))
    if isinstance(ends[0], str):
        return None
    low, high = min(ends), max(ends)
    if isinstance(low, int) and isinstance(high, int):
        return api.IntInterval(low, high)
    return api.RealInterval(float(low), float(high))


def _are_strings(values: Sequence[Any]) -> bool:
    return isinstance(values[0], str)


def _is_listed(dimension: Dimension) -> bool:
    if isinstance(dimension, Choice):
        return True
    return dimension.size <= (_LONGEST_RANGE if dimension.step is None else _LONGEST_GRID)


def _ends(dimension: Dimension) -> tuple[Value, ...]:
    return dimension.values() if isinstance(dimension, Choice) else (dimension.low, dimension.high)


def _one_type(values: Iterable[Value]) -> list[Any]:
    """Return the distinct values, all booleans, integers, reals or (if mixed) strings."""
    plain = [_plain(value) for value in values]
    types = {type(value) for value in plain}
    if types == {int, float}:
        plain = [float(value) for value in plain]
    elif len(types) > 1 or not types <= {bool, int, float, str}:
        plain = [str(value) for value in plain]
    return list(dict.fromkeys(plain))


def _plain(value: Value) -> Value:
    """Return a NumPy scalar as the Python value it holds."""
    return value.item() if hasattr(value, "item") and not isinstance(value, str) else value


def _description(dimension: Dimension) -> str:
    """Say what an interval or a list cannot: scale, step and conditions."""
    parts = [_range(dimension), *map(_condition, dimension.conditions)]
    return ", ".join(part for part in parts if part)


def _range(dimension: Dimension) -> str:
    if isinstance(dimension, Choice):
        return "one of " + ", ".join(map(str, dimension.options)) if dimension.size > 1 else "fixed"
    parts = [f"{dimension.low:g} to {dimension.high:g}"]
    if dimension.sampling != "linear":
        parts.append(f"{dimension.sampling.replace('_', ' ')} scale")
    if dimension.step is not None and math.isfinite(dimension.size):
        times = "" if dimension.sampling == "linear" else "x"
        parts.append(f"step {times}{dimension.step:g}")
    return ", ".join(parts)


def _condition(condition: Condition) -> str:
    return f"if {condition.parent} is {' or '.join(map(str, condition.values))}"
