"""A training of the user's own, in `HyperModel.fit` or in `run_trial`: as KerasTuner has it."""

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from sklearn.model_selection import KFold

import kt_extras as kte
from tests.cases import some
from tests.tuners.models import VALIDATION, XV, YV, X, Y

METRIC = keras_tuner.Objective("my_metric", "min")


def build(hp):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, "softmax")])
    sgd = keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-1, sampling="log"))
    model.compile(sgd, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Own(keras_tuner.HyperModel):
    """The model of `build`, with a `fit` of its own."""

    def __init__(self, fit):
        super().__init__()
        self._fit = fit

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        return self._fit(model, *args, **kwargs)


def guides_loop(model, x, y, callbacks=None, **kwargs):
    """The loop of Keras' guide to tuning own training loops."""
    losses = []
    for callback in callbacks:
        callback.set_model(model)
    for epoch in range(3):
        losses.append(float(model.train_on_batch(x, y)[0]))
        for callback in callbacks:
            callback.on_epoch_end(epoch, logs={"my_metric": losses[-1]})
    return min(losses)


def tpe(model, objective=METRIC, **kwargs):
    return kte.TPE(model, objective, **{"max_trials": 1, "seed": 0, **kwargs})


def states(tuner):
    return [row["state"] for row in tuner.results()]


def returned(model, *args, **kwargs):
    """Return the best value as a dictionary, which says nothing of epochs."""
    losses = model.fit(*args, **kwargs).history["val_loss"]
    return {"val_loss": min(losses)}


# Loops.


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kte.TPE, kte.Evolution])
def test_the_loop_of_keras_guide_runs(kind):
    tuner = kind(Own(guides_loop), METRIC, max_trials=2, seed=0)
    tuner.search(X, Y, verbose=0)
    assert states(tuner) == ["completed"] * 2
    assert [row["best_epoch"] for row in tuner.results()] == [2, 2]
    model = tuner.get_best_models()[0]
    best = tuner.oracle.get_best_trials()[0]
    before = tuner.history(best.trial_id)["my_metric"][-1]
    assert model.evaluate(X, Y, verbose=0)[0] < before == best.score


@pytest.mark.slow
def test_a_pruner_ends_a_loop_that_does_not_look_at_stop_training():
    epochs = []

    def loop(model, *args, callbacks, **kwargs):
        for callback in callbacks:
            callback.set_model(model)
        for epoch in range(5):
            epochs.append(epoch)
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"my_metric": 1.0})
        return 1.0

    tuner = tpe(Own(loop), pruner=kte.ThresholdPruner(upper=0.5), max_trials=2)
    tuner.search(X, Y, verbose=0)
    assert epochs == [0, 1, 0, 1]  # the second epoch is not looked at
    assert [(row["state"], row["epochs"]) for row in tuner.results()] == [("pruned", 1)] * 2
    assert tuner.get_best_models()


SCHEDULED = {
    "asha": lambda model, **kwargs: kte.ASHA(model, METRIC, max_epochs=4, **kwargs),
    "bohb": lambda model, **kwargs: kte.BOHB(model, METRIC, max_epochs=4, **kwargs),
    "pbt": lambda model, **kwargs: kte.PBT(model, METRIC, max_epochs=4, interval=2, **kwargs),
}


@pytest.mark.parametrize("kind", some(SCHEDULED, ["asha"]))
def test_a_loop_that_cannot_be_resumed_is_refused_at_once(kind):
    tuner = SCHEDULED[kind](Own(guides_loop), seed=0)
    with pytest.raises(ValueError, match=r"`callback.on_train_begin\(\)` must be called"):
        tuner.search(X, Y, verbose=0)
    assert tuner.oracle.totals.epochs == 0


def test_a_loop_that_is_not_resumed_runs_under_a_scheduler_that_stops():
    tuner = kte.ASHA(Own(guides_loop), METRIC, max_epochs=2, max_trials=4, mode="stopping", seed=0)
    tuner.search(X, Y, verbose=0)
    assert {row["epochs"] for row in tuner.results()} <= {1, 2}
    assert set(states(tuner)) <= {"completed", "pruned"}


