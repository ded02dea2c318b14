"""What differs between the two generations of Keras, and nothing else.

Keras 3 runs on the newest TensorFlow; Keras 2.15 is the last that tensorflow-addons supports.
Everything outside this module is written once for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

KERAS_3 = keras.__version__.startswith("3.")

#: What KerasTuner names the file of a trial's weights (a prefix of several files on Keras 2).
WEIGHTS_NAME = "checkpoint.weights.h5" if KERAS_3 else "checkpoint"


def build_for_loading(model: keras.Model, build_config: Mapping[str, Any] | None) -> None:
    """Create the variables of a model that has not seen data yet.

    Keras 3 creates those of a subclassed model in `build_from_config` but may leave the model
    itself unbuilt, and then refuses to load weights; one symbolic call settles that.  Keras 2
    restores lazily and needs nothing.
    """
    if not KERAS_3:
        return
    if not model.built and build_config:
        model.build_from_config(dict(build_config))
        if not model.built:
            shapes = build_config.get("shapes_dict") or build_config["input_shape"]
            model(_symbolic(shapes))
    if model.optimizer is not None:  # which would otherwise be left out, with a warning
        model.optimizer.build(model.trainable_variables)


def load_weights(model: keras.Model, path: str) -> None:
    """Load weights that the same model has saved.

    Keras 2 restores the optimizer's state when it is first used, and complains at the end of the
    program if it never was.
    """
    status = model.load_weights(path)
    if not KERAS_3 and status is not None:
        status.expect_partial()


def _symbolic(shapes: Any) -> Any:
    """Turn a nest of shapes into a nest of symbolic tensors."""
    if isinstance(shapes, Mapping):
        return {name: _symbolic(shape) for name, shape in shapes.items()}
    if shapes and all(size is None or isinstance(size, int) for size in shapes):
        return keras.KerasTensor(tuple(shapes))
    return [_symbolic(shape) for shape in shapes]


def forget_model(history: keras.callbacks.History) -> None:
    """Let go of the model that a `History` keeps alive."""
    history.set_model(None)
