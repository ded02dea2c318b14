"""The trials of a search are trained by whole epochs, unless something works by batches."""

import keras
import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.compat import KERAS_3
from tests.tuners.models import VALIDATION, X, Y

SMALL = {"x": X[:64], "y": Y[:64], "validation_data": VALIDATION}


def build(hp):
    layers = [keras.Input((64,)), keras.layers.Dense(8), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1e-2)), LOSS)
    return model


LOSS = "sparse_categorical_crossentropy"


def searched(hypermodel, max_trials=2, **given):
    oracle = kte.SamplerOracle(
        kte.samplers.Random(), objective="val_loss", max_trials=max_trials, seed=0
    )
    tuner = kte.Tuner(oracle, hypermodel, trials_at_once=1)
    tuner.search(**{**SMALL, "verbose": 0, **given})
    return tuner


def how(tuner):
    """Return how many trainings ran by whole epochs, and the reasons why others did not."""
    return tuner._fits.programs, dict(tuner._fits.fallbacks)


def test_trials_are_trained_by_whole_epochs():
    tuner = searched(build, epochs=2, batch_size=16)
    assert how(tuner) == (2, {})
    assert [row["epochs"] for row in tuner.results()] == [2, 2]


class Folds(keras_tuner.HyperModel):
    """Trains the model of the trial twice, and another one that it builds itself."""

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, callbacks=(), **kwargs):
        own = {**kwargs, "batch_size": hp.Choice("batch", [16, 32])}
        self.model = model
        model.fit(*args, epochs=1, **own)
        build(hp).fit(*args, epochs=1, **own)
        return model.fit(*args, callbacks=callbacks, epochs=2, **own)


def test_a_fit_of_the_hypermodel_is_fast_for_the_model_of_the_trial():
    folds = Folds()
    tuner = searched(folds, max_trials=1)
    assert how(tuner) == (2, {})
    assert "fit" not in vars(folds.model)


class CountsBatches(keras.callbacks.Callback):
    """A callback that is called for each batch."""

    def on_train_batch_end(self, batch, logs=None):
        pass


def test_the_reason_is_said_once_in_a_search(capsys):
    tuner = searched(build, callbacks=[CountsBatches()], verbose=1)
    reason = "`CountsBatches` is called for each batch."
    assert how(tuner) == (0, {reason: 2})
    assert capsys.readouterr().out.count(reason) == 1


class Failing(keras_tuner.HyperModel):
    """Raises after a training."""

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        self.model = model
        model.fit(*args, **kwargs)
        raise RuntimeError("the training failed")


def test_the_model_of_a_failed_trial_gets_its_own_fit_back():
    failing = Failing()
    searched(failing, max_trials=1)
    assert "fit" not in vars(failing.model)


def test_our_own_callbacks_do_not_make_trials_fall_back():
    board = keras.callbacks.TensorBoard("board", write_graph=KERAS_3)
    own = [kte.callbacks.LearningRateLogger(), kte.callbacks.TimeStopping(1000)]
    assert how(searched(build, callbacks=[board, *own], epochs=2)) == (2, {})


@pytest.mark.slow
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_refit_gives_the_model_that_was_measured(shuffle):
    tuner = searched(build, epochs=3, batch_size=16, shuffle=shuffle)
    best = tuner.oracle.get_best_trials(1)[0]
    given = {**SMALL, "batch_size": 16, "shuffle": shuffle, "verbose": 0}
    model = tuner.refit(**given)
    loss = model.evaluate(*VALIDATION, verbose=0, batch_size=16)
    assert loss == pytest.approx(best.score, rel=1e-5)


def test_a_tuner_with_batch_hooks_of_its_own_has_them_called():
    batches = []

    class Tuner(kte.Tuner):
        def on_batch_end(self, trial, model, batch, logs=None):
            batches.append(batch)

    oracle = kte.SamplerOracle(kte.samplers.Random(), objective="val_loss", max_trials=1, seed=0)
    Tuner(oracle, build, trials_at_once=1).search(**SMALL, batch_size=32, verbose=0)
    assert batches == [0, 1]