def test_a_model_without_its_optimizer_is_refused_under_a_scheduler():
    def loop(model, *args, callbacks, **kwargs):
        plain = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, "softmax")])
        for callback in callbacks:
            callback.set_model(plain)
            callback.on_train_begin()
        for callback in callbacks:
            callback.on_epoch_end(0, {"my_metric": 1.0})

    with pytest.raises(ValueError, match="`model` must be compiled with the optimizer"):
        SCHEDULED["asha"](Own(loop), seed=0).search(X, Y, verbose=0)


def loop_with(optimizer_of, model, x, y, callbacks, epochs, initial_epoch, **kwargs):
    """Train as a loop with `GradientTape`, whose optimizer is another one than the model's."""
    optimizer = optimizer_of(model)
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, model(x)))
        slopes = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(slopes, model.trainable_variables, strict=True))
        for callback in callbacks:
            callback.on_epoch_end(epoch, {"my_metric": float(loss)})
        if model.stop_training:
            break
    return float(loss)


@pytest.mark.parametrize("kind", some(SCHEDULED, ["asha", "pbt"]))
def test_a_loop_with_an_optimizer_that_is_not_saved_is_refused_at_once(kind):
    def loop(model, *args, **kwargs):
        return loop_with(lambda _: keras.optimizers.Adam(), model, *args, **kwargs)

    tuner = SCHEDULED[kind](Own(loop), seed=0)
    with pytest.raises(ValueError, match=r"`model\.optimizer` must be the optimizer that tr"):
        tuner.search(X[:20], Y[:20], verbose=0)
    assert tuner.oracle.totals.epochs == 0


def test_a_loop_with_the_models_optimizer_is_resumed():
    def loop(model, *args, **kwargs):
        return loop_with(lambda model: model.optimizer, model, *args, **kwargs)

    tuner = SCHEDULED["asha"](Own(loop), max_trials=4, seed=0)
    tuner.search(X[:20], Y[:20], verbose=0)
    assert "completed" in states(tuner)


class Adversarial(keras.Model):
    """A generator and a discriminator with an optimizer each, as Keras' examples write it.

    It is never called itself, so that Keras 3 does not take it for built.
    """

    def __init__(self):
        super().__init__()
        self.generator = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64)])
        self.discriminator = keras.Sequential([keras.Input((64,)), keras.layers.Dense(1)])

    def compile(self, d_optimizer, g_optimizer):
        super().compile()
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

    def train_step(self, data):
        x = data[0] if isinstance(data, tuple) else data
        losses = {}
        for part, optimizer, name, sign in (
            (self.discriminator, self.d_optimizer, "d_loss", 1.0),
            (self.generator, self.g_optimizer, "g_loss", -1.0),
        ):
            with tf.GradientTape() as tape:
                made = self.discriminator(self.generator(x))
                loss = sign * tf.reduce_mean(tf.sigmoid(made) - tf.sigmoid(self.discriminator(x)))
            slopes = tape.gradient(loss, part.trainable_variables)
            optimizer.apply_gradients(zip(slopes, part.trainable_variables, strict=True))
            losses[name] = loss
        return losses


def adversarial(hp):
    model = Adversarial()
    rate = hp.Float("rate", 1e-4, 1e-2, sampling="log")
    model.compile(keras.optimizers.Adam(rate), keras.optimizers.Adam(rate))
    return model


G_LOSS = keras_tuner.Objective("g_loss", "min")


def test_a_model_with_several_optimizers_is_refused_under_a_scheduler():
    tuner = kte.ASHA(adversarial, G_LOSS, max_epochs=4, seed=0)
    optimizers = "model.d_optimizer, model.g_optimizer"
    with pytest.raises(ValueError, match=f"by `model.optimizer` alone, and {optimizers} train"):
        tuner.search(X[:20], verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tuner",
    [
        lambda: kte.TPE(adversarial, G_LOSS, max_trials=2, seed=0),
        lambda: kte.ASHA(adversarial, G_LOSS, max_epochs=2, max_trials=2, mode="stopping", seed=0),
    ],
)
def test_a_model_with_several_optimizers_is_searched_where_trials_are_not_resumed(tuner):
    tuner = tuner()
    arguments = {"epochs": 2} if isinstance(tuner, kte.TPE) else {}
    tuner.search(X[:20], verbose=0, **arguments)
    assert "completed" in states(tuner)
    model = tuner.get_best_models()[0]
    assert any(np.any(weight) for weight in model.get_weights())
    assert model.d_optimizer is not model.g_optimizer


