"""Resolves `objectives`, `constraints` and `weights` to what a search compares trials by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

import keras_tuner

from kt_extras.bridge.objective import ObjectiveLike, parts_of, resolve_objective
from kt_extras.search.outcome import Goals, OutcomeConstraint, Target, checked_weights

#: Measured costs of a model, all of which are minimised.
COSTS = ("parameters", "flops", "latency", "model_size", "training_seconds")

Objectives = Sequence[Union[str, keras_tuner.Objective]]  # noqa: UP007 - Python 3.10
Constraints = Sequence[Union[str, tuple[str, str, float]]]  # noqa: UP007 - Python 3.10


def resolve_goals(
    objective: ObjectiveLike,
    objectives: Objectives | None,
    constraints: Constraints | None,
    weights: Mapping[str, float] | None,
) -> tuple[Any, Goals | None]:
    """Return the objective that gives scores, and by what trials are compared if not by it alone.

    Args:
        objective: One objective, or None.
        objectives: Several in place of it, or None.
        constraints: Bounds on metrics, or None.
        weights: Of the objectives in a sum, or None.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: Both `objective` and `objectives` are given, or an argument breaks its rule.

    >>> objective, goals = resolve_goals(None, ["val_f1", "parameters"], None, None)
    >>> objective.name, [target.direction for target in goals.objectives]
    ('val_f1', ['max', 'min'])
    """
    if objectives is None:
        if weights is not None:
            raise ValueError(
                "`weights` needs several `objectives`; a list given to `objective` is their sum, "
                "as in KerasTuner.  Pass the list as `objectives`."
            )
        resolved = resolve_objective(objective)
        if not (bounds := _checked_constraints(constraints)):
            return resolved, None
        return resolved, Goals(_one_target(resolved), bounds)
    if objective is not None:
        raise ValueError(
            f"`objective` must not be given with `objectives`, got {objective!r} and "
            f"{objectives!r}; leave one of them out."
        )
    resolved = _checked_objectives(objectives)
    targets = tuple(Target(one.name, one.direction) for one in resolved)
    bounds, shares = _checked_constraints(constraints), checked_weights(weights, targets)
    if len(targets) == 1 and not bounds:
        return resolved[0], None
    return resolved[0], Goals(targets, bounds, shares)


def costs_in(goals: Goals | None) -> tuple[str, ...]:
    """Return the measured costs that are among objectives or constraints.

    >>> costs_in(resolve_goals("val_loss", None, ["latency <= 0.01"], None)[1])
    ('latency',)
    """
    if goals is None:
        return ()
    names = [target.name for target in goals.objectives]
    names += [constraint.metric for constraint in goals.constraints]
    return tuple(cost for cost in COSTS if cost in names)


def goals_record(goals: Goals | None) -> dict[str, Any]:
    """Return goals as a record holds them."""
    if goals is None:
        return {}
    several = len(goals.objectives) > 1
    names = [target.name for target in goals.objectives]
    return {
        "objectives": [target._asdict() for target in goals.objectives] if several else [],
        "constraints": [str(constraint) for constraint in goals.constraints],
        "weights": None if goals.weights is None else dict(zip(names, goals.weights, strict=True)),
    }


def recorded_goals(
    objective: keras_tuner.Objective,
    objectives: Sequence[Mapping[str, Any]],
    constraints: Sequence[str],
    weights: Mapping[str, float] | None,
) -> Goals | None:
    """Invert `goals_record`.

    Args:
        objective: The one that gives scores.
        objectives: As recorded; empty for that one alone.
        constraints: As recorded.
        weights: As recorded.
    """
    if not objectives and not constraints:
        return None
    targets = tuple(Target(**one) for one in objectives) or _one_target(objective)
    bounds = tuple(map(OutcomeConstraint.parse, constraints))
    return Goals(targets, bounds, checked_weights(weights, targets))


def _one_target(objective: Any) -> tuple[Target, ...]:
    if objective is None or isinstance(objective, list) or len(parts_of(objective)) > 1:
        raise ValueError(
            "`constraints` needs one `objective` with a name, or several `objectives`, got "
            f"{objective!r}."
        )
    return (Target(objective.name, objective.direction),)


def _checked_objectives(given: Any) -> list[keras_tuner.Objective]:
    if isinstance(given, (str, keras_tuner.Objective)) or not isinstance(given, Sequence):
        raise TypeError(
            f"`objectives` must be a list such as ['val_f1', 'parameters'], got {given!r}; for "
            "one of them pass `objective`."
        )
    if not given:
        raise ValueError("`objectives` must name at least one metric, got [].")
    resolved = [_resolved(one) for one in given]
    names = [one.name for one in resolved]
    if len(set(names)) < len(names):
        raise ValueError(f"`objectives` must be different ones, got {names}.")
    if names[0] in COSTS:
        raise ValueError(
            "`objectives` must begin with a metric of the epochs, which gives each trial's score "
            f"and its best epoch, got {names}; put {names[0]!r} behind one."
        )
    return resolved


def _resolved(given: Any) -> keras_tuner.Objective:
    if isinstance(given, str) and given in COSTS:
        return keras_tuner.Objective(given, "min")
    if not isinstance(given, (str, keras_tuner.Objective)):
        raise TypeError(
            "`objectives` must be names of metrics or costs, or `keras_tuner.Objective`s, got "
            f"{given!r} among them."
        )
    return resolve_objective(given)


def _checked_constraints(given: Any) -> tuple[OutcomeConstraint, ...]:
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise TypeError(
            f"`constraints` must be a list such as ['val_recall >= 0.9'], got {given!r}."
        )
    return tuple(map(OutcomeConstraint.parse, given))
