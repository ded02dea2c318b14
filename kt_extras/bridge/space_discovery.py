"""Find every hyperparameter that a model-building function can declare.

A function `build(hp)` declares some hyperparameters only inside a branch.  KerasTuner's conditional
scopes say which values lead there.  The function is called until every scope was entered and every
value of a parent was tried, since a scope may itself be declared in a branch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.errors import FailedTrialError

from kt_extras.bridge.declared_ranges import DeclarationError
from kt_extras.bridge.spaces import to_space
from kt_extras.search import Point, Space

_MAX_VALUES = 8  # of a parent; the branches of one with more are found by the trials
_Scope = tuple[tuple[str, tuple[Any, ...]], ...]  # the conditions of a scope, outermost first


def declare_space(
    build: Callable[[keras_tuner.HyperParameters], Any],
    hyperparameters: Callable[[], keras_tuner.HyperParameters],
    declare: Callable[[keras_tuner.HyperParameters], None],
) -> None:
    """Call `build` until it has entered every conditional scope that can be reached.

    A branch that raises is skipped; it counts as a failure of the trials that enter it.

    Args:
        build: Declares hyperparameters on its argument.
        hyperparameters: Returns a copy of the space known so far, whose values are then set.
        declare: Adds the hyperparameters that a call has declared to the space.
    """
    entered: set[_Scope] = set()
    tried: set[_Scope] = set()
    point: Point | None = None
    while True:
        hp = hyperparameters()
        hp.values = dict(point) if point is not None else hp.values
        try:
            build(hp)
        except DeclarationError:  # as in a trial, which it would end
            raise
        except FailedTrialError:
            pass  # the model is too large, for example; its declarations are used
        except Exception:
            if point is None:  # `build` must work with the defaults
                raise
        declare(hp)
        entered.update(map(_scope, hp.active_scopes))
        space = to_space(hyperparameters())
        goals = dict.fromkeys([*map(_scope, hp.inactive_scopes), *_values_of_parents(space)])
        for scope in goals:
            if scope not in entered | tried and (point := _entrance(space, scope)) is not None:
                tried.add(scope)
                break
        else:
            return


def _values_of_parents(space: Space) -> Iterator[_Scope]:
    """Yield every value of every hyperparameter on which another one depends."""
    parents = {c.parent for dimension in space.dimensions for c in dimension.conditions}
    for dimension in space.dimensions:
        if dimension.name in parents and dimension.size <= _MAX_VALUES:
            above = tuple((c.parent, c.values) for c in dimension.conditions)
            for value in dimension.values():
                yield (*above, (dimension.name, (value,)))


def _scope(conditions: Sequence[Any]) -> _Scope:
    return tuple((condition.name, tuple(condition.values)) for condition in conditions)


def _entrance(space: Space, scope: _Scope) -> Point | None:
    """Return a point at which the scope is active, None if there is none."""
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
