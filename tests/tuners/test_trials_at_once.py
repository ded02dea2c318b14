"""Trials that are trained as one program get the results that they get one after the other."""

import multiprocessing
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras import compat
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.stacking import ModelStack
from kt_extras.tuners.trials_at_once import chosen

L = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")
pytestmark = pytest.mark.skipif(not compat.KERAS_3, reason="stacking needs Keras 3")


def build(hp):
    """Numbers alone differ."""
    drop = L.Dropout(hp.Float("drop", 0.1, 0.5))
    model = keras.Sequential([keras.Input((6,)), L.Dense(5, "relu"), drop, L.Dense(2, "softmax")])
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def build_plain(hp):
    """Traced in less time."""
    model = keras.Sequential([keras.Input((6,)), L.Dense(2, "softmax")])
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    return model


def build_two_widths(hp):
    """Of one of two architectures."""
    units = hp.Choice("units", [3, 4])
    model = keras.Sequential([keras.Input((6,)), L.Dense(units, "relu"), L.Dense(2, "softmax")])
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    return model


def random_search(build=build, *, at_once=4, trials=4, pruner=None, seed=1, **settings):
    oracle = kte.SamplerOracle(
        kte.samplers.Random(),
        pruner,
        "val_loss",
        trials,
        seed=seed,
        max_consecutive_failed_trials=9,
        max_failure_fraction=None,
    )
    name = settings.pop("project_name", f"at-once-{at_once}")
    return kte.Tuner(oracle, build, trials_at_once=at_once, project_name=name, **settings)


def search(tuner, **settings):
    given = {"validation_data": (X, Y), "batch_size": 8, "verbose": 0, **settings}
    if tuner.oracle.scheduler is None:
        given.setdefault("epochs", 3)
    tuner.search(X, Y, **given)
    return tuner


def histories(tuner):
    return [tuner.history(number) for number in range(len(tuner.results()))]


def assert_same(tuner, other):
    found, expected = histories(tuner), histories(other)
    assert len(found) == len(expected) > 0
    for one, two in zip(found, expected, strict=True):
        assert one.keys() == two.keys()
        for name, values in one.items():
            np.testing.assert_allclose(values, two[name], rtol=2e-5, err_msg=name)


def both(callbacks, trials=6):
    """Search with trials at once, and with one after the other."""
    tuners = random_search(trials=trials), random_search(at_once=1, trials=trials)
    return [search(tuner, callbacks=callbacks) for tuner in tuners]


def test_trials_get_the_results_that_they_get_one_after_the_other(stacked):
    together = search(random_search(trials=5))
    assert stacked[:3] == [4, 4, 4]
    assert_same(together, search(random_search(at_once=1, trials=5)))
    model = together.get_best_models()[0]
    score = together.oracle.get_best_trials()[0].score
    assert model.evaluate(X, Y, verbose=0)[0] == pytest.approx(score, rel=1e-5)


@pytest.mark.slow
def test_architectures_are_trained_in_stacks_of_their_own(stacked):
    together = search(random_search(build_two_widths, trials=6))
    assert max(stacked) > 1
    assert_same(together, search(random_search(build_two_widths, at_once=1, trials=6)))


@pytest.mark.slow
def test_a_pruned_trial_leaves_the_others_as_they_are(stacked):
    pruner = kte.pruners.ThresholdPruner(upper=0.72)
    together = search(random_search(pruner=pruner))
    alone = search(random_search(pruner=pruner, at_once=1))
    assert stacked[0] == 4 > stacked[-1]
    states = [row["state"] for row in together.results()]
    assert states == [row["state"] for row in alone.results()]
    assert {"pruned", "completed"} == set(states)
    assert_same(together, alone)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ASHA", "PBT"])
