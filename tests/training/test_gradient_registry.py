"""Registered gradients are kept as long as their graph, and freed with it."""

import gc
import weakref
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from kt_extras.training.gradient_registry import move_gradients_to_graphs

X = np.linspace(-1, 1, 32, dtype="float32").reshape(16, 2)
Y = X.sum(axis=1)


@tf.custom_gradient
def tripled(x):
    """The identity, with a gradient that can be recognised."""
    return tf.identity(x), lambda upstream: 3.0 * upstream


def traced(function=tripled):
    return tf.function(function).get_concrete_function(tf.TensorSpec([], tf.float32))


def gradient(function, at=2.0):
    x = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return float(tape.gradient(y, x))


class Watched(keras.layers.Dense):
    """Notes in which graphs it is called."""

    graphs: ClassVar = []

    def call(self, inputs):
        self.graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
        return super().call(inputs)


def trained(layer):
    model = keras.Sequential([keras.layers.Input((2,)), layer])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    return model


def test_graphs_of_a_training_are_freed_when_its_model_is():
    Watched.graphs.clear()
    trained(Watched(1))
    keras.backend.clear_session()
    gc.collect()
    assert any(graph() for graph in Watched.graphs), "TensorFlow lets go of them by itself now"
    move_gradients_to_graphs()
    gc.collect()
    assert not any(graph() for graph in Watched.graphs)


def test_a_function_keeps_its_gradient_as_long_as_it_is_referenced():
    function = traced()
    for _ in range(2):
        move_gradients_to_graphs()
        gc.collect()
    assert gradient(function) == 3.0


def test_a_function_keeps_the_gradient_of_one_that_it_has_called():
    def outer_alone():
        inner = tf.function(tripled)
        return traced(lambda x: 2.0 * inner(x))

    outer = outer_alone()
    move_gradients_to_graphs()
    gc.collect()
    assert gradient(outer) == 6.0


@pytest.mark.parametrize("at", [2.0, -2.0])
def test_a_branch_keeps_its_gradient(at):
    function = traced(lambda x: tf.cond(x > 0, lambda: tripled(x), lambda: 5.0 * tripled(x)))
    move_gradients_to_graphs()
    gc.collect()
    assert gradient(function, at) == (3.0 if at > 0 else 15.0)


def test_a_loop_keeps_its_gradient():
    function = traced(
        lambda x: tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, tripled(y)), (0, x))[1]
    )
    move_gradients_to_graphs()
    gc.collect()
    assert gradient(function) == 9.0


def test_a_function_can_be_saved_with_its_gradient(tmp_path):
    module = tf.Module()
    module.call = tf.function(tripled, input_signature=[tf.TensorSpec([], tf.float32)])
    module.call.get_concrete_function()
    move_gradients_to_graphs()
    gc.collect()
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(module, str(tmp_path), options=options)
    assert gradient(tf.saved_model.load(str(tmp_path)).call) == 3.0


def test_a_gradient_of_a_loaded_function_is_left_alone(tmp_path):
    test_a_function_can_be_saved_with_its_gradient(tmp_path)
    loaded = tf.saved_model.load(str(tmp_path))
    move_gradients_to_graphs()
    gc.collect()
    assert gradient(loaded.call) == 3.0


def test_a_model_that_is_still_referenced_can_be_trained_further():
    models = [trained(keras.layers.Dense(1, kernel_initializer="zeros")) for _ in range(2)]
    move_gradients_to_graphs()
    gc.collect()
    losses = [model.fit(X, Y, epochs=3, verbose=0).history["loss"] for model in models]
    assert all(loss[-1] < loss[0] for loss in losses)


def test_a_gradient_raises_when_its_graph_is_gone():
    function = traced()
    move_gradients_to_graphs()
    operations = function.graph.get_operations()
    lent = ops.get_gradient_function(next(op for op in operations if op.type == "IdentityN"))
    del function, operations
    gc.collect()
    with pytest.raises(LookupError, match="was freed"):
        lent(None)
