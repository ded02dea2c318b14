"""Finding every hyperparameter that a model-building function can declare.

A function `build(hp)` declares some hyperparameters only inside a branch.  KerasTuner's conditional
scopes say which values lead there; the function is called until every scope has been entered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras_tuner
import numpy as np

from kt_extras.oracles.translate import to_space
from kt_extras.search import Point, Space

_Scope = tuple[tuple[str, tuple[Any, ...]], ...]  # the conditions of a scope, outermost first


def declare_space(
    build: Callable[[keras_tuner.HyperParameters], Any],
    hyperparameters: Callable[[], keras_tuner.HyperParameters],
    declare: Callable[[keras_tuner.HyperParameters], None],
) -> None:
    """Call `build` until no reachable conditional scope is left unseen.

    Args:
        build: Declares hyperparameters on what it is given.
        hyperparameters: Returns the space as known so far, to be filled with values.
        declare: Adds what a call has declared to the space.
    """
    entered: set[_Scope] = set()
    tried: set[_Scope] = set()
    point: Point | None = None
    while True:
        hp = hyperparameters()
        hp.values = dict(point) if point is not None else hp.values
        build(hp)
        declare(hp)
        entered.update(map(_scope, hp.active_scopes))
        unseen = dict.fromkeys(map(_scope, hp.inactive_scopes))  # in order, once each
        space = to_space(hyperparameters())
        for scope in unseen:
            if scope not in entered | tried and (point := _entrance(space, scope)) is not None:
                tried.add(scope)
                break
        else:
            return


def _scope(conditions: Sequence[Any]) -> _Scope:
    return tuple((condition.name, tuple(condition.values)) for condition in conditions)


def _entrance(space: Space, scope: _Scope) -> Point | None:
    """Return a point at which the scope is active, None if its values cannot be reached."""
    wanted: Point = {}
    for name, values in reversed(scope):
        for dimension in (d for d in space.dimensions if d.name == name):
            allowed = [value for value in values if dimension.contains(value)]
            if allowed:
                wanted.setdefault(name, allowed[0])
                for condition in dimension.conditions:
                    wanted.setdefault(condition.parent, condition.values[0])
    try:
        point = space.complete(wanted, np.zeros(len(space)))
    except ValueError:
        return None
    return point if all(point.get(name) in values for name, values in scope) else None
