"""What the user believes of a hyperparameter before the search, as a density.

A belief is kept as a density on the unit interval of the dimension, relative to the uniform one, so
that it can be drawn from and compared in the scale in which the dimension is searched.
"""

from __future__ import annotations

import difflib
import math
import re
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Union

import numpy as np

from kt_extras.arguments import is_finite, is_number
from kt_extras.arrays import FloatArray
from kt_extras.search.dimensions import Choice, Dimension, Value
from kt_extras.search.space import Space, describe

_NEAR = 0.1  # of the range, to either side of the value of a `Likely`
_PIECES = 1000  # of the unit interval, on each of which a density is constant


@dataclass(frozen=True)
class Likely:
    """A value near which the best one is expected.

    Args:
        value: The value: a number, or an option of a choice.
        confidence: Between 0 and 1.  For a number, the probability that the best value is at most a
            tenth of the range away, in the scale in which the hyperparameter is searched; the
            options of an ordered choice are such a range.  For an unordered choice, the
            probability that the value is the best, beyond its share as one of the options.
            Defaults to 0.5.

    Raises:
        ValueError: `confidence` is not between 0 and 1.

    >>> Likely(1e-3, confidence=0.8).confidence
    0.8
    """

    value: Value
    confidence: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.value, (str, bool, np.bool_)) and not is_finite(self.value):
            raise ValueError(
                f"`value` must be a text, a bool or a finite number, got {self.value!r}."
            )
        if not (is_number(self.confidence) and 0 < self.confidence < 1):
            raise ValueError(
                f"`confidence` must lie strictly between 0 and 1, got {self.confidence!r}; 0.5 is "
                "usual, 0.9 is nearly sure."
            )


Prior = Union[Value, Likely, Mapping[Value, float], Callable[[Value], float]]  # noqa: UP007