def test_paused_trials_go_on_in_a_stack(kind, stacked):
    if kind == "ASHA":
        settings = {"max_epochs": 4, "max_trials": 6, "reduction_factor": 2, "sampler": "random"}
    else:
        settings = {"population_size": 4, "max_epochs": 4, "interval": 2}
    tuner = getattr(kte, kind)(build, "val_loss", seed=1, trials_at_once=4, **settings)
    search(tuner)
    assert max(stacked) == 4
    assert max(len(history["epoch"]) for history in histories(tuner)) == 4
    for history in histories(tuner):
        assert history["epoch"] == list(range(len(history["epoch"])))
    assert tuner.get_best_models()


class Failing(keras.callbacks.Callback):
    """Fails in the second epoch of the trial whose rate is the highest."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1 and self.rate > 0.05:
            raise ValueError("on purpose")


@pytest.mark.slow
def test_a_trial_that_fails_leaves_the_others_as_they_are():
    together, alone = both(lambda hp, _: [Failing(hp.get("rate"))])
    states = [row["state"] for row in together.results()]
    assert {"failed", "completed"} == set(states)
    assert states == [row["state"] for row in alone.results()]
    assert_same(together, alone)


class Halving(keras.callbacks.Callback):
    """Halves the learning rate and a weight after each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.5 * float(self.model.optimizer.learning_rate)
        self.model.weights[0].assign(0.5 * self.model.weights[0])


@pytest.mark.slow
def test_a_callback_changes_the_model_of_its_trial_alone(stacked):
    together = search(random_search(), callbacks=[Halving()])
    assert stacked[0] == 4
    assert_same(together, search(random_search(at_once=1), callbacks=[Halving()]))


@keras.saving.register_keras_serializable("at_once")
class Refusing(L.Layer):
    """Cannot compute with a weight that has left its range, as a check of numbers."""

    def __init__(self, limit, **kwargs):
        super().__init__(**kwargs)
        self.limit = limit

    def call(self, x):
        large = tf.reduce_max(tf.abs(x)) > self.limit
        checked = tf.debugging.Assert(tf.logical_not(large), ["too large"])
        with tf.control_dependencies([checked]):
            return tf.identity(x)

    def get_config(self):
        return {**super().get_config(), "limit": self.limit}


