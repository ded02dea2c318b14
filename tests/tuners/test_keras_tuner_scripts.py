"""What KerasTuner's guides and TensorFlow's tutorial do, with another name of the library alone.

Each script gets the library as `kt`; with KerasTuner's it runs, too, which takes minutes.
"""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.ensemble import RandomForestRegressor

import kt_extras
from tests.tuners.models import XV, YV, X, Y

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize("kt", [kt_extras], ids=["kt_extras"]),
]
DATA = {"validation_data": (XV, YV), "verbose": 0}


def call_existing_code(units, activation, dropout, rate):
    layers = [keras.Input((64,)), keras.layers.Dense(units, activation)]
    if dropout:
        layers.append(keras.layers.Dropout(0.25))
    model = keras.Sequential([*layers, keras.layers.Dense(10, "softmax")])
    adam = keras.optimizers.Adam(rate)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def build_model(hp):
    return call_existing_code(
        units=hp.Int("units", min_value=32, max_value=128, step=32),
        activation=hp.Choice("activation", ["relu", "tanh"]),
        dropout=hp.Boolean("dropout"),
        rate=hp.Float("lr", min_value=1e-4, max_value=1e-2, sampling="log"),
    )


def test_getting_started(kt, capsys):
    build_model(kt.HyperParameters())
    tuner = kt.RandomSearch(
        hypermodel=build_model,
        objective="val_accuracy",
        max_trials=3,
        executions_per_trial=2,
        overwrite=True,
        directory="my_dir",
        project_name="helloworld",
    )
    tuner.search_space_summary()
    assert "Default search space size: 4" in capsys.readouterr().out
    tuner.search(X, Y, epochs=2, **DATA)
    best_model = tuner.get_best_models(num_models=2)[0]
    best_model.summary()
    tuner.results_summary()
    assert "Showing 10 best trials" in capsys.readouterr().out
    best_hps = tuner.get_best_hyperparameters(5)
    assert len(best_hps) == 3
    model = build_model(best_hps[0])
    model.fit(x=np.concatenate([X, XV]), y=np.concatenate([Y, YV]), epochs=1, verbose=0)


def test_getting_started_with_the_training_of_a_hypermodel(kt):
    class MyHyperModel(kt.HyperModel):
        def build(self, hp):
            return build_model(hp)

        def fit(self, hp, model, *args, **kwargs):
            return model.fit(*args, shuffle=hp.Boolean("shuffle"), **kwargs)

    tuner = kt.RandomSearch(
        MyHyperModel(),
        objective="val_accuracy",
        max_trials=2,
        overwrite=True,
        directory="my_dir",
        project_name="tune_hypermodel",
    )
    tuner.search(X, Y, epochs=2, **DATA)
    hypermodel = MyHyperModel()
    best_hp = tuner.get_best_hyperparameters()[0]
    model = hypermodel.build(best_hp)
    hypermodel.fit(best_hp, model, X, Y, epochs=1, verbose=0)
    assert set(best_hp.values) == {"units", "activation", "dropout", "lr", "shuffle"}


def test_getting_started_with_an_objective_of_ones_own(kt):
    class HyperRegressor(kt.HyperModel):
        def build(self, hp):
            model = keras.Sequential(
                [keras.Input((64,)), keras.layers.Dense(hp.Int("units", 4, 8))]
            )
            model.add(keras.layers.Dense(1))
            model.compile("adam", "mse")
            return model

        def fit(self, hp, model, x, y, validation_data, **kwargs):
            model.fit(x, y, **kwargs)
            x_val, y_val = validation_data
            return np.mean(np.abs(model.predict(x_val, verbose=0)[:, 0] - y_val))

    tuner = kt.RandomSearch(
        hypermodel=HyperRegressor(),
        max_trials=3,
        overwrite=True,
        directory="my_dir",
        project_name="custom_eval",
    )
    tuner.search(x=X, y=Y, validation_data=(XV, YV), verbose=0)
    best = tuner.oracle.get_best_trials(3)
    assert [t.score for t in best] == sorted(t.score for t in best)


