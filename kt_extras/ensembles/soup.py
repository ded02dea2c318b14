"""Averages of the weights of models of one architecture.

Source: Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
accuracy without increasing inference time", ICML 2022, arXiv 2203.05482, recipe 1 (greedy soup).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from kt_extras import compat
from kt_extras.arguments import check_integer

Weights = list[NDArray[Any]]


def same_architecture(one: keras.Model, other: keras.Model) -> bool:
    """Tell whether two built models have the same layers with weights of the same shapes.

    >>> def build(units):
    ...     return keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])
    >>> same_architecture(build(3), build(3)), same_architecture(build(3), build(4))
    (True, False)
    """
    return _described(one) == _described(other)


def _described(model: keras.Model) -> Any:
    layers = compat.all_layers(model, include_model=False)
    return [type(layer) for layer in layers], [tuple(each.shape) for each in model.weights]


def mean_weights(parts: Sequence[Weights]) -> Weights:
    """Return the mean of each array; those that hold no floats are the first part's.

    >>> mean_weights([[np.array([1.0])], [np.array([4.0])]])
    [array([2.5])]
    """
    return [
        np.mean(arrays, axis=0, dtype=np.float64).astype(arrays[0].dtype)
        if np.issubdtype(arrays[0].dtype, np.floating)
        else arrays[0]
        for arrays in zip(*parts, strict=True)
    ]


def greedy_soup(count: int, loss_of: Callable[[Sequence[int]], float]) -> list[int]:
    """Return the models whose weights are averaged.

    They are gone through from the best to the worst, and one is added if the average gets no worse.
    So the soup is never worse than the best model, on the rows that it is chosen by.

    Args:
        count: How many models there are, at least 1.
        loss_of: The loss of the average of some of them, given by their numbers; one of NaN is
            never taken.

    Raises:
        ValueError: No model has a loss.

    >>> weights = np.array([2.0, 0.5, 9.0])
    >>> greedy_soup(3, lambda models: abs(weights[list(models)].mean() - 1.25))
    [0, 1]
    """
    check_integer("count", count, minimum=1)
    alone = np.array([loss_of([each]) for each in range(count)], dtype=float)
    order = [int(each) for each in np.argsort(alone, kind="stable") if not np.isnan(alone[each])]
    if not order:
        raise ValueError(
            f"The losses of all {count} models are NaN; look for missing values in the labels or "
            "in the predictions."
        )
    chosen, least = order[:1], alone[order[0]]
    for each in order[1:]:
        loss = loss_of([*chosen, each])
        if loss <= least:
            chosen, least = [*chosen, each], loss
    return sorted(chosen)