def build_refusing(hp):
    model = keras.Sequential([keras.Input((6,)), L.Dense(2), Refusing(8.0), L.Softmax()])
    rate = hp.Float("rate", 0.1, 1e4, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    return model


@pytest.mark.slow
def test_a_step_that_fails_is_the_failure_of_its_trial_alone():
    together = search(random_search(build_refusing, trials=6))
    alone = search(random_search(build_refusing, at_once=1, trials=6))
    states = [row["state"] for row in together.results()]
    assert {"failed", "completed"} == set(states)
    assert states == [row["state"] for row in alone.results()]


class Stopping(keras.callbacks.Callback):
    """Ends the training at the beginning of its first or second epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.model.stop_training = epoch == self.epoch


@pytest.mark.exhaustive
def test_a_training_that_is_ended_at_the_beginning_of_an_epoch_ends_as_alone():
    together, alone = both(lambda _, trial: [Stopping(int(trial.trial_id) % 3)], trials=4)
    assert [row["epochs"] for row in together.results()] == [1, 2, 3, 1]
    assert_same(together, alone)


@pytest.mark.exhaustive
def test_callbacks_that_cannot_be_made_are_the_failure_of_their_trial():
    def callbacks(hp, trial):
        if trial.trial_id == "0000":
            raise ValueError("on purpose")
        return []

    together = search(random_search(trials=3), callbacks=callbacks)
    assert [row["state"] for row in together.results()] == ["failed", "completed", "completed"]


class Freezing(keras.callbacks.Callback):
    """Freezes a layer after the first epoch, and compiles the model of the highest rate again."""

    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0 and self.rate > 0.03:
            self.model.layers[0].trainable = False
            self.model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])


@pytest.mark.exhaustive
def test_a_model_that_a_callback_compiles_again_goes_on_alone():
    together, alone = both(lambda hp, _: [Freezing(hp.get("rate"))])
    rates = [row["rate"] for row in together.results()]
    assert any(rate > 0.03 for rate in rates)
    assert any(rate < 0.03 for rate in rates)
    assert_same(together, alone)


@pytest.mark.exhaustive
def test_trials_go_on_one_after_the_other_when_memory_is_used_up(monkeypatch):
    train_epoch, calls = ModelStack.train_epoch, []

    def fails(self, orders=None):
        calls.append(len(self.models))
        if len(calls) == 2:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
        return train_epoch(self, orders)

    monkeypatch.setattr(ModelStack, "train_epoch", fails)
    together = search(random_search(trials=8))
    assert calls[0] == 4
    assert set(calls[2:]) == {2}
    assert_same(together, search(random_search(at_once=1, trials=8)))


class Interrupting(keras.callbacks.Callback):
    """Presses Ctrl-C in the second epoch, once."""

    pressed = False

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1 and not Interrupting.pressed:
            Interrupting.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.slow
def test_ctrl_c_ends_all_trials_and_the_search_goes_on_later():
    Interrupting.pressed = False
    tuner = random_search(trials=5)
    with pytest.raises(KeyboardInterrupt):
        search(tuner, callbacks=[Interrupting()])
    assert not tuner.oracle.ongoing_trials
    resumed = search(random_search(trials=5), callbacks=[Interrupting()])
    assert [row["state"] for row in resumed.results()] == ["completed"] * 5
    assert all(row["message"] is None for row in resumed.results())
    alone = search(random_search(at_once=1, trials=5), callbacks=[Interrupting()])
    assert_same(resumed, alone)


class Killing(keras.callbacks.Callback):
    """Ends the process at once after the second epoch."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def search_until_killed(directory):
    search(random_search(directory=directory), callbacks=[Killing()])


@pytest.mark.exhaustive
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_death_is_found_out_among_trials_that_were_trained_together(tmp_path):
    for _ in range(3):
        process = multiprocessing.get_context("spawn").Process(
            target=search_until_killed, args=(str(tmp_path),)
        )
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    resumed = search(random_search(directory=str(tmp_path)), callbacks=[Halving()])
    assert [row["state"] for row in resumed.results()] == ["completed"] * 4
    attempts = [record.attempt for record in resumed.oracle.trial_records()]
    assert attempts == [4, 2, 2, 2]  # those that died together are tried one after the other
    assert_same(resumed, search(random_search(at_once=1), callbacks=[Halving()]))


class Shrinking(keras.callbacks.Callback):
    """Shrinks a weight for each validation, and another one after it."""

    def on_test_begin(self, logs=None):
        self.model.weights[0].assign(0.9 * self.model.weights[0])

    def on_test_end(self, logs=None):
        self.model.weights[2].assign(0.9 * self.model.weights[2])


def build_averaged(hp):
    """Its optimizer averages the weights."""
    model = keras.Sequential([keras.Input((6,)), L.Dense(5, "relu"), L.Dense(2, "softmax")])
    rate = hp.Float("rate", 1e-2, 1e-1, sampling="log")
    optimizer = keras.optimizers.Adam(rate, use_ema=True, ema_momentum=0.9)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("build", "make"),
    [
        (build, lambda: kte.callbacks.StochasticWeightAveraging(1, validate=True)),
        (build, Shrinking),
        (build_averaged, lambda: keras.callbacks.SwapEMAWeights()),  # which Keras 2 lacks
    ],
    ids=["averaging", "shrinking", "swapping"],
)
def test_a_callback_changes_the_model_for_its_validation(build, make, stacked):
    together = search(random_search(build), callbacks=[make()])
    assert stacked[0] == 4
    assert_same(together, search(random_search(build, at_once=1), callbacks=[make()]))


class LoggingSteps(keras.callbacks.Callback):
    """Logs how many steps the optimizer has made when a validation ends."""

    def on_test_end(self, logs=None):
        self.steps = float(self.model.optimizer.iterations)

    def on_epoch_end(self, epoch, logs=None):
        logs["steps"] = self.steps


def test_callbacks_see_the_trained_model_at_the_end_of_a_validation(stacked):
    together = search(random_search(trials=2), callbacks=[LoggingSteps()])
    assert stacked == [2, 2, 2]
    assert [history["steps"] for history in histories(together)] == [[5.0, 10.0, 15.0]] * 2


