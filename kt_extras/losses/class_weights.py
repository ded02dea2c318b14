"""Class weights inside a loss, and the switch by which a callback can defer them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from kt_extras.class_arguments import checked_weights


class ClassWeights:
    """What a loss multiplies by, now and once its weights are switched on.

    Args:
        weights: Shape ``(C,)``, or a mapping from class to weight as for `fit`; for multi-label
            data ``(C, 2)``: of the absence and of the presence of each label.  At least 0, not all
            0.

    Raises:
        ValueError: Another shape or a weight out of its range.

    >>> weights = ClassWeights({0: 1.0, 1: 4.0})
    >>> weights.switch(on=False)
    >>> weights.now.numpy().tolist(), weights.config()
    ([1.0, 1.0], [1.0, 4.0])
    """

    def __init__(self, weights: ArrayLike | Mapping[int, float]) -> None:
        self._values = checked_weights(_in_order(weights)).astype(np.float32)
        #: Shape ``(C,)`` or ``(C, 2)``: the weights in force; all 1 while they are switched off.
        self.now = tf.Variable(self._values, trainable=False, name="class_weights")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weights."""
        return self._values.shape

    def switch(self, *, on: bool) -> None:
        """Put the weights in force, or weigh all classes alike."""
        self.now.assign(self._values if on else np.ones_like(self._values))

    def config(self) -> Any:
        """Return the weights as nested lists of numbers."""
        return self._values.astype(np.float64).tolist()


def _in_order(weights: ArrayLike | Mapping[int, float]) -> ArrayLike:
    """Return the weights of classes 0, 1, ... of a mapping."""
    if not isinstance(weights, Mapping):
        return weights
    if sorted(weights) != list(range(len(weights))):
        raise ValueError(
            "`weights` must have an entry for each class from 0, got entries for "
            f"{sorted(weights)}."
        )
    return [weights[number] for number in range(len(weights))]