def test_getting_started_with_anything_else(kt):
    class MyTuner(kt.RandomSearch):
        def run_trial(self, trial, *args, **kwargs):
            hp = trial.hyperparameters
            model = RandomForestRegressor(
                n_estimators=hp.Int("n_estimators", 2, 20),
                max_depth=hp.Int("max_depth", 3, 10),
                random_state=0,
            )
            model.fit(X, Y)
            return np.mean((model.predict(XV) - YV) ** 2)

    tuner = MyTuner(
        max_trials=3, overwrite=True, directory="my_dir", project_name="tune_anything", seed=1
    )
    tuner.search(verbose=0)
    assert set(tuner.get_best_hyperparameters()[0].values) == {"n_estimators", "max_depth"}
    assert len(tuner.oracle.trials) == 3


def test_getting_started_with_keras_code_kept_apart(kt):
    def keras_code(units, rate, saving_path):
        model = call_existing_code(units, "relu", False, rate)
        model.fit(X, Y, epochs=1, verbose=0)
        model.save(saving_path)
        return model.evaluate(XV, YV, verbose=0, return_dict=True)["loss"]

    class MyTuner(kt.BayesianOptimization):
        def run_trial(self, trial, **kwargs):
            hp = trial.hyperparameters
            return keras_code(
                units=hp.Int("units", 32, 64, 32),
                rate=hp.Float("lr", 1e-4, 1e-2, sampling="log", default=1e-3),
                saving_path=os.path.join(self.project_dir, f"{trial.trial_id}.keras"),
            )

    tuner = MyTuner(max_trials=4, num_initial_points=2, overwrite=True, project_name="separate")
    tuner.search(verbose=0)
    best = tuner.oracle.get_best_trials()[0]
    keras.models.load_model(os.path.join(tuner.project_dir, f"{best.trial_id}.keras"))


def test_tuning_in_a_distributed_way(kt):
    tuner = kt.RandomSearch(
        hypermodel=build_model,
        objective="val_accuracy",
        max_trials=2,
        executions_per_trial=1,
        directory="results_dir",
        project_name="mnist",
        overwrite=True,
        distribution_strategy=tf.distribute.OneDeviceStrategy("/cpu:0"),
    )
    tuner.search(
        X,
        Y,
        steps_per_epoch=4,
        validation_steps=2,
        epochs=2,
        **DATA,
        callbacks=[keras.callbacks.EarlyStopping("val_accuracy")],
    )
    assert len(tuner.oracle.get_best_trials(9)) == 2


def tailored(kt, **kwargs):
    return kt.RandomSearch(
        objective="val_accuracy",
        max_trials=3,
        overwrite=True,
        directory="my_dir",
        project_name="search_a_few",
        **kwargs,
    )


def test_tailoring_the_search_space(kt):
    hp = kt.HyperParameters()
    hp.Choice("lr", [1e-2, 1e-3], default=1e-3)
    some = tailored(kt, hypermodel=build_model, hyperparameters=hp, tune_new_entries=False)
    some.search(X, Y, epochs=1, **DATA)
    values = [trial.hyperparameters.values for trial in some.oracle.trials.values()]
    assert {v["lr"] for v in values} == {1e-2, 1e-3}
    assert {(v["units"], v["dropout"]) for v in values} == {(32, False)}
    fixed = kt.HyperParameters()
    fixed.Fixed("lr", value=1e-4)
    others = tailored(kt, hypermodel=build_model, hyperparameters=fixed, tune_new_entries=True)
    others.search(X, Y, epochs=1, **DATA)
    assert {t.hyperparameters.get("lr") for t in others.oracle.trials.values()} == {1e-4}


def test_tailoring_the_arguments_of_compile(kt):
    tuner = tailored(
        kt,
        hypermodel=build_model,
        optimizer=keras.optimizers.Adam(1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["sparse_categorical_crossentropy", "accuracy"],
    )
    tuner.search(X, Y, epochs=1, **DATA)
    assert len(tuner.get_best_models(2)) == 2


class TrainsByItself:
    """The training of the guide on custom training loops."""

    def fit(self, hp, model, x, y, validation_data, callbacks=None, **kwargs):
        batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(hp.Int("batch", 32, 128, 32))
        rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log", default=1e-3)
        optimizer = keras.optimizers.Adam(rate)
        loss_fn = keras.losses.SparseCategoricalCrossentropy()
        epoch_loss = keras.metrics.Mean()

        @tf.function
        def train_step(images, labels):
            with tf.GradientTape() as tape:
                loss = loss_fn(labels, model(images))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

        for callback in callbacks:
            callback.set_model(model)
        best = float("inf")
        for epoch in range(2):
            for images, labels in batches:
                train_step(images, labels)
            epoch_loss.update_state(loss_fn(validation_data[1], model(validation_data[0])))
            value = float(epoch_loss.result())
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"my_metric": value})
            epoch_loss.reset_state()
            best = min(best, value)
        return best


