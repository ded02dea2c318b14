"""What is wanted of the outcome of a trial: one objective or several, constraints, weights.

An outcome is a row: the loss in each objective, and in its last column by how much the constraints
are violated together.  An order of outcomes gives each a number that is lower for better ones, in
place of the loss of a single objective.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from kt_extras.arguments import is_finite
from kt_extras.arrays import FloatArray, IntArray
from kt_extras.search.pareto import hypervolume, knee, non_dominated_fronts, pareto_order

Direction = Literal["min", "max"]

_REFERENCE_TRIALS = 10
_RELATIONS = ("<=", ">=", "<", ">")
_TEXT = re.compile(r"\s*(?P<metric>[^<>=]+?)\s*(?P<relation><=|>=|<|>)\s*(?P<bound>[^<>=\s]+)\s*")
_RULE = (
    "a constraint must be a text such as 'val_recall >= 0.9' or a tuple such as "
    "('latency', '<=', 0.005)"
)


class Target(NamedTuple):
    """What is minimised or maximised.

    Attributes:
        name: Of a metric, as it stands in the logs, or of a measured cost, such as `parameters`.
        direction: `"min"` or `"max"`.
    """

    name: str
    direction: Direction

    @property
    def sign(self) -> float:
        """The factor from its value to a loss: -1.0 if it is maximised."""
        return -1.0 if self.direction == "max" else 1.0


@dataclass(frozen=True)
class OutcomeConstraint:
    """A bound on a metric of a trained model.

    Args:
        metric: Its name in the logs, or that of a measured cost.
        relation: `"<="`, `">="`, `"<"` or `">"`.
        bound: A finite number.

    >>> constraint = OutcomeConstraint.parse("val_recall >= 0.9")
    >>> constraint.violation({"val_recall": 0.45}), constraint.violation({"val_recall": 0.95})
    (0.5, 0.0)
    """

    metric: str
    relation: str
    bound: float

    @classmethod
    def parse(cls, given: Any) -> OutcomeConstraint:
        """Return the constraint of a text or a tuple.

        Raises:
            ValueError: It is neither, or its bound is not a finite number.
        """
        if isinstance(given, OutcomeConstraint):
            return given
        if isinstance(given, str):
            found = _TEXT.fullmatch(given)
            parts: Any = found.group("metric", "relation", "bound") if found else ()
        else:
            parts = tuple(given) if isinstance(given, (tuple, list)) else ()
        if len(parts) != 3 or not isinstance(parts[0], str) or parts[1] not in _RELATIONS:
            raise ValueError(f"`constraints`: {_RULE}, got {given!r}.")
        try:
            bound = float(parts[2])
        except (TypeError, ValueError):
            bound = math.nan
        if not math.isfinite(bound):
            raise ValueError(
                f"`constraints`: {_RULE}, with a finite number at its end; got {given!r}."
            )
        return cls(parts[0], parts[1], bound)

    def __str__(self) -> str:
        short = f"{self.bound:g}"
        bound = short if float(short) == self.bound else repr(self.bound)
        return f"{self.metric} {self.relation} {bound}"

    def violation(self, metrics: Mapping[str, float]) -> float:
        """Return by how much it is violated, as a fraction of the bound.

        Args:
            metrics: Those of a trial; a metric that is missing or NaN violates it without limit.

        Returns:
            0 where it holds; the excess itself if the bound is 0.
        """
        value = metrics.get(self.metric, math.nan)
        if math.isnan(value):
            return math.inf
        excess = value - self.bound if "<" in self.relation else self.bound - value
        holds = excess <= 0 if "=" in self.relation else excess < 0
        if holds:
            return 0.0
        return max(excess / (abs(self.bound) or 1.0), float(np.finfo(float).eps))


@dataclass(frozen=True)
class Goals:
    """Several objectives, or one with constraints on the outcome.

    Args:
        objectives: At least one; the first metric among them gives scores and best epochs.
        constraints: Bounds on metrics.
        weights: Of the objectives in a sum; None to compare trials by dominance.

    >>> goals = Goals((Target("val_f1", "max"), Target("parameters", "min")))
    >>> goals.outcome({"val_f1": 0.75, "parameters": 1000.0}).tolist()
    [-0.75, 1000.0, 0.0]
    """

    objectives: tuple[Target, ...]
    constraints: tuple[OutcomeConstraint, ...] = ()
    weights: tuple[float, ...] | None = None

    @property
    def width(self) -> int:
        """The number of columns of an outcome."""
        return len(self.objectives) + 1

    def outcome(self, metrics: Mapping[str, float]) -> FloatArray:
        """Return the outcome of a trial with these metrics.

        Returns:
            Shape ``(width,)``; `inf` for a metric that is missing or NaN.
        """
        losses = [target.sign * metrics.get(target.name, math.nan) for target in self.objectives]
        violation = math.fsum(constraint.violation(metrics) for constraint in self.constraints)
        row = np.array([*losses, violation])
        return np.where(np.isnan(row), math.inf, row)

    def order(self, outcomes: FloatArray) -> FloatArray:
        """Return a number for each outcome, lower for better ones.

        By dominance these are the ranks of `kt_extras.search.pareto.pareto_order`.  With weights
        they are ranks by the weighted sum of the losses, each scaled to [0, 1] over the feasible
        outcomes, with those that violate constraints behind.

        Args:
            outcomes: Shape ``(n, width)``.

        Returns:
            Shape ``(n,)``; `inf` where a loss is.
        """
        losses, violations = outcomes[:, :-1], outcomes[:, -1]
        if self.weights is None:
            return pareto_order(losses, violations)
        return _ranked_sum(losses, violations, np.array(self.weights))

    def places(self, outcomes: FloatArray) -> IntArray:
        """Return the indices of outcomes, best first; a knee of the first front is the first one.

        Args:
            outcomes: Shape ``(n, width)``.

        Returns:
            Shape ``(n,)``.
        """
        order: IntArray = np.argsort(self.order(outcomes), kind="stable")
        if self.weights is not None or len(order) < 2:
            return order
        losses, violations = outcomes[:, :-1], outcomes[:, -1]
        front = order[non_dominated_fronts(losses, violations)[order] == 0]
        front = front[np.isfinite(losses[front]).all(axis=1)]
        if not len(front):
            return order
        first = front[knee(losses[front])]
        return np.concatenate([[first], order[order != first]])


class Front:
    """The outcomes of a search that no other one dominates.

    >>> front = Front()
    >>> [front.add(np.array([*losses, 0.0])) for losses in ([2, 2], [1, 3], [3, 3], [1, 1])]
    [True, True, False, True]
    """

    def __init__(self) -> None:
        self._outcomes: FloatArray | None = None  # shape (k, m + 1)
        self._first: list[FloatArray] = []  # feasible losses, of which the worst bound the volume
        self._volume: float | None = None  # None where it is to be computed

    def __len__(self) -> int:
        return 0 if self._outcomes is None else len(self._outcomes)

    @property
    def is_feasible(self) -> bool:
        """Whether an outcome is known that violates no constraint."""
        return self._outcomes is not None and bool(self._outcomes[0, -1] == 0)

    @property
    def hypervolume(self) -> float | None:
        """The volume that the front dominates, up to the worst losses of the first ten trials.

        None before there are ten feasible outcomes.
        """
        if self._outcomes is None or len(self._first) < _REFERENCE_TRIALS:
            return None
        if self._volume is None:
            self._volume = hypervolume(self._outcomes[:, :-1], np.max(self._first, axis=0))
        return self._volume

    def add(self, outcome: FloatArray) -> bool:
        """Add an outcome, and return whether none before it is as good or better.

        Args:
            outcome: Shape ``(m + 1,)``: the losses, and by how much constraints are violated.
        """
        if not np.isfinite(outcome[:-1]).all():
            return False
        if outcome[-1] == 0 and len(self._first) < _REFERENCE_TRIALS:
            self._first.append(outcome[:-1])
            self._volume = None
        known = self._outcomes
        if known is None or outcome[-1] < known[0, -1]:  # all that is known violates as much
            self._outcomes, self._volume = outcome[None], None
            return True
        if outcome[-1] > known[0, -1]:
            return False
        if (known[:, :-1] <= outcome[:-1]).all(axis=1).any():
            return False
        beaten = (outcome[:-1] <= known[:, :-1]).all(axis=1)
        self._outcomes, self._volume = np.concatenate([known[~beaten], outcome[None]]), None
        return True

    def leads(self, outcome: FloatArray) -> bool:
        """Return whether no outcome of the front has a lower loss in the first objective.

        Args:
            outcome: As for `add`.
        """
        return self._outcomes is None or bool((outcome[0] <= self._outcomes[:, 0]).all())


def _ranked_sum(losses: FloatArray, violations: FloatArray, weights: FloatArray) -> FloatArray:
    ranks = np.full(len(losses), math.inf)
    finite = np.isfinite(losses).all(axis=1)
    if not finite.any():
        return ranks
    feasible = finite & (violations == 0)
    scale_by = losses[feasible if feasible.any() else finite]
    low, high = scale_by.min(axis=0), scale_by.max(axis=0)
    scaled = (losses[finite] - low) / np.where(high > low, high - low, 1.0)
    keys = np.column_stack([violations[finite], scaled @ weights])
    _, places = np.unique(keys, axis=0, return_inverse=True)
    ranks[finite] = places.reshape(-1)
    return ranks


def checked_weights(weights: Any, objectives: Sequence[Target]) -> tuple[float, ...] | None:
    """Return the weight of each objective, None for a single one.

    Args:
        weights: A dictionary with a number from 0 for each objective, or None for none.
        objectives: The objectives.

    Raises:
        TypeError: It is no dictionary.
        ValueError: A name is missing or unknown, or a weight is not a number from 0, or all are 0.
    """
    if weights is None:
        return None
    if not isinstance(weights, Mapping):
        raise TypeError(
            f"`weights` must be a dictionary from the objectives to numbers, got {weights!r}."
        )
    names = [target.name for target in objectives]
    if set(weights) != set(names):
        raise ValueError(f"`weights` must have a number for each of {names}, got {dict(weights)}.")
    values = [weights[name] for name in names]
    if not all(is_finite(value) and value >= 0 for value in values) or not any(values):
        raise ValueError(
            f"`weights` must be numbers from 0, and not all 0, got {dict(weights)}; what is "
            "maximised needs no minus sign."
        )
    return tuple(float(value) for value in values) if len(values) > 1 else None