class HalvingEachBatch(keras.callbacks.Callback):
    """Halves a weight after each batch."""

    def on_train_batch_end(self, batch, logs=None):
        self.model.weights[0].assign(0.5 * self.model.weights[0])


@pytest.mark.exhaustive
def test_trials_whose_callbacks_are_called_for_each_batch_are_trained_alone(stacked):
    made = []

    def callbacks(hp, trial):
        made.append(trial.trial_id)
        return [HalvingEachBatch()] if int(trial.trial_id) % 3 == 2 else []

    together = search(random_search(trials=6), callbacks=callbacks)
    assert max(stacked) == 4
    assert sorted(made) == [f"000{number}" for number in range(6)]
    assert_same(together, search(random_search(at_once=1, trials=6), callbacks=callbacks))


calls = []


class NotingTuner(kte.RandomSearch):
    """Notes which trials begin."""

    def on_trial_begin(self, trial):
        super().on_trial_begin(trial)
        calls.append(("begin", trial.trial_id))


@pytest.mark.parametrize("by_batches", [False, True])
def test_a_trial_begins_once_and_before_its_callbacks_are_made(by_batches):
    def callbacks(hp, trial):
        calls.append(("callbacks", trial.trial_id))
        return [HalvingEachBatch()] if by_batches else []

    calls.clear()
    settings = {"max_trials": 2, "seed": 1, "trials_at_once": 2}
    search(NotingTuner(build_plain, "val_loss", **settings), callbacks=callbacks, epochs=1)
    steps = [(step, f"000{number}") for number in (0, 1) for step in ("begin", "callbacks")]
    assert calls == steps


def encoder_of(kind):
    """Return an encoder, its first weights, and a function that builds models on it."""
    inputs = keras.Input((6,))
    encoder = keras.Model(inputs, L.Dense(4, "relu")(inputs))
    weights = encoder.get_weights()

    def build(hp):
        encoder.set_weights(weights)
        if kind == "layer":
            below = keras.Input((6,))
            features = encoder(below)
        else:
            below, features = encoder.input, encoder.output
        model = keras.Model(below, L.Dense(2, "softmax")(features))
        rate = hp.Float("rate", 1e-2, 1e-1, sampling="log")
        model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
        return model

    return build


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["layer", "graph"])
def test_a_build_that_resets_shared_layers_does_so_before_each_trial(kind, stacked):
    keras.utils.set_random_seed(0)
    build = encoder_of(kind)
    together = search(random_search(build, trials=3))
    assert stacked == []
    assert_same(together, search(random_search(build, at_once=1, trials=3)))


