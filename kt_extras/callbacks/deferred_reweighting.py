"""Deferred re-weighting (Cao et al., NeurIPS 2019): class weights come in late in the training."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras.arguments import check_integer
from kt_extras.losses.class_weights import ClassWeights


class DeferredReweighting(keras.callbacks.Callback):
    """Switches the class weights inside a model's losses on when a certain epoch begins.

    Until then all classes weigh alike, so that features are learnt from all data as they are; then
    the weights move the boundaries.  It works with `kt_extras.losses.LDAM` (LDAM-DRW),
    `WeightedCrossentropy` and `WeightedBinaryCrossentropy`.  What is in force follows from the
    epoch alone, so a training that is resumed goes on as it should.

    Args:
        epoch: The first epoch with weights, counted from 0.  The paper has 160 of 200.

    Raises:
        ValueError: `epoch` is below 0; when training begins, a model without class weights.

    Source: Cao et al. 2019, 1906.07413, sec. 3.3, alg. 1.

    >>> from kt_extras.losses import WeightedCrossentropy
    >>> model = keras.Sequential([keras.layers.Dense(2, "softmax")])
    >>> model.compile("sgd", WeightedCrossentropy([1.0, 5.0]))
    >>> callback = DeferredReweighting(epoch=8)
    >>> callback.set_model(model)
    >>> for epoch in (7, 8):
    ...     callback.on_epoch_begin(epoch)
    ...     print(model.loss.class_weights.now.numpy())
    [1. 1.]
    [1. 5.]
    """

    def __init__(self, epoch: int) -> None:
        super().__init__()
        check_integer("epoch", epoch, minimum=0)
        self.epoch = epoch

    def on_train_begin(self, logs: Any = None) -> None:
        """Raise unless the model has a loss with class weights."""
        if not self._weights():
            raise ValueError(
                "`DeferredReweighting` found no loss with class weights in the model; compile it "
                "with one, such as `kt_extras.losses.LDAM(class_counts, weights=...)`."
            )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Switch class weights off before `epoch`, and on from then."""
        for weights in self._weights():
            weights.switch(on=epoch >= self.epoch)

    def _weights(self) -> list[ClassWeights]:
        """Return the class weights of all losses the model was compiled with."""
        losses = tf.nest.flatten(self.model.loss)
        found = (getattr(loss, "class_weights", None) for loss in losses)
        return [weights for weights in found if isinstance(weights, ClassWeights)]
