"""A range test finds the rates at which a loss falls, and leaves the model as it was."""

import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from kt_extras.callbacks import RangeTest, learning_rate_range_test
from kt_extras.compat import KERAS_3

RATES = np.geomspace(1e-6, 1.0, 61)  # ten steps a decade
X = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")
Y += 0.5 * np.random.default_rng(1).normal(size=Y.shape)  # or no rate would be too high for long


def curve(falls=-4.0, bottom=-2.0, start=2.0, noise=0.0):
    """Return the test of a loss that falls linearly in log10(rate), then explodes."""
    places = np.log10(RATES)
    losses = np.interp(places, [falls, bottom], [start, 0.2])
    losses = np.where(places > bottom, 0.2 + 15 * start * (places - bottom) ** 2, losses)
    losses += noise * np.random.default_rng(0).normal(size=len(losses))
    return RangeTest(RATES, losses)


def test_the_range_spans_the_rates_at_which_the_loss_falls():
    low, high = np.log10(curve().suggestion())
    assert low == pytest.approx(-3.8, abs=0.11)  # a tenth of the fall, of two decades
    assert high == pytest.approx(-2.0, abs=0.11)


@hypothesis_settings(max_examples=30)
@given(falls=st.floats(-5, -4), width=st.floats(1, 2.5), start=st.floats(1, 100))
def test_the_range_hardly_changes_when_losses_are_noisy(falls, width, start):
    bottom = falls + width
    low, high = np.log10(curve(falls, bottom, start, noise=0.02 * start).suggestion())
    assert low == pytest.approx(falls, abs=0.5 * width)
    assert high == pytest.approx(bottom, abs=0.5 * width)


def test_the_range_stays_when_one_batch_is_an_outlier():
    test = curve()
    test.losses[20] = -50.0
    test.losses[30] = 50.0
    np.testing.assert_allclose(
        np.log10(test.suggestion()), np.log10(curve().suggestion()), atol=0.11
    )


@pytest.mark.parametrize("losses", [np.linspace(1, 2, 61), np.ones(61)])
def test_no_range_is_suggested_when_no_loss_falls(losses):
    with pytest.raises(ValueError, match=r"the loss has not fallen between 1\.0e-06 and"):
        RangeTest(RATES, losses).suggestion()


def test_narrow_declares_a_hyperparameter_with_the_suggested_range():
    hp = keras_tuner.HyperParameters()
    value = curve().narrow(hp)
    (dimension,) = hp.space
    assert (dimension.min_value, dimension.max_value) == curve().suggestion()
    assert dimension.sampling == "log"
    assert dimension.min_value < value < dimension.max_value
    # What `build(hp)` declares comes second, so it does not widen the range again.
    assert hp.Float("learning_rate", 1e-9, 1e9, sampling="log") == value


def test_the_plot_shows_losses_and_range():
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib.figure import Figure

    test = curve()
    axes = test.plot(Figure().subplots())
    assert axes.get_xscale() == "log"
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), test.losses)
    assert [text.get_text() for text in axes.get_legend().get_texts()][-1] == "suggested range"


def test_the_plot_shows_losses_of_which_no_range_can_be_suggested():
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib.figure import Figure

    test = RangeTest(RATES, np.r_[1.0, 0.9, 0.8, 0.9, np.linspace(1, 3, 57)])
    axes = test.plot(Figure().subplots())
    assert [text.get_text() for text in axes.get_legend().get_texts()][-1] == "smoothed"


def test_without_matplotlib_the_plot_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match="pip install matplotlib"):
        curve().plot()


def regression(optimizer="sgd", *, batch_norm=False, run_eagerly=True):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((3,)), keras.layers.Dense(1)]
    if batch_norm:
        # Keras 2 keeps the state of a dropout where nobody can put it back.
        dropout = [keras.layers.Dropout(0.1)] if KERAS_3 else []
        layers[1:1] = [keras.layers.BatchNormalization(), *dropout]
    model = keras.Sequential(layers)
    model.compile(optimizer, "mse", run_eagerly=run_eagerly)
    return model


