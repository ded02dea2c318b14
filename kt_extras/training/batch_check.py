"""Refuses epochs and validations for which the data gave no batch."""

from __future__ import annotations

from typing import Any

import keras

from kt_extras import compat

_HINT = (
    "A generator or iterator can be used once only, so the first trial may have used it up: pass "
    "arrays, a `tf.data.Dataset` or a `keras.utils.Sequence`, or make the generator in "
    "`HyperModel.fit`.  Or a filter, or `steps_per_epoch`, leaves nothing."
)

_NO_BATCH = f"The training data gave no batch.  {_HINT}"


class BatchCheck(keras.callbacks.Callback):
    """Raises at the end of an epoch, or of a validation, in which there was no batch.

    Keras goes on then, with a loss of 0 or none at all.  It asks for a batch, which the callbacks
    are told, but no batch ends.  A loop of the user's own, which may not tell callbacks of batches,
    is not checked.

    >>> check = BatchCheck()
    >>> check.on_train_batch_begin(0)
    >>> check.on_train_batch_end(0)
    >>> check.on_epoch_end(0)
    """

    async_safe = True  # Keras 3 may call it from another thread, as it does without such methods
    works_by_epochs = True  # a training by whole epochs has arrays with at least one row

    def __init__(self) -> None:
        super().__init__()
        compat.take_raw_logs(self)
        self._training = _Batches()
        self._validation = _Batches()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin to count."""
        self._training = _Batches()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Note that a batch was asked for."""
        self._training.asked = True

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Note that there was one."""
        self._training.given = True

    def on_test_begin(self, logs: Any = None) -> None:
        """Begin to count."""
        self._validation = _Batches()

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Note that a batch was asked for."""
        self._validation.asked = True

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Note that there was one."""
        self._validation.given = True

    def on_test_end(self, logs: Any = None) -> None:
        """Raise if there was no batch.

        Raises:
            ValueError: There was none.
        """
        if self._validation.missing:
            raise ValueError(f"The validation data gave no batch.  {_HINT}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Raise if there was no batch.

        Raises:
            ValueError: There was none.
        """
        if self._training.missing:
            raise ValueError(_NO_BATCH)

    def explain(self, error: ValueError) -> None:
        """Raise what to do about an epoch without a batch, for which Keras 2 has its own error.

        Raises:
            ValueError: There was no batch, and the error says that the logs are empty.
        """
        if self._training.missing and "Empty logs" in str(error):
            raise ValueError(_NO_BATCH) from error


class _Batches:
    """Whether a batch was asked for, and whether one was given."""

    def __init__(self) -> None:
        self.asked = self.given = False

    @property
    def missing(self) -> bool:
        return self.asked and not self.given
