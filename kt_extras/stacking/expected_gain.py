"""Whether it pays to train models of an architecture in a stack."""

from __future__ import annotations

import keras
import numpy as np

from kt_extras import compat

# Measured with the digits, batches of 32 and Adam, on a CPU with two threads, against an epoch as
# one program for each model: dense networks of 35 KB of weights 1.4 times as fast in a stack of 8
# and 2.4 in one of 32, of 100 KB 1.2 and 1.7, of 330 KB 1.1 and 1.2, of 1.2 MB 1.05, of 4.5 MB 0.6;
# convolutions with 6x6x16 numbers in a sample 2.1 and 2.7, with 14x14x16 1.3, with 26x26x16 0.7.
_MAX_BYTES = 256 * 1024
_MAX_FEATURES = 4096
_CONVOLUTIONS = (
    keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D, keras.layers.Conv2DTranspose,
)  # fmt: skip


def reason_against(model: keras.Model) -> str | None:
    """Return why models like this one take no less time in a stack, None if they do.

    Small models gain, since most of their time goes into the calls of operations.

    Args:
        model: A model that is built.

    >>> layers = [keras.layers.Dense(64), keras.layers.Dense(10)]
    >>> reason_against(keras.Sequential([keras.Input((64,)), *layers])) is None
    True
    >>> reason_against(keras.Sequential([keras.Input((1000,)), keras.layers.Dense(1000)]))
    'its weights take more than 262 KB'
    """
    size = sum(4 * int(np.prod(variable.shape)) for variable in model.trainable_variables)
    if size > _MAX_BYTES:
        return f"its weights take more than {_MAX_BYTES / 1e3:.0f} KB"
    for layer in compat.all_layers(model, include_model=False):
        features = _features(layer) if isinstance(layer, _CONVOLUTIONS) else 0
        if features > _MAX_FEATURES:
            return f"a convolution has more than {_MAX_FEATURES} numbers for each sample"
    return None


def _features(layer: keras.layers.Layer) -> int:
    """Return the size of the output of a layer for one sample, 0 if it is not known."""
    shape = (layer.get_build_config() or {}).get("input_shape")
    output = layer.compute_output_shape(shape) if shape else (0,)
    return int(np.prod([size or 0 for size in output[1:]]))
