import copy
import pickle
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
from keras_tuner.engine.trial import Trial

import kt_extras as kte
from kt_extras import compat
from tests.tuners.models import VALIDATION, XV, YV, X, Y, build, build_dict_inputs, halves


def search(hypermodel=build, x=X, validation=VALIDATION, epochs=3, **kwargs):
    tuner = kte.TPE(hypermodel, "val_accuracy", **{"max_trials": 4, "seed": 0, **kwargs})
    tuner.search(x, Y, validation_data=validation, epochs=epochs, verbose=0)
    return tuner


def weights_of(tuner):
    """Return the ids of the trials whose weights are on disk."""
    return [i for i in tuner.oracle.trials if tuner._models._checkpoints.exist(i)]


def best(tuner, number):
    return sorted(trial.trial_id for trial in tuner.oracle.get_best_trials(number))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keep", "number"),
    [
        ("best", 1),
        (2, 2),
        pytest.param("all", 4, marks=pytest.mark.exhaustive),
        pytest.param("none", 0, marks=pytest.mark.exhaustive),
    ],
)
def test_keep_checkpoints_keeps_the_weights_of_the_best_trials(keep, number):
    tuner = search(keep_checkpoints=keep, epochs=1)
    assert weights_of(tuner) == best(tuner, number)
    assert len(tuner.get_best_models(number)) == number


def test_the_best_of_all_sessions_are_kept_when_a_search_is_resumed():
    search(keep_checkpoints="all", max_trials=2, epochs=1)
    tuner = search(keep_checkpoints=2, max_trials=3, epochs=1)
    assert weights_of(tuner) == best(tuner, 2)


@pytest.mark.exhaustive
def test_no_weights_are_removed_when_a_project_is_only_loaded():
    search(keep_checkpoints="all", epochs=1)
    tuner = kte.TPE(build, "val_accuracy", max_trials=4, seed=0, keep_checkpoints="none")
    assert len(tuner.get_best_models(4)) == 4


def test_an_error_names_keep_checkpoints_when_too_few_are_kept():
    tuner = search(keep_checkpoints=2, max_trials=3, epochs=1)
    with pytest.raises(FileNotFoundError, match=r"`keep_checkpoints=2` keeps .* 2 best trials"):
        tuner.get_best_models(3)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [lambda _: b"", lambda content: bytes(len(content))])
def test_damaged_weights_are_named_with_their_trial_and_a_way_out(damage):
    tuner = search(max_trials=1, epochs=1)
    (best,) = tuner.oracle.get_best_trials()
    for file in tuner._models._checkpoints._files(best.trial_id):
        file.write_bytes(damage(file.read_bytes()))
    message = (
        r"trial '0000' cannot be loaded: .*checkpoint.* empty or damaged .*`refit\(..., trial="
    )
    with pytest.raises(ValueError, match=message):
        tuner.get_best_models()
    tuner.refit(X, Y, trial=best, verbose=0)


@pytest.mark.slow
@pytest.mark.skipif(not compat.KERAS_3, reason="Keras 2 needs no build configuration")
def test_a_build_configuration_that_is_damaged_counts_as_missing():
    tuner = search(max_trials=1, epochs=1)
    Path(tuner._get_build_config_fname("0000")).write_bytes(b"")
    assert len(tuner.get_best_models()) == 1
    tuner = search(build_dict_inputs, halves(X), (halves(XV), YV), max_trials=1, overwrite=True)
    Path(tuner._get_build_config_fname("0000")).write_bytes(b"")
    with pytest.raises(ValueError, match=r"'0000' cannot be loaded: .*build_config.json is empty"):
        tuner.get_best_models()


@pytest.mark.slow
def test_a_trial_of_elsewhere_has_no_weights_and_may_be_refitted():
    tuner = search(max_trials=1, epochs=1)
    values = tuner.get_best_hyperparameters()[0].values
    name = tuner.add_trial(values, 1.5, curve=[0.5, 1.5])
    with pytest.raises(FileNotFoundError, match=rf"no weights of trials \['{name}'\].*refit"):
        tuner.get_best_models()
    assert tuner.get_best_hyperparameters()[0].values == values
    model = tuner.refit(X, Y, verbose=0)
    assert model.predict(XV, verbose=0).shape[0] == len(XV)
    again = search(max_trials=2, epochs=1)
    assert weights_of(again) == ["0000", "0002"]


@pytest.mark.slow
def test_a_pruned_trial_among_the_best_keeps_its_weights():
    tuner = search(pruner=kte.ThresholdPruner(lower=1.0), epochs=2, keep_checkpoints="best")
    assert {row["state"] for row in tuner.results()} == {"pruned"}
    assert weights_of(tuner) == best(tuner, 1)


@pytest.mark.exhaustive
def test_a_model_of_several_inputs_has_its_score_when_loaded():
    tuner = search(build_dict_inputs, halves(X), (halves(XV), YV), max_trials=2)
    for model, trial in zip(tuner.get_best_models(2), tuner.oracle.get_best_trials(2), strict=True):
        measured = model.evaluate(halves(XV), YV, verbose=0, return_dict=True)
        assert measured["accuracy"] == pytest.approx(trial.score)
        loss = tuner.history(trial.trial_id)["val_loss"][trial.best_step]
        assert measured["loss"] == pytest.approx(loss, rel=1e-5)