def test_rates_grow_by_a_constant_factor_and_each_batch_has_its_loss():
    model = regression()
    loss = float(model.evaluate(X, Y, 64, verbose=0))
    test = learning_rate_range_test(model, X, Y, low=1e-12, high=1e-9, steps=12, batch_size=64)
    np.testing.assert_allclose(test.rates[1:] / test.rates[:-1], 1000 ** (1 / 11), rtol=1e-6)
    np.testing.assert_allclose(test.losses, loss, rtol=1e-4)  # such small rates change nothing


def test_the_model_trains_as_before_after_a_range_test():
    rate = keras.optimizers.schedules.PolynomialDecay(0.05, 20)
    losses = []
    for tested in (True, False):
        adam = keras.optimizers.Adam(rate)
        model = regression(adam, batch_norm=True, run_eagerly=False)
        model.fit(X, Y, 32, verbose=0, shuffle=False)
        if tested:
            test = learning_rate_range_test(model, X, Y, high=100.0, steps=12, batch_size=32)
            assert len(test.losses) > 10
        losses.append(model.fit(X, Y, 32, 2, verbose=0, shuffle=False).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)


def test_a_suggested_rate_learns_and_one_far_above_diverges():
    test = learning_rate_range_test(regression(), X, Y, high=10.0, steps=50, batch_size=16)
    assert len(test.rates) < 50  # it ended when the loss diverged
    low, high = test.suggestion()
    assert 1e-3 < low < 1e-1 < high < 3.0
    model = regression(keras.optimizers.SGD((low * high) ** 0.5))
    losses = model.fit(X, Y, 16, 5, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]


def test_a_data_set_may_be_shorter_than_the_test():
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(32)
    test = learning_rate_range_test(regression(), data, steps=15, high=1e-3)
    assert len(test.losses) == 15


@pytest.mark.parametrize("execution", [4, "auto"])
def test_each_rate_has_a_loss_whatever_the_steps_of_an_execution(execution):
    if KERAS_3 and execution == "auto":
        pytest.skip("Keras 3 has no tuning of it.")
    losses = []
    for steps in (1, execution):
        model = regression()
        model.compile("sgd", "mse", steps_per_execution=steps)
        kept = int(tf.convert_to_tensor(model.steps_per_execution))
        test = learning_rate_range_test(model, X, Y, steps=12, batch_size=8, shuffle=False)
        assert int(tf.convert_to_tensor(model.steps_per_execution)) == kept
        losses.append(test.losses)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


@pytest.mark.slow
def test_a_model_on_two_devices_is_tested_as_on_one():
    program = """
        import numpy as np, tensorflow as tf
        from kt_extras.callbacks import learning_rate_range_test
        from tests.callbacks.test_range_test import X, Y, regression

        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            model = regression(run_eagerly=False)
        before = model.get_weights()
        test = learning_rate_range_test(model, X, Y, steps=12, batch_size=16)
        np.testing.assert_array_equal(model.get_weights()[0], before[0])
        print("losses:", len(test.losses))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert "losses: 12" in run.stdout, run.stderr[-2000:]


def test_a_loss_that_is_not_finite_ends_the_test():
    with pytest.raises(ValueError, match="`low` must be a rate at which the model can be trained"):
        learning_rate_range_test(regression(), X * np.nan, Y, steps=20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": 0.0}, "`low` must be a finite number above 0"),
        ({"low": 2.0}, "`high` must be above `low`, got 1.0 and 2.0"),
        ({"steps": 9}, "`steps` must be a whole number of steps from 10"),
        ({"epochs": 3}, "`epochs` has no use in a range test"),
        ({"divergence": 0}, "`divergence` must be a finite number above 0"),
    ],
)
def test_a_wrong_argument_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        learning_rate_range_test(regression(), X, Y, **options)


def test_a_model_that_is_not_ready_is_rejected():
    unbuilt = keras.Sequential([keras.layers.Dense(1)])
    unbuilt.compile("sgd", "mse")
    with pytest.raises(ValueError, match="`model` must have its variables"):
        learning_rate_range_test(unbuilt, X, Y)
    uncompiled = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="`model` must be compiled"):
        learning_rate_range_test(uncompiled, X, Y)
