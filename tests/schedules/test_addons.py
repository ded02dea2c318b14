"""Our cyclical rates are those of tensorflow-addons; runs where they are installed."""

import warnings

import keras
import numpy as np
import pytest

from kt_extras.schedules import Cyclical

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tfa = pytest.importorskip("tensorflow_addons")

BOUNDS = (1e-3, 0.5)
PAIRS = {
    "triangular": (Cyclical(*BOUNDS, 7), tfa.optimizers.TriangularCyclicalLearningRate(*BOUNDS, 7)),
    "triangular2": (
        Cyclical(*BOUNDS, 7, policy="triangular2"),
        tfa.optimizers.Triangular2CyclicalLearningRate(*BOUNDS, 7),
    ),
    "exponential": (
        Cyclical(*BOUNDS, 7, policy="exponential", gamma=0.95),
        tfa.optimizers.ExponentialCyclicalLearningRate(*BOUNDS, 7, gamma=0.95),
    ),
}


@pytest.mark.parametrize("policy", PAIRS)
def test_the_rates_are_the_same_at_every_step(policy):
    ours, theirs = PAIRS[policy]
    steps = [float(step) for step in range(100)]
    np.testing.assert_allclose(
        [float(ours(step)) for step in steps],
        [float(theirs(step)) for step in steps],
        rtol=1e-5,
        atol=1e-7,
    )


def test_their_optimizers_follow_our_schedules():
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    schedule = Cyclical(0.1, 0.5, 2)
    model.compile(tfa.optimizers.SGDW(0.0, learning_rate=schedule), lambda _, scores: scores)
    (kernel,) = model.trainable_variables
    before = float(kernel.numpy()[0, 0])
    model.fit(np.ones((3, 1)), np.ones((3, 1)), batch_size=1, verbose=0)
    assert before - float(kernel.numpy()[0, 0]) == pytest.approx(0.1 + 0.3 + 0.5, rel=1e-5)
