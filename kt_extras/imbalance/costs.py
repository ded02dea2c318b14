"""Cost matrices: what each kind of mistake costs.

``cost[i, j]`` is the cost of deciding for class j where i is true: rows are true classes and
columns decisions, as in scikit-learn's confusion matrices.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from kt_extras.arguments import check_integer, is_finite
from kt_extras.arrays import FloatArray
from kt_extras.class_arguments import checked_costs, checked_weights


def cost_matrix(
    costs: Mapping[tuple[int, int], float], num_classes: int, *, default: float = 1.0
) -> FloatArray:
    """Return the cost matrix in which some mistakes cost what is said and others the default.

    Args:
        costs: The cost of each pair of a true class and a decision.
        num_classes: Number of classes c, at least 2.
        default: What a mistake costs that is not among `costs`, at least 0. Defaults to `1.0`.

    Returns:
        Shape ``(c, c)``; the diagonal is 0 where `costs` does not say otherwise.

    Raises:
        ValueError: A class out of range, or costs that `checked_costs` rejects.

    A fraud that is missed (true 1, decision 0) costs 50 false alarms:

    >>> cost_matrix({(1, 0): 50.0}, num_classes=2).tolist()
    [[0.0, 1.0], [50.0, 0.0]]
    """
    check_integer("num_classes", num_classes, minimum=2)
    if not isinstance(costs, Mapping):
        raise ValueError(
            "`costs` must be a mapping from (true class, decision) to cost, got "
            f"{type(costs).__name__} {costs!r}; a matrix is used as it is, without `cost_matrix`."
        )
    if not (is_finite(default) and default >= 0):
        raise ValueError(f"`default` must be a finite cost of at least 0, got {default!r}.")
    matrix = np.full((num_classes, num_classes), float(default))
    np.fill_diagonal(matrix, 0.0)
    for pair, cost in costs.items():
        place = np.asarray(pair)
        whole = place.shape == (2,) and place.dtype.kind in "iu"
        if not (whole and (place >= 0).all() and (place < num_classes).all()):
            raise ValueError(
                f"`costs` must have pairs (true class, decision) of classes from 0 to "
                f"{num_classes - 1} as keys, got {pair!r}."
            )
        matrix[tuple(place)] = cost
    return checked_costs(matrix)


def costs_of_weights(weights: ArrayLike) -> FloatArray:
    """Return the cost matrix in which a mistake costs the weight of the true class.

    Args:
        weights: Shape ``(c,)``, from `class_weights`.

    Returns:
        Shape ``(c, c)``.

    Raises:
        ValueError: Weights of multi-label data, or that `checked_weights` rejects.

    >>> costs_of_weights([1.0, 5.0, 2.0]).tolist()
    [[0.0, 1.0, 1.0], [5.0, 0.0, 5.0], [2.0, 2.0, 0.0]]
    """
    w = checked_weights(weights)
    if w.ndim == 2 or len(w) < 2:
        raise ValueError(
            f"`weights` must have shape (c,) with c at least 2, got {w.shape}; for multi-label "
            "data make a matrix for each label."
        )
    matrix = np.repeat(w[:, None], len(w), axis=1)
    np.fill_diagonal(matrix, 0.0)
    return checked_costs(matrix)


def weights_of_costs(costs: ArrayLike) -> FloatArray:
    """Return class weights that stand for a cost matrix.

    The weight of a class is what mistakes on it cost on average, beyond what being right costs.
    With two classes training by these weights is the same as minimising the expected cost; with
    more, a class has one weight, even if its mistakes have different costs.

    Args:
        costs: Shape ``(c, c)``.

    Returns:
        Shape ``(c,)``.

    Raises:
        ValueError: Costs that `checked_costs` rejects.

    Source: Elkan 2001, "The Foundations of Cost-Sensitive Learning", IJCAI, sec. 2; Ting 2002,
    IEEE TKDE 14(3), for more than two classes.

    >>> weights_of_costs([[0.0, 1.0], [50.0, 0.0]]).tolist()
    [1.0, 50.0]
    """
    matrix = checked_costs(costs)
    return np.asarray(matrix.sum(axis=1) - len(matrix) * np.diag(matrix)) / (len(matrix) - 1)
