"""Which hyperparameters a model can change while it keeps its weights."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine import hyperparameters as kinds

from kt_extras import compat
from kt_extras.checkpoints.random_state import random_state_kept
from kt_extras.model_reuse.model_comparison import alike, description
from kt_extras.model_reuse.optimizer_settings import differing_settings
from kt_extras.model_reuse.optimizer_update import same_slots

Build = Callable[[keras_tuner.HyperParameters], keras.Model]


def changes_shapes(
    build: Build,
    hp: keras_tuner.HyperParameters,
    name: str,
    *,
    like: keras.Model | None = None,
) -> bool:
    """Tell whether variables depend on a hyperparameter: those of a model or of its optimizer.

    They do if their number, a shape or the set of those that are trained does, or the class of the
    optimizer.

    The model is built with some other values of it, the ends of its range and the neighbours of
    its value among them, and with two values of what these make active.  If its variables are made
    only when it sees data, and there is no model that has seen some, then whatever changes
    something else than its optimizer counts as a change of shapes, and so does what cannot be seen
    in its configuration.

    Args:
        build: Builds a model, compiled or not.
        hp: With a value for each hyperparameter; it is not changed.
        name: The hyperparameter; if it is inactive, its conditions are met first.
        like: A model of this function that has seen data.

    Returns:
        True also if no model can be built with another value.

    Raises:
        KeyError: There is no hyperparameter of this name.

    >>> def build(hp):
    ...     hp.Float("rate", 0.1, 0.5)
    ...     units = hp.Int("units", 1, 3)
    ...     return keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])
    >>> hp = keras_tuner.HyperParameters()
    >>> _ = build(hp)
    >>> [changes_shapes(build, hp, name) for name in ("rate", "units")]
    [False, True]
    """
    declared = [one for one in hp.space if one.name == name]
    if not declared:
        raise KeyError(f"`name` {name!r} is none of {sorted({one.name for one in hp.space})}.")
    inputs = None if like is None else compat.input_spec(like)
    with _unnoticed():
        return any(_differs(build, hp, one, inputs) for one in declared)


def _differs(build: Build, hp: keras_tuner.HyperParameters, one: Any, inputs: Any) -> bool:
    """Compare the models with other values of a hyperparameter to the one with its value."""
    active = _active(hp, one)
    now = active.values.setdefault(one.name, one.default)
    try:
        model = _built(build, active, inputs)
        return any(
            not _keeps_variables(model, _built(build, other, inputs))
            for value in _others(one, now)
            for other in _tried(active, one.name, value)
        )
    # A build function may fail in any way where a combination makes no sense.
    except Exception:
        return True


def _active(hp: keras_tuner.HyperParameters, one: Any) -> keras_tuner.HyperParameters:
    """Return hyperparameters among which one is active."""
    active = hp.copy()
    for condition in one.conditions:
        if not condition.is_active(active.values):
            active = _with(active, condition.name, condition.values[0])
    return active


def _tried(
    hp: keras_tuner.HyperParameters, name: str, value: Any
) -> list[keras_tuner.HyperParameters]:
    """Return hyperparameters with another value of one, and with two values of what that opens."""
    first, second = (_with(hp, name, value, pick) for pick in (0, 1))
    return [first] if first.values == second.values else [first, second]


def _with(
    hp: keras_tuner.HyperParameters, name: str, value: Any, pick: int = 0
) -> keras_tuner.HyperParameters:
    """Return hyperparameters with a value of one.

    What this makes active gets its default, or another value, unless a namesake of the same range
    in a sibling scope had one.
    """
    other = hp.copy()
    other.values[name] = value
    before = [_range(one) for one in hp.space if hp.is_active(one)]
    for one in hp.space:
        if one.name != name and other.is_active(one) and _range(one) not in before:
            values = [one.default, *_others(one, one.default)]
            other.values[one.name] = values[min(pick, len(values) - 1)]
    return other


def _range(one: Any) -> dict[str, Any]:
    """Return the name of a hyperparameter and what it may be, wherever it is declared."""
    return {key: value for key, value in one.get_config().items() if key != "conditions"}


@contextmanager
def _unnoticed() -> Iterator[None]:
    """Leave no trace in the random streams, and in the names that Keras generates."""
    with random_state_kept(), compat.own_names():
        random.seed(0)
        yield


def _built(build: Build, hp: keras_tuner.HyperParameters, inputs: Any) -> keras.Model:
    model = build(hp.copy())
    if inputs is not None:
        compat.build_from_spec(model, inputs)
    return model


def _others(one: Any, now: Any) -> list[Any]:
    """Return some values of a hyperparameter, beside the one that it has."""
    if isinstance(one, (kinds.Int, kinds.Float)):
        place = one.value_to_prob(now)
        near = [one.prob_to_value(min(max(place + step, 0.0), 1.0)) for step in (-0.25, 0.25)]
        next_to = [now - 1, now + 1] if isinstance(one, kinds.Int) and one.step in {None, 1} else []
        inside = [value for value in next_to if one.min_value <= value <= one.max_value]
        values = [one.min_value, one.prob_to_value(1.0), *near, *inside]
    elif isinstance(one, kinds.Fixed):
        values = []
    else:
        values = [True, False] if isinstance(one, kinds.Boolean) else list(one.values)
    return [value for value in dict.fromkeys(values) if value != now]


def _keeps_variables(one: keras.Model, other: keras.Model) -> bool:
    optimizers = [getattr(model, "optimizer", None) for model in (one, other)]
    if one.built and other.built:
        return _shapes(one) == _shapes(other) and same_slots(one, other)
    if None not in optimizers and not same_slots(one, other):
        return False
    if description(one) is None and None not in optimizers:
        return bool(differing_settings(*optimizers))
    return alike(one, other)


def _shapes(model: keras.Model) -> list[tuple[tuple[int, ...], bool]]:
    """Return the shape of each variable of a model, and whether it is trained."""
    trained = {id(variable) for variable in model.trainable_weights}
    variables = compat.only_variables(model.weights)
    return [(tuple(variable.shape), id(variable) in trained) for variable in variables]
