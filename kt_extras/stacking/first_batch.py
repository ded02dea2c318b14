"""Creates the variables of a model that has none before it sees data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat
from kt_extras.stacking.keras_internals import build_for_training
from kt_extras.training.fit_data import array_data, is_array_data


def create_variables(model: keras.Model, given: Mapping[str, Any]) -> None:
    """Create the variables of a model as its first batch does, if Keras itself trains it on arrays.

    Initial weights are then drawn from the random streams as they are now.

    Args:
        model: A compiled model; if it is built already, nothing is done.
        given: All arguments of `keras.Model.fit`.

    >>> import inspect, numpy as np
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> arguments = inspect.signature(model.fit).bind(np.ones((4, 2)), np.ones(4))
    >>> arguments.apply_defaults()
    >>> create_variables(model, arguments.arguments)
    >>> [tuple(weight.shape) for weight in model.weights]
    [(2, 1), (1,)]
    """
    layers = compat.all_layers(model, include_model=True)
    arrays = given["x"], given["y"], given["sample_weight"]
    if (
        not compat.KERAS_3
        or all(layer.built for layer in layers)
        or type(model).train_step is not keras.Model.train_step
        or not is_array_data(*arrays)
    ):
        return
    size = given["batch_size"] or 1
    x, y, weight = tf.nest.map_structure(lambda a: None if a is None else a[:size], arrays)
    batch = array_data(model, x, y, sample_weight=weight, class_weight=given["class_weight"])
    build_for_training(model, batch.data)
