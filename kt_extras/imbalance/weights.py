"""Class weights: how much an example of each class counts.

For single-label data there is one weight a class, shape ``(c,)``.  For multi-label data every label
is a problem of its own with two sides, and there are two, shape ``(c, 2)``: what its absence weighs
and what its presence weighs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.class_weight import compute_class_weight

from kt_extras.arguments import is_finite
from kt_extras.arrays import FloatArray
from kt_extras.class_arguments import checked_weights
from kt_extras.imbalance.labels import (
    ClassCounts,
    checked_labels,
    class_counts,
    single_labels,
)
from kt_extras.imbalance.statistics import check_beta, effective_numbers

#: What `class_weights` takes for `scheme`.
SCHEMES = ("balanced", "inverse_sqrt", "effective_number")


def class_weights(
    y: Any,
    scheme: str = "balanced",
    *,
    beta: float = 0.999,
    num_classes: int | None = None,
    multi_label: bool | None = None,
    absent: float | None = None,
) -> FloatArray:
    """Return a weight for each class, larger for rarer ones.

    With n_c rows in a class, the weight is in proportion to 1 / n_c for "balanced", 1 / sqrt(n_c)
    for "inverse_sqrt" and 1 / (effective number of n_c) for "effective_number", which goes from no
    weighting, at `beta` 0, to "balanced", at 1.  The weights of all rows have a mean of 1, so
    the loss keeps its scale and a learning rate its meaning.

    Args:
        y: Labels or a data set, as in `class_counts`.
        scheme: One of `SCHEMES`. Defaults to `"balanced"`.
        beta: In [0, 1), only for "effective_number". Defaults to `0.999`.
        num_classes: Number of classes c, needed if the highest have no example. Defaults to `None`.
        multi_label: As in `class_counts`. Defaults to `None`.
        absent: What a class without an example weighs, at least 0; in multi-label data, what both
            sides of a label weigh if one of them has no example.  By default it is an error.

    Returns:
        Shape ``(c,)``, or ``(c, 2)`` for multi-label data.

    Raises:
        ValueError: Fewer than two classes, a class without an example, or an argument out of its
            range.

    Source: King & Zeng 2001 (balanced); Cui et al. 2019, 1901.05555, sec. 4 (effective number:
    there the weights sum to C, which differs by a factor).

    >>> class_weights([0, 0, 0, 1]).round(3).tolist()
    [0.667, 2.0]
    >>> class_weights([[1, 1], [0, 1], [0, 0], [0, 1]]).round(3).tolist()
    [[0.667, 2.0], [2.0, 0.667]]
    """
    if scheme not in SCHEMES:
        raise ValueError(f"`scheme` must be one of {', '.join(SCHEMES)}, got {scheme!r}.")
    check_beta(beta)
    if absent is not None and not (is_finite(absent) and absent >= 0):
        raise ValueError(f"`absent` must be a finite weight, at least 0, got {absent!r}.")
    counts = class_counts(y, num_classes=num_classes, multi_label=multi_label)
    _check_presence(counts, absent)
    if not counts.multi_label:
        return _weights(counts.positives.astype(np.float64), scheme, beta, absent)
    sides = np.stack([counts.negatives, counts.positives], axis=1).astype(np.float64)
    return np.array(
        [
            _weights(side, scheme, beta, absent) if side.all() else np.full(2, absent)
            for side in sides
        ],
        dtype=np.float64,
    )


def class_weight_dict(weights: ArrayLike) -> dict[int, float]:
    """Return weights as the argument `class_weight` of Keras' `fit`.

    Args:
        weights: Shape ``(c,)``, from `class_weights`.

    Raises:
        ValueError: Weights of multi-label data: Keras would read each row of labels as one class,
            its first 1, and weigh it by that.

    >>> class_weight_dict(class_weights([0, 0, 1, 1]))
    {0: 1.0, 1: 1.0}
    """
    checked = checked_weights(weights)
    if checked.ndim == 2:
        raise ValueError(
            "`weights` has shape (c, 2), for multi-label data, which Keras' `class_weight` takes "
            "for one class a row; use `sample_weights` or `with_weights`, or a loss that "
            "has the weights inside."
        )
    return dict(enumerate(checked.tolist()))


def sample_weights(y: ArrayLike, weights: ArrayLike, *, per_label: bool = False) -> FloatArray:
    """Return the weight of each row, for the argument `sample_weight` of Keras' `fit`.

    A row of multi-label data weighs the mean of what its labels weigh, since Keras has averaged the
    loss over the labels before it applies the weights.  There are three ways to weigh every
    label exactly: have the weights inside the loss; or let the model end in ``Reshape((c, 1))``,
    give `y` a last axis of size 1 and pass the result of `per_label`; or, if each label has an
    output of its own, pass ``dict(zip(names, sample_weights(y, weights, per_label=True).T))``.

    Args:
        y: Shape ``(n,)``, ``(n, 1)`` or ``(n, c)``: labels as in `class_counts`.
        weights: Shape ``(c,)``, or ``(c, 2)`` for multi-label data, from `class_weights`.
        per_label: Whether to return the weight of every label of multi-label data. Defaults to
            `False`.

    Returns:
        Shape ``(n,)``; or ``(n, c)`` with `per_label`.

    Raises:
        ValueError: Labels and weights that do not belong together; with weights of shape ``(c,)`` a
            row that does not belong to exactly one class, as the losses refuse it.

    >>> sample_weights([0, 1, 0], [0.5, 2.0]).tolist()
    [0.5, 2.0, 0.5]
    >>> sample_weights([[1, 0]], [[1.0, 3.0], [0.5, 9.0]]).tolist()
    [1.75]
    """
    w = checked_weights(weights)
    if w.ndim == 1:
        if per_label:
            raise ValueError(
                "`per_label` needs `weights` of shape (c, 2), from multi-label data; "
                f"got shape {w.shape}."
            )
        return np.asarray(w[single_labels(y, num_classes=len(w))], dtype=np.float64)
    labels = checked_labels(y, num_classes=len(w), multi_label=True)
    each = np.where(labels == 1, w[:, 1], w[:, 0])
    return each if per_label else each.mean(axis=1)


def _check_presence(counts: ClassCounts, absent: float | None) -> None:
    """Raise unless every class has a weight."""
    if not counts.multi_label and np.count_nonzero(counts.positives) < 2:
        raise ValueError("`y` must have rows of at least two classes, got one class only.")
    if absent is not None:
        return
    sides = [counts.positives, counts.negatives] if counts.multi_label else [counts.positives]
    for side, what in zip(sides, ("has no example", "has no row without it"), strict=False):
        if not side.all():
            raise ValueError(
                f"`y` must have examples of every class, but class {int(np.argmin(side))} {what}; "
                "`absent` sets the weight of such a class."
            )


def _weights(n: FloatArray, scheme: str, beta: float, absent: float | None) -> FloatArray:
    """Return the weights of the classes with `n` rows each, shape ``(c,)``."""
    present = np.flatnonzero(n)
    if scheme == "balanced":
        found = compute_class_weight(
            "balanced", classes=present, y=present, sample_weight=n[present]
        )
    else:
        amount = np.sqrt(n) if scheme == "inverse_sqrt" else effective_numbers(n, beta=beta)
        found = 1.0 / amount[present]
        found = found * (n.sum() / (found @ n[present]))
    weights = np.full(len(n), 0.0 if absent is None else absent)
    weights[present] = found
    return weights
