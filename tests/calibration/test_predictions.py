"""Outputs of models for batches of all sizes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kt_extras.calibration.predictions import ForwardPass, predictions

L = keras.layers


def recurrent():
    return keras.Sequential([keras.Input((None, 2)), L.LSTM(3), L.Dense(1)])


def of_two_inputs():
    inputs = {"a": keras.Input((None, 2), name="a"), "b": keras.Input((1,), name="b")}
    rows = L.GlobalAveragePooling1D()(inputs["a"])
    return keras.Model(inputs, L.Dense(1)(L.Concatenate()([rows, inputs["b"]])))


def series(length, name):
    rows = np.random.default_rng(length).normal(size=(4, length, 2)).astype("float32")
    return rows if name == "recurrent" else {"a": rows, "b": rows[:, 0, :1]}


@pytest.mark.parametrize("name", ["recurrent", "of_two_inputs"])
def test_batches_of_different_lengths_have_the_outputs_of_predict(name):
    model = globals()[name]()
    batches = [series(length, name) for length in (5, 9, 3)]
    forward = ForwardPass(model)
    for batch in batches:
        np.testing.assert_allclose(forward(batch), model.predict(batch, verbose=0), rtol=1e-5)


def test_a_padded_data_set_is_read_to_its_end():
    rows = [np.ones((length, 2), "float32") for length in (2, 5, 3, 7)]
    signature = tf.TensorSpec((None, 2)), tf.TensorSpec(())
    data = tf.data.Dataset.from_generator(
        lambda: ((row, len(row)) for row in rows), output_signature=signature
    )
    model = recurrent()
    _, outputs, _ = predictions(ForwardPass(model), data.padded_batch(2))
    padded = [np.stack([np.pad(a, ((0, len(b) - len(a)), (0, 0))), b]) for a, b in
              (rows[:2], rows[2:])]  # fmt: skip
    expected = np.concatenate([model.predict(one, verbose=0) for one in padded])
    np.testing.assert_allclose(outputs, expected, rtol=1e-5)


class Watched(keras.layers.Layer):
    def call(self, x):
        self.eager = tf.executing_eagerly()
        return 2 * x


@pytest.mark.parametrize("eagerly", [True, False])
def test_only_a_model_that_runs_eagerly_is_not_traced(eagerly):
    layer = Watched()
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile("sgd", "mse", run_eagerly=eagerly)
    assert ForwardPass(model)(np.ones((2, 1), "float32")).tolist() == [[2.0], [2.0]]
    assert layer.eager == eagerly
