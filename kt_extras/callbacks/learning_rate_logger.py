"""The learning rate among the metrics of each epoch."""

from __future__ import annotations

from typing import Any

import keras

from kt_extras.optimizers.learning_rates import learning_rates


class LearningRateLogger(keras.callbacks.Callback):
    """Adds the learning rate to the logs at the end of each epoch.

    So it is in the training's history, in the metrics of a trial, and in TensorBoard as
    `epoch_learning_rate`; on Keras 2 TensorBoard has it by itself only if it is a
    schedule.  Put it before the callbacks that are to see it.

    It is the rate of the step that comes next, as in Keras' own callbacks.  If the optimizer is
    made of several, each has an entry, as `kte.optimizers.learning_rates` names them.

    >>> logger = LearningRateLogger()
    >>> model = keras.Sequential()
    >>> model.compile(keras.optimizers.SGD(0.5))
    >>> logger.set_model(model)
    >>> logs = {"loss": 1.0}
    >>> logger.on_epoch_end(0, logs)
    >>> logs
    {'loss': 1.0, 'learning_rate': 0.5}
    """

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the rate."""
        if logs is not None:
            logs.update(learning_rates(self.model.optimizer))
