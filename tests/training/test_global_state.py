"""Nothing global of the user's is changed or lost by a search, a refit or a loaded model."""

import contextlib
import random

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras.compat import KERAS_3
from kt_extras.training.global_state import clear_session, settings_kept
from tests.cases import some

X, Y = np.linspace(-1, 1, 16, dtype="float32")[:, None], np.ones((16, 1), "float32")
VALIDATION = {"validation_data": (X, Y), "verbose": 0}
PRESETS = {
    "TPE": {"max_trials": 2},
    "Evolution": {"max_trials": 2},
    "ASHA": {"max_trials": 2, "max_epochs": 2, "reduction_factor": 2},
    "BOHB": {"max_trials": 2, "max_epochs": 2, "reduction_factor": 2},
    "PBT": {"population_size": 4, "max_epochs": 2, "interval": 1},
}


def build(hp):
    seen.append(settings())
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dropout(hp.Float("rate", 0.0, 0.5)), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(hp.Float("learning_rate", 1e-3, 1e-1)), "mse")
    return model


seen = []


def settings():
    return {
        "policy": keras.mixed_precision.global_policy().name,
        "epsilon": keras.backend.epsilon(),
        "image": keras.backend.image_data_format(),
        "objects": keras.utils.get_registered_object("Mine", {}) is not None,
        "interactive": _interactive(),
        "filtering": (_filtering(), tf.debugging.is_traceback_filtering_enabled()),
        "strategy": tf.distribute.has_strategy(),
    }


def _interactive():
    if KERAS_3:
        return keras.config.is_interactive_logging_enabled()
    return keras.utils.is_interactive_logging_enabled()


def _filtering():
    return keras.config.is_traceback_filtering_enabled() if KERAS_3 else None


class Mine(keras.layers.Layer):
    """Known in a scope alone."""


@contextlib.contextmanager
def all_changed():
    """Change every setting, and restore it."""
    with settings_kept(), contextlib.ExitStack() as stack:
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        keras.backend.set_epsilon(1e-5)
        keras.backend.set_image_data_format("channels_first")
        keras.utils.disable_interactive_logging()
        if KERAS_3:
            keras.config.disable_traceback_filtering()
        tf.debugging.disable_traceback_filtering()
        stack.enter_context(keras.utils.custom_object_scope({"Mine": Mine}))
        strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
        stack.enter_context(strategy.scope())
        yield


@pytest.mark.parametrize(
    "preset",
    some(PRESETS, {"TPE"}),
)
def test_settings_and_random_streams_are_kept_by_search_refit_and_load(preset):
    plain = settings()
    keras.utils.set_random_seed(5)
    expected = drawn()
    keras.utils.set_random_seed(5)
    with all_changed():
        changed = settings()
        assert all(changed[name] != plain[name] for name in plain)
        seen.clear()
        tuner = getattr(kte, preset)(build, "val_loss", seed=0, **PRESETS[preset])
        tuner.search(X, Y, **VALIDATION)
        assert settings() == changed
        assert [row["message"] for row in tuner.results() if row["message"]] == []
        (model,) = tuner.get_best_models()
        assert model.layers[-1].compute_dtype == "bfloat16"
        tuner.refit(X, Y, **VALIDATION)
        assert settings() == changed
        assert all(one == changed for one in seen)
    assert settings() == plain
    assert drawn() == expected


def drawn():
    """Return a number from each global random stream."""
    keras_number = keras.initializers.RandomNormal()((1,))
    numpy_number = np.random.rand()  # noqa: NPY002 - the global stream is what is tested
    return random.random(), numpy_number, float(tf.random.normal([])), float(keras_number[0])


@pytest.mark.slow
def test_a_setting_that_a_build_changes_is_its_trials_own():
    def with_policy(hp):
        seen.append(keras.mixed_precision.global_policy().name)
        if hp.Boolean("half"):
            keras.mixed_precision.set_global_policy("mixed_bfloat16")
        return build(hp)

    seen.clear()
    tuner = kte.TPE(with_policy, "val_loss", max_trials=2, seed=0)
    for half in (True, False):
        tuner.enqueue({"half": half})
    tuner.search(X, Y, epochs=1, **VALIDATION)
    tuner.get_best_models(2)
    policies = [one for one in seen if isinstance(one, str)]
    assert set(policies) == {"float32"}
    assert keras.mixed_precision.global_policy().name == "float32"


def test_settings_are_kept_when_a_trial_crashes():
    def crashing(hp):
        keras.backend.set_epsilon(hp.Float("epsilon", 1e-4, 1e-3))
        keras.backend.set_floatx("float64")
        tf.config.run_functions_eagerly(True)
        model = build(hp)
        if len(seen) > 1:
            raise RuntimeError("no")
        return model

    seen.clear()
    tuner = kte.TPE(crashing, "val_loss", max_trials=1, seed=0)
    tuner.search(X, Y, epochs=1, **VALIDATION)
    assert keras.backend.epsilon() == 1e-7
    assert keras.backend.floatx() == "float32"
    assert not tf.config.functions_run_eagerly()
    assert tuner.results()[0]["state"] == "failed"


def test_trials_without_a_seed_differ_and_repeat_with_the_users():
    def first_weights():
        keras.utils.set_random_seed(5)
        starts = []

        class Starts(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                starts.append(float(self.model.get_weights()[0][0, 0]))

        oracle = kte.SamplerOracle(kte.samplers.Random(), objective="loss", max_trials=2)
        tuner = kte.Tuner(oracle, build, overwrite=True)
        tuner.search(X, Y, verbose=0, callbacks=lambda *_: [Starts()])
        return starts

    starts = first_weights()
    assert starts[0] != starts[1]
    assert first_weights() == starts


def test_a_strategy_scope_is_still_open_after_the_session_is_cleared():
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        clear_session()
        assert tf.distribute.get_strategy() is strategy
    assert not tf.distribute.has_strategy()


def test_names_of_layers_begin_again_after_the_session_is_cleared():
    clear_session()
    names = [keras.layers.Dense(1).name]
    clear_session()
    names.append(keras.layers.Dense(1).name)
    assert names[0] == names[1]


@pytest.mark.skipif(not KERAS_3, reason="Keras 2 has no distribution")
def test_the_distribution_of_keras_3_is_kept():
    device = keras.distribution.list_devices("cpu")
    if not device:
        pytest.skip("no devices are listed")
    with settings_kept():
        mesh = keras.distribution.DeviceMesh((1,), ["batch"], device[:1])
        keras.distribution.set_distribution(keras.distribution.DataParallel(mesh))
        chosen = keras.distribution.distribution()
        clear_session()
        assert keras.distribution.distribution() is chosen
    assert keras.distribution.distribution() is None


def test_a_tuner_of_ones_own_keeps_the_settings():
    class Own(kte.Tuner):
        def run_trial(self, trial):
            seen.append(keras.mixed_precision.global_policy().name)
            return trial.hyperparameters.Float("x", 0.0, 1.0)

    seen.clear()
    with all_changed():
        cost = keras_tuner.Objective("cost", "min")
        oracle = kte.SamplerOracle(kte.samplers.Random(), objective=cost, max_trials=3, seed=0)
        Own(oracle).search(verbose=0)
        assert keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    assert seen == ["mixed_bfloat16"] * 3