@pytest.mark.slow
def test_a_refit_on_the_same_data_equals_the_best_model():
    tuner = search(epochs=4)
    (measured,) = tuner.get_best_models()
    model = tuner.refit(X, Y, verbose=0)
    for one, other in zip(model.get_weights(), measured.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_refit_trains_to_the_best_epoch_of_the_given_trial():
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((self.params["epochs"], epoch))

    tuner = search()
    trial = tuner.oracle.get_best_trials(4)[-1]
    everything = np.concatenate([X, XV]), np.concatenate([Y, YV])
    model = tuner.refit(*everything, trial=trial, callbacks=[Watch()], verbose=0)
    last = trial.best_step
    assert seen == [(last + 1, epoch) for epoch in range(last + 1)]
    assert model.layers[0].units == trial.hyperparameters.get("units")
    seen.clear()
    tuner.refit(*everything, trial=trial, epochs=5, callbacks=[Watch()], verbose=0)
    assert seen == [(5, epoch) for epoch in range(5)]


class OwnEpochs(keras_tuner.HyperModel):
    """Sets the number of epochs itself, and trains in two phases."""

    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        model.fit(*args, epochs=2, **kwargs)
        return model.fit(*args, epochs=2, **kwargs)


@pytest.mark.slow
def test_a_refit_stops_at_the_best_epoch_when_fit_sets_the_epochs():
    tuner = kte.TPE(OwnEpochs(), "val_accuracy", max_trials=1, seed=0)
    tuner.search(X, Y, validation_data=VALIDATION, verbose=0)
    with pytest.raises(TypeError, match="pass `epochs=None` to `refit`"):
        tuner.refit(X, Y, verbose=0)
    model = tuner.refit(X, Y, epochs=None, verbose=0)
    for one, other in zip(
        model.get_weights(), tuner.get_best_models()[0].get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_refit_needs_a_trial_with_a_score():
    tuner = kte.TPE(build, "val_accuracy", max_trials=2, max_model_size=10, seed=0)
    with pytest.raises(RuntimeError, match=r"no best trial for `refit`.*call `search` first"):
        tuner.refit(X, Y)
    tuner.search(X, Y, validation_data=VALIDATION, verbose=0)
    with pytest.raises(ValueError, match="`trial` '0000' has no score"):
        tuner.refit(X, Y, trial=tuner.oracle.trials["0000"])


def test_a_refit_needs_a_model():
    class Parabola(kte.Tuner):
        def run_trial(self, trial):
            return trial.hyperparameters.Float("x", -1.0, 1.0) ** 2

    with pytest.raises(ValueError, match="`refit` needs a `hypermodel`"):
        Parabola(kte.TPEOracle(max_trials=2, seed=0)).refit(X, Y)


def test_refit_says_why_no_trial_has_a_score(tmp_path):
    def not_compiled(hp):
        return keras.Sequential([keras.Input((64,)), keras.layers.Dense(hp.Int("units", 1, 9))])

    tuner = kte.TPE(not_compiled, "val_loss", max_trials=2, seed=0, directory=tmp_path)
    tuner.search(X, Y, validation_data=VALIDATION, verbose=0)
    with pytest.raises(RuntimeError, match=r"(?s)for `refit`.*2 failed.*You must .*compile"):
        tuner.refit(X, Y, verbose=0)


class Client:
    """Asks the oracle of another tuner, as a worker asks that of its chief."""

    def __init__(self, oracle):
        self.oracle = oracle

    def get_best_trials(self, num_trials=1):
        best = self.oracle.get_best_trials(num_trials)
        return [Trial.from_proto(trial.to_proto()) for trial in best]

    def get_space(self):
        return keras_tuner.HyperParameters.from_proto(self.oracle.get_space().to_proto())


@pytest.fixture
def worker(monkeypatch):
    """A tuner that knows no trial, and asks the oracle of one that has searched."""
    made = kte.TPE(build, "val_accuracy", max_trials=2, seed=0)
    chief = search(max_trials=2, epochs=2)
    made.oracle = Client(chief.oracle)
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "1")
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker0")
    return made


def test_a_worker_has_the_best_trials_of_its_chief(worker):
    best = worker.oracle.oracle.get_best_trials(2)
    found = worker.get_best_hyperparameters(2)
    assert [hp.values for hp in found] == [trial.hyperparameters.values for trial in best]
    models = worker.get_best_models(2)
    for model, trial in zip(models, best, strict=True):
        measured = model.evaluate(*VALIDATION, verbose=0, return_dict=True)["accuracy"]
        assert measured == pytest.approx(trial.score)
    again = worker.refit(X, Y, verbose=0)
    for one, other in zip(models[0].get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    for name in worker.oracle.oracle.trials:
        for file in worker._models._checkpoints._files(name):
            file.unlink()
    with pytest.raises(FileNotFoundError, match="were removed or never written"):
        worker.get_best_models()


def test_a_worker_says_that_its_chief_has_the_records(worker):
    with pytest.warns(UserWarning, match="`results` has no rows on a worker: the chief has them"):
        assert worker.results() == []
    with pytest.raises(RuntimeError, match="`history` needs the records of"):
        worker.history("0000")


def test_the_best_lists_can_be_copied_and_pickled():
    tuner = search(max_trials=2, epochs=1)
    for items in (tuner.get_best_hyperparameters(2), tuner.oracle.get_best_trials(2)):
        for made in (pickle.loads(pickle.dumps(items)), copy.deepcopy(items)):
            assert type(made) is list
            assert len(made) == 2
    (loaded, _) = pickle.loads(pickle.dumps(tuner.get_best_hyperparameters(2)))
    assert loaded.values == tuner.get_best_hyperparameters()[0].values
