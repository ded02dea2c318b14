"""Keeps the user's global settings of Keras and TensorFlow through the training of a trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat


@contextmanager
def settings_kept() -> Iterator[None]:
    """Restore the user's global settings at the end.

    They are Keras' dtype policy, `floatx`, epsilon, image data format, interactive logging,
    traceback filtering and distribution, and TensorFlow's eager mode for functions.  So a
    `build(hp)` that sets one of them in a trial affects no other trial, and not the program.

    >>> with settings_kept():
    ...     keras.backend.set_floatx("float16")
    >>> keras.backend.floatx()
    'float32'
    """
    before = [(setting, setting.get()) for setting in _SETTINGS]
    restore_keras = compat.keras_settings()
    try:
        yield
    finally:
        restore_keras()
        for setting, value in before:
            if setting.get() != value:
                setting.set(value)


def clear_session() -> None:
    """Release Keras' graphs and names, as `keras.backend.clear_session`, but keep the settings."""
    restore = compat.session_settings()
    keras.backend.clear_session()
    restore()


class _Setting:
    """A setting with public functions that get and set it."""

    def __init__(self, get: Callable[[], Any], set: Callable[[Any], Any]) -> None:
        self.get, self.set = get, set


def _set_traceback_filtering(enabled: bool) -> None:
    if enabled:
        tf.debugging.enable_traceback_filtering()
    else:
        tf.debugging.disable_traceback_filtering()


_SETTINGS = (
    _Setting(keras.backend.floatx, keras.backend.set_floatx),
    _Setting(keras.backend.epsilon, keras.backend.set_epsilon),
    _Setting(keras.backend.image_data_format, keras.backend.set_image_data_format),
    _Setting(tf.config.functions_run_eagerly, tf.config.run_functions_eagerly),
    _Setting(tf.debugging.is_traceback_filtering_enabled, _set_traceback_filtering),
)