def test_a_training_loop_of_ones_own(kt):
    class MyHyperModel(TrainsByItself, kt.HyperModel):
        def build(self, hp):
            return call_existing_code(hp.Int("units", 32, 64, 32), "relu", False, 1e-3)

    tuner = kt.RandomSearch(
        objective=kt.Objective("my_metric", "min"),
        max_trials=2,
        hypermodel=MyHyperModel(),
        directory="results",
        project_name="custom_training",
        overwrite=True,
    )
    tuner.search(x=X, y=Y, validation_data=(XV, YV), verbose=0)
    best = tuner.get_best_hyperparameters()[0]
    assert set(best.values) == {"units", "batch", "learning_rate"}
    tuner.get_best_models()[0].summary()


def test_visualizing_the_search(kt):
    tuner = kt.RandomSearch(
        build_model,
        max_trials=2,
        overwrite=True,
        objective="val_accuracy",
        directory="search",
    )
    board = keras.callbacks.TensorBoard("tb_logs")
    tuner.search(X, Y, validation_split=0.2, epochs=2, callbacks=[board], verbose=0)
    found = [name for _, _, names in os.walk("tb_logs") for name in names]
    assert sum(name.startswith("events.out.tfevents") for name in found) >= 4


def test_failed_trials(kt):
    def build(hp):
        units = hp.Int("units", 32, 96, step=32)
        if units > 64:
            raise kt.errors.FailedTrialError(f"The model is too large: {units} units.")
        return call_existing_code(units, "relu", False, 1e-3)

    tuner = kt.GridSearch(
        hypermodel=build,
        objective="val_accuracy",
        overwrite=True,
        max_retries_per_trial=3,
        max_consecutive_failed_trials=8,
    )
    tuner.search(X, Y, epochs=1, **DATA)
    tuner.results_summary()
    states = [trial.status for trial in tuner.oracle.trials.values()]
    assert sorted(states) == ["COMPLETED", "COMPLETED", "FAILED"]


def test_tensorflow_s_tutorial_with_hyperband(kt):
    def model_builder(hp):
        model = keras.Sequential([keras.Input((64,))])
        hp_units = hp.Int("units", min_value=32, max_value=512, step=32)
        model.add(keras.layers.Dense(units=hp_units, activation="relu"))
        model.add(keras.layers.Dense(10))
        hp_learning_rate = hp.Choice("learning_rate", values=[1e-2, 1e-3, 1e-4])
        model.compile(
            optimizer=keras.optimizers.Adam(learning_rate=hp_learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        return model

    tuner = kt.Hyperband(
        model_builder,
        objective="val_accuracy",
        max_epochs=4,
        factor=3,
        directory="my_dir",
        project_name="intro_to_kt",
    )
    stop_early = keras.callbacks.EarlyStopping(monitor="val_loss", patience=5)
    tuner.search(X, Y, epochs=50, validation_split=0.2, callbacks=[stop_early], verbose=0)
    best_hps = tuner.get_best_hyperparameters(num_trials=1)[0]
    model = tuner.hypermodel.build(best_hps)
    history = model.fit(X, Y, epochs=3, validation_split=0.2, verbose=0)
    val_acc_per_epoch = history.history["val_accuracy"]
    best_epoch = val_acc_per_epoch.index(max(val_acc_per_epoch)) + 1
    hypermodel = tuner.hypermodel.build(best_hps)
    hypermodel.fit(X, Y, epochs=best_epoch, validation_split=0.2, verbose=0)
    assert hypermodel.evaluate(XV, YV, verbose=0)[1] > 0.2
    assert best_hps.get("units") % 32 == 0
    assert best_hps.get("learning_rate") in {1e-2, 1e-3, 1e-4}