def build_large_or_small(hp):
    """The first ones are too large to gain by a stack."""
    units = hp.Choice("units", [5, 20_000])
    model = keras.Sequential([keras.Input((6,)), L.Dense(units), L.Dense(2, "softmax")])
    rate = hp.Float("rate", 1e-3, 1e-2, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    return model


@pytest.mark.slow
def test_large_and_rejected_models_do_not_keep_others_from_a_stack(stacked, capsys):
    def constraint(hp, model):
        return hp.get("rate") > 2e-3

    tuner = random_search(build_large_or_small, at_once="auto", trials=8, constraint=constraint)
    for units, rate in [(20_000, 5e-3), (20_000, 6e-3), (5, 1e-3), (5, 1.5e-3)]:
        tuner.enqueue({"units": units, "rate": rate})
    search(tuner, epochs=1, verbose=1)
    trained = [row["units"] for row in tuner.results() if row["state"] == "completed"]
    small = trained.count(5)
    assert small > 1
    assert stacked == [small]
    said = capsys.readouterr().out
    assert f"Not stacked: {8 - small} (it would gain nothing" in said
    assert f"{small} trials were stacked" in said


@keras.saving.register_keras_serializable("at_once")
class Unmappable(L.Layer):
    """Calls Python, which no stack can."""

    def call(self, x):
        return tf.ensure_shape(tf.numpy_function(lambda a: a, [x], tf.float32), x.shape)


def build_unmappable(hp):
    units = hp.Choice("units", [2, 3, 4, 5, 6])
    model = keras.Sequential([keras.Input((6,)), Unmappable(), L.Dense(units), L.Softmax()])
    rate = hp.Float("rate", 1e-3, 1e-1, sampling="log")
    model.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy")
    return model


@pytest.mark.exhaustive
def test_no_more_stacks_are_tried_after_four_in_vain(monkeypatch, capsys):
    made, init = [], ModelStack.__init__
    monkeypatch.setattr(
        ModelStack, "__init__", lambda self, *args: made.append(1) or init(self, *args)
    )
    tuner = random_search(build_unmappable, trials=11)
    for units in [2, 3, 4, 5, 6]:
        tuner.enqueue([{"units": units, "rate": rate} for rate in (1e-3, 1e-2)])
    search(tuner, epochs=1, verbose=1)
    assert len(made) == 4
    assert "Not stacked: 11 (" in capsys.readouterr().out


class Own(keras.Model):
    def train_step(self, data):
        return super().train_step(data)


def build_own(hp):
    inputs = keras.Input((6,))
    model = Own(inputs, L.Dense(2, "softmax")(inputs))
    model.compile(
        keras.optimizers.SGD(hp.Float("rate", 0.1, 0.2)), "sparse_categorical_crossentropy"
    )
    return model


def test_what_cannot_be_stacked_is_trained_one_after_the_other(stacked):
    together = search(random_search(build_own, trials=3))
    assert stacked == []
    assert_same(together, search(random_search(build_own, at_once=1, trials=3)))


@pytest.mark.parametrize("value", [0, 2.5, "all", True])
def test_a_value_that_is_no_number_of_trials_is_refused(value):
    with pytest.raises((TypeError, ValueError), match="`trials_at_once`"):
        kte.TPE(build, "val_loss", trials_at_once=value)


@pytest.mark.parametrize(
    ("sampler", "limits", "expected"),
    [
        ("random", {"max_trials": 9}, (16, 64)),
        ("sobol", {"max_time": 60}, (16, 0)),
        ("random", {"max_trials": 9, "max_total_epochs": 60}, (1, 0)),
        ("random", {"max_trials": 9, "target": 0.5}, (1, 0)),
        ("tpe", {"max_trials": 9}, (1, 0)),
        ("tpe", {"max_trials": 9, "max_time": 60}, (1, 0)),
        ("tpe", {"max_time": 60}, (8, 0)),
    ],
)
def test_auto_stacks_what_costs_the_search_nothing(sampler, limits, expected):
    samplers = {"random": kte.samplers.Random, "sobol": kte.samplers.Sobol, "tpe": kte.samplers.TPE}
    oracle = kte.SamplerOracle(samplers[sampler](), objective="val_loss", **limits)
    assert chosen("auto", oracle)[:2] == expected
    assert chosen(3, oracle).trials == 3


def test_auto_stacks_a_population_but_not_asha():
    assert chosen("auto", kte.PBTOracle("val_loss", 4, 4)).trials == 16
    assert chosen("auto", kte.ASHAOracle("val_loss", 4, max_trials=4)).trials == 1


@pytest.mark.filterwarnings("ignore:Trial .* was given to another worker")
@pytest.mark.parametrize("at_once", [1, 2])
def test_a_search_goes_on_when_a_trial_was_taken_at_its_end(at_once, monkeypatch):
    tuner = random_search(build_plain, at_once=at_once, trials=2)
    end, taken = tuner.oracle.end_trial, []

    def end_trial(trial):
        if not taken:
            taken.append(trial.trial_id)
            tuner.oracle.abandon(next(iter(tuner.oracle.ongoing_trials)))
            raise TrialTakenError(trial.trial_id)
        end(trial)

    monkeypatch.setattr(tuner.oracle, "end_trial", end_trial)
    search(tuner, epochs=1)
    assert taken
    assert [row["state"] for row in tuner.results()] == ["completed"] * 2