def checked_priors(given: Mapping[str, Prior] | None) -> dict[str, Prior]:
    """Return the beliefs of the user by the name of the hyperparameter.

    Args:
        given: A mapping from names to a value, a `Likely`, a mapping from values to weights, a
            function from a value to its weight, or a distribution of SciPy; None for no beliefs.

    Raises:
        TypeError: It is no such mapping.
        ValueError: A weight is negative or not finite, or all are 0.

    >>> checked_priors({"rate": 1e-3})
    {'rate': Likely(value=0.001, confidence=0.5)}
    >>> checked_priors({"act": {"relu": -1.0}})
    Traceback (most recent call last):
    ValueError: `prior` must have finite weights from 0, one of them above 0, got {'relu': -1.0}
    for 'act'.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise TypeError(
            f"`prior` must be a dictionary from names of hyperparameters to beliefs, got {given!r}."
        )
    return {name: _checked(name, belief) for name, belief in given.items()}


def _checked(name: str, belief: Prior) -> Prior:
    if isinstance(belief, Mapping):
        weights = list(belief.values())
        if not all(is_finite(w) and w >= 0 for w in weights) or not any(weights):
            raise ValueError(
                "`prior` must have finite weights from 0, one of them above 0, got "
                f"{dict(belief)!r} for {name!r}."
            )
        return dict(belief)
    if isinstance(belief, Likely) or callable(belief) or callable(getattr(belief, "pdf", None)):
        return belief
    if isinstance(belief, (str, bool, np.bool_)) or is_finite(belief):
        return Likely(belief)
    raise TypeError(
        f"`prior` must be a value, a `Likely`, a dictionary of weights, a function from a value to "
        f"its weight or a distribution with a method `pdf`, got {belief!r} for {name!r}."
    )


def check_priors_fit(priors: Mapping[str, Prior], space: Space, *, may_grow: bool) -> None:
    """Raise unless beliefs are of hyperparameters of a space, and of values that these have.

    Args:
        priors: As `checked_priors` returns them.
        space: The space as far as it is declared; nothing is checked while that is empty.
        may_grow: Whether hyperparameters may be declared later; a name is then refused only if
            another one is nearly the same.  `units_2` may be declared after `units_1`.

    Raises:
        ValueError: They are not; the message names the hyperparameter.
    """
    if not len(space):
        return
    for name in priors:
        if name in space.names:
            continue
        others = [known for known in space.names if _undigited(known) != _undigited(name)]
        near = difflib.get_close_matches(name, others, n=1, cutoff=0.75)
        if near or not may_grow:
            hint = f"did you mean {near[0]!r}?" if near else f"there are {sorted(space.names)}."
            raise ValueError(
                "`prior` must name hyperparameters of the space.  The space has no hyperparameter "
                f"{name!r}; {hint}"
            )
    for dimension in space.dimensions:
        if dimension.name in priors:
            _check_fits(dimension, priors[dimension.name], space)
            density(dimension, priors[dimension.name])


def _undigited(name: str) -> str:
    return re.sub(r"\d+", "", name)


def warn_of_unused(priors: Mapping[str, Prior], space: Space) -> None:
    """Warn if there are beliefs of hyperparameters that the space does not have after all."""
    if unused := sorted({*priors} - {*space.names}):
        warnings.warn(
            f"`prior` has had no effect for {unused}, which no trial has declared; there are "
            f"{sorted(space.names)}.",
            stacklevel=3,
        )


def _check_fits(dimension: Dimension, belief: Prior, space: Space) -> None:
    """Check a value or the values of a mapping; one of several dimensions of the name is enough."""
    named = [belief.value] if isinstance(belief, Likely) else belief
    values = named if isinstance(named, Collection) and not isinstance(named, str) else []
    others = [d for d in space.dimensions if d.name == dimension.name]
    for value in values:
        if not any(other.contains(value) for other in others):
            raise ValueError(
                f"`prior` of {dimension.name!r} must be of values that it has, "
                f"{describe(dimension)}, got {value!r}."
            )


def density(dimension: Dimension, belief: Prior) -> FloatArray:
    """Return the density of the best value on the unit interval of a dimension.

    Args:
        dimension: The dimension.
        belief: As `checked_priors` returns it.

    Returns:
        Shape ``(m,)``: the density on each of m pieces of the interval of one length, relative to
        the uniform one, so that its mean is 1.  It is 1 everywhere for a belief that says nothing
        of the values of the dimension.

    >>> density(Choice("act", ("relu", "tanh")), {"relu": 3, "tanh": 1}).tolist()
    [1.5, 0.5]
    """
    pieces = _pieces(dimension)
    at = (np.arange(pieces) + 0.5) / pieces
    weights = np.asarray(_weights(dimension, belief, at), dtype=float)
    if not np.all(np.isfinite(weights) & (weights >= 0)):
        bad = float(weights[~(np.isfinite(weights) & (weights >= 0))][0])
        raise ValueError(
            f"`prior` of {dimension.name!r} must have finite weights from 0 in the whole range, "
            f"{describe(dimension)}, got {bad!r}."
        )
    return weights / weights.mean() if weights.any() else np.ones(pieces)


def _pieces(dimension: Dimension) -> int:
    """Return a number of pieces of which each is in one cell of a dimension with equal cells."""
    size = dimension.size
    if not math.isfinite(size) or size > _PIECES:
        return _PIECES
    return int(size) if isinstance(dimension, Choice) else int(size) * math.ceil(_PIECES / size)


def _weights(dimension: Dimension, belief: Prior, at: FloatArray) -> Any:
    """Return weights at coordinates, on any scale."""
    if isinstance(belief, Likely):
        return _near(dimension, belief, at)
    if isinstance(belief, Mapping):
        return _at_values(dimension, belief, at)
    values = [dimension.from_unit(float(u)) for u in at]
    pdf = getattr(belief, "pdf", None)
    if callable(pdf):  # a density of values, not of coordinates
        return np.asarray(pdf(np.array(values))) * _stretch(dimension, np.array(values))
    return [belief(value) for value in values]


def _at_values(dimension: Dimension, belief: Mapping[Value, float], at: FloatArray) -> FloatArray:
    """Return the weights of a mapping: that of a value is spread over its cell."""
    weights = np.zeros(len(at))
    for value, weight in belief.items():
        if dimension.contains(value):
            unit = dimension.to_unit(value)
            (lower,), (upper,) = dimension.cells(np.array([unit]))
            inside = np.flatnonzero((lower < at) & (at < upper))
            if not len(inside):  # the cell is smaller than a piece, or there is none
                inside = np.array([min(int(unit * len(at)), len(at) - 1)])
            weights[inside] += weight / len(inside)
    return weights


def _near(dimension: Dimension, belief: Likely, at: FloatArray) -> FloatArray:
    """Return the weights of a `Likely`: a normal in coordinates, or more for one option."""
    if not dimension.contains(belief.value):
        return np.zeros(len(at))
    centre = dimension.to_unit(belief.value)
    if dimension.categorical:
        here = np.floor(at * len(at)) == math.floor(centre * len(at))
        share = (1.0 - belief.confidence) / len(at)
        return np.where(here, belief.confidence + share, share)
    deviation = _NEAR / NormalDist().inv_cdf(0.5 + 0.5 * belief.confidence)
    return np.asarray(np.exp(-0.5 * ((at - centre) / deviation) ** 2))


def _stretch(dimension: Dimension, values: Any) -> Any:
    """Return how much value a step along the unit interval covers, at each value, on any scale."""
    if isinstance(dimension, Choice) or dimension.sampling == "linear":
        return np.ones(len(values))
    return values if dimension.sampling == "log" else dimension.low + dimension.high - values