def folds(model, x, y, **kwargs):
    """Cross-validate on three folds, each with a model of its own."""
    histories = []
    for train, test in KFold(3).split(x):
        fold = keras.models.clone_model(model)
        fold.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        data = {"validation_data": (x[test], y[test])}
        histories.append(fold.fit(x[train], y[train], **{**kwargs, **data}))
    return histories


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["promotion", "stopping"])
def test_folds_are_refused_under_a_scheduler(mode):
    tuner = kte.ASHA(Own(folds), "val_accuracy", max_epochs=9, max_trials=3, mode=mode, seed=0)
    with pytest.raises(ValueError, match="`fit` is called a second time in one trial"):
        tuner.search(X, Y, verbose=0)
    assert not tuner.oracle.end_order


@pytest.mark.slow
def test_folds_are_executions_and_their_mean_is_the_score():
    tuner = tpe(Own(folds), "val_accuracy")
    tuner.search(X, Y, epochs=2, verbose=0)
    history, row = tuner.history(0), tuner.results()[0]
    assert history["execution"] == [0, 0, 1, 1, 2, 2]
    best = [max(history["val_accuracy"][i : i + 2]) for i in (0, 2, 4)]
    assert row["score"] == pytest.approx(np.mean(best))
    assert row["epochs"] == 6


def test_a_pruner_compares_first_folds_and_ends_the_trial_with_its_fold():
    pruner = kte.ThresholdPruner(lower=2.0)  # stops every trial
    tuner = tpe(Own(folds), "val_accuracy", pruner=pruner)
    tuner.search(X, Y, epochs=2, verbose=0)
    row = tuner.results()[0]
    assert (row["state"], row["epochs"]) == ("pruned", 1)
    assert row["score"] == tuner.history(0)["val_accuracy"][0]


# Best epochs.


@pytest.mark.slow
@pytest.mark.parametrize("fit", [returned, lambda *a, **k: returned(*a, **k)["val_loss"]])
def test_the_best_epoch_is_that_of_the_reported_curve(fit):
    tuner = tpe(Own(fit), "val_loss")
    tuner.search(X, Y, validation_data=VALIDATION, epochs=4, verbose=0)
    row, losses = tuner.results()[0], tuner.history(0)["val_loss"]
    assert row["best_epoch"] == int(np.argmin(losses)) == 3
    again = tuner.refit(X, Y, validation_data=VALIDATION, verbose=0)
    assert again.evaluate(XV, YV, verbose=0)[0] == pytest.approx(row["score"])


def evaluated(model, *args, **kwargs):
    model.fit(*args, **kwargs)
    return model.evaluate(XV, YV, verbose=0)


def test_the_list_that_evaluate_returns_is_refused_where_its_mean_would_be_the_score():
    tuner = tpe(Own(evaluated), "val_loss")
    with pytest.raises(TypeError, match="pass it `return_dict=True`"):
        tuner.search(X, Y, validation_data=VALIDATION, verbose=0)


def test_the_best_epoch_is_the_last_when_only_the_end_gives_the_objective():
    def fit(model, *args, **kwargs):
        model.fit(*args, **kwargs)
        return 0.25

    tuner = tpe(Own(fit), keras_tuner.Objective("quality", "max"))
    tuner.search(X, Y, epochs=3, verbose=0)
    assert [(row["score"], row["best_epoch"]) for row in tuner.results()] == [(0.25, 2)]


@pytest.mark.slow
def test_refit_asks_for_epochs_when_none_was_reported(tmp_path):
    def fit(model, *args, callbacks=None, epochs=None, **kwargs):
        return min(model.fit(*args, epochs=epochs or 2, **kwargs).history["val_loss"])

    def tuner():
        return tpe(Own(fit), "val_loss", directory=str(tmp_path))

    tuner().search(X, Y, validation_data=VALIDATION, verbose=0)
    for found in (tuner(), tuner()):
        assert found.results()[0]["best_epoch"] is None
        with pytest.raises(ValueError, match="`epochs` must be given to `refit`"):
            found.refit(X, Y, validation_data=VALIDATION, verbose=0)
    for epochs in (1, None):
        model = found.refit(X, Y, epochs=epochs, validation_data=VALIDATION, verbose=0)
        assert int(model.optimizer.iterations) == 8 * (epochs or 2)


def test_a_scheduler_scores_by_the_reported_epochs():
    tuner = kte.ASHA(
        Own(lambda *a, **k: {**returned(*a, **k), "val_loss": 0.0, "more": 7.0}),
        "val_loss", max_epochs=2, max_trials=2, seed=0,
    )  # fmt: skip
    tuner.search(X, Y, validation_data=VALIDATION, verbose=0)
    for row in tuner.results():
        assert row["score"] == min(tuner.history(row["number"])["val_loss"])


def test_an_objective_that_only_the_end_gives_is_refused_under_a_scheduler():
    tuner = kte.ASHA(Own(returned), METRIC, max_epochs=2, seed=0)
    tuner.hypermodel._fit = lambda *a, **k: {**returned(*a, **k), "my_metric": 1.0}
    with pytest.raises(ValueError, match="must be among the metrics of every epoch"):
        tuner.search(X, Y, validation_data=VALIDATION, verbose=0)


# What a tuner of KerasTuner does.


def test_an_overridden_load_model_is_used(tmp_path):
    class Saving(kte.TPE):
        def run_trial(self, trial, *args, **kwargs):
            model = self.hypermodel.build(trial.hyperparameters)
            loss = model.fit(*args, **kwargs).history["loss"][-1]
            np.save(tmp_path / f"{trial.trial_id}.npy", model.get_weights()[0])
            return loss

        def load_model(self, trial):
            return np.load(tmp_path / f"{trial.trial_id}.npy")

    tuner = Saving(build, max_trials=2, seed=0)
    tuner.search(X, Y, verbose=0)
    assert [kernel.shape for kernel in tuner.get_best_models(2)] == [(64, 10)] * 2


class FitsItself(kte.TPE):
    def run_trial(self, trial, *args, **kwargs):
        model = self.hypermodel.build(trial.hyperparameters)
        return model.fit(*args, validation_data=VALIDATION, **kwargs).history["val_loss"][-1]


def scores(tuner, **kwargs):
    tuner.search(X, Y, verbose=0, **kwargs)
    return [row["score"] for row in tuner.results()]


def test_a_seed_fixes_the_training_of_a_run_trial():
    first, second = (
        scores(FitsItself(build, max_trials=1, seed=3, directory=name)) for name in ("a", "b")
    )
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kte.TPE, FitsItself])
def test_the_seed_of_keras_repeats_a_search_without_one(kind):
    found = []
    for name in ("a", "b"):
        keras.utils.set_random_seed(0)
        tuner = kind(build, "val_loss", max_trials=2, directory=name)
        found.append(scores(tuner, **({"validation_data": VALIDATION} if kind is kte.TPE else {})))
    assert found[0] == found[1]


class PerClass(keras.metrics.Metric):
    """A metric with a value for each class."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        pass

    def result(self):
        return np.array([0.25, 0.75], "float32")


def per_class(hp):
    model = build(hp)
    metrics = [PerClass(name="per_class")]
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=metrics, run_eagerly=True)
    return model


def two_values(model, *args, **kwargs):
    return {"loss": [1.0, 2.0]}


@pytest.mark.parametrize("model", [per_class, Own(two_values)])
def test_an_objective_with_several_values_is_refused_at_once(model):
    name = "val_per_class" if model is per_class else "loss"
    tuner = kte.TPE(model, keras_tuner.Objective(name, "max"), max_trials=3, seed=0)
    with pytest.raises(ValueError, match=r'values, one a class.*average="macro".*F1Score'):
        tuner.search(X, Y, validation_data=VALIDATION, verbose=0)
    assert not tuner.oracle.end_order


def test_other_metrics_may_have_several_values():
    tuner = kte.TPE(per_class, "val_loss", max_trials=1, seed=0)
    tuner.search(X, Y, validation_data=VALIDATION, verbose=0)
    assert states(tuner) == ["completed"]
    assert "per_class" not in tuner.history(0)


def uncompiled(hp):
    units = hp.Int("units", 4, 8)
    layers = [keras.layers.Dense(units, "relu"), keras.layers.Dense(10, "softmax")]
    return keras.Sequential([keras.Input((64,)), *layers])


@pytest.mark.slow
@pytest.mark.parametrize("model", [uncompiled, build])
def test_models_are_compiled_with_copies_of_what_the_tuner_was_given(model):
    tuner = kte.TPE(
        model,
        keras_tuner.Objective("val_mine", "max"),
        max_trials=2,
        seed=0,
        optimizer=keras.optimizers.Adam(0.125),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="mine"), "accuracy"],
    )
    tuner.search(X, Y, validation_data=VALIDATION, verbose=0)
    assert states(tuner) == ["completed"] * 2
    models = tuner.get_best_models(2)
    for found, trial in zip(models, tuner.oracle.get_best_trials(2), strict=True):
        measured = found.evaluate(XV, YV, verbose=0, return_dict=True)["mine"]
        assert measured == pytest.approx(trial.score)
    assert models[0].optimizer is not models[1].optimizer
    assert float(models[0].optimizer.learning_rate) == 0.125


# Data that are used up.


def batches(count):
    """Return an iterator over batches, which can be used once."""
    parts = iter([(X[:32], Y[:32])] * count)
    signature = (tf.TensorSpec((None, 64)), tf.TensorSpec((None,), "int64"))
    return tf.data.Dataset.from_generator(lambda: parts, output_signature=signature)


@pytest.mark.filterwarnings("ignore:.*Your input ran out of data")
@pytest.mark.parametrize("which", ["training", "validation"])
def test_a_trial_without_a_batch_fails_and_says_so(which):
    train, validate = batches(2), VALIDATION
    if which == "validation":
        train, validate = batches(100).take(1), batches(1)
    tuner = kte.TPE(build, "loss", max_trials=2, seed=0)
    tuner.search(train, validation_data=validate, verbose=0)
    first, second = tuner.results()
    assert first["message"] is None
    assert (first["state"], second["state"], second["score"]) == ("completed", "failed", None)
    assert f"The {which} data gave no batch" in second["message"]


# What is printed.


def passes_on(model, *args, **kwargs):
    return model.fit(*args, **kwargs)


def sets_verbose(model, *args, **kwargs):
    return model.fit(*args, verbose=0, **kwargs)


def drops_verbose(model, *args, callbacks, epochs, validation_data, **kwargs):
    return model.fit(*args, callbacks=callbacks, epochs=epochs, validation_data=validation_data)


@pytest.mark.slow
@pytest.mark.parametrize("fit", [passes_on, sets_verbose, drops_verbose])
def test_search_prints_the_same_with_and_without_verbose_1(fit, capsys):
    printed = []
    for name, options in {"a": {}, "b": {"verbose": 1}, "c": {"verbose": 0}}.items():
        tuner = tpe(Own(fit), "val_loss", directory=name)
        capsys.readouterr()
        tuner.search(X, Y, validation_data=VALIDATION, epochs=2, **options)
        assert states(tuner) == ["completed"]
        out = capsys.readouterr().out
        assert "Epoch 1/2" not in out
        assert "ms/step" not in out
        printed.append(out.count("\n"))
    assert printed[0] == printed[1]
    assert printed[2] == 0


@pytest.mark.slow
def test_refit_takes_verbose_where_the_training_sets_it_itself():
    tuner = tpe(Own(sets_verbose), "val_loss")
    tuner.search(X, Y, validation_data=VALIDATION, epochs=2)
    model = tuner.refit(X, Y, validation_data=VALIDATION, verbose=0)
    assert int(model.optimizer.iterations) == 16
