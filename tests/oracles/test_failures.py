import re

import keras
import keras_tuner
import pytest
from hypothesis import given
from hypothesis.strategies import lists, sampled_from
from keras_tuner.engine.trial import Trial

import kt_extras as kte
from kt_extras.bridge.trial_message import take_message
from kt_extras.oracles.failures import MIN_TRIALS, REJECTIONS, FailureCount
from tests.tuners.models import VALIDATION, X, Y, build

STATES = ["completed", "pruned", "infeasible", "failed", "rejected"]


def count_of(states):
    failure_count = FailureCount()
    for state in states:
        failure_count = failure_count.after(state)
    return failure_count


def broken(states, in_a_row=99, fraction=0.5):
    return count_of(states).broken(in_a_row=in_a_row, fraction=fraction)


@given(lists(sampled_from(STATES)))
def test_neither_infeasible_nor_rejected_trials_count_as_crashes(states):
    failure_count = count_of(states)
    assert failure_count.crashed == states.count("failed")
    assert failure_count.succeeded == states.count("completed") + states.count("pruned")


def test_the_fraction_is_ignored_before_enough_trials_have_ended():
    assert broken(["failed"] * (MIN_TRIALS - 1)) is None
    assert "`max_failure_fraction=0.5`" in broken(["failed"] * MIN_TRIALS)


def test_a_search_is_broken_when_more_than_the_fraction_crash():
    assert broken(["failed", "completed"] * 10) is None
    assert broken(["failed", "completed"] * 10 + ["failed"]).startswith("11 of 21 trials crashed")
    assert broken(["failed"] * 50, fraction=None) is None


def test_infeasible_trials_do_not_count_in_the_fraction_of_crashes():
    states = ["infeasible"] * 50 + ["failed"] * 6 + ["completed"] * 4
    assert broken(states).startswith("6 of 10 trials crashed")


def test_crashes_in_a_row_are_counted_from_the_last_trial_that_ran():
    assert broken(["failed", "failed"], in_a_row=2).startswith("The last 2 trials crashed")
    assert broken(["failed", "completed", "failed"], in_a_row=2) is None
    assert broken(["failed", "infeasible", "failed"], in_a_row=2) is None
    assert broken(["failed", "rejected", "failed"], in_a_row=2) is not None


def test_an_error_names_constraint_after_100_rejections_in_a_row():
    assert broken(["rejected"] * (REJECTIONS - 1)) is None
    assert "`constraint` has rejected 100 models in a row" in broken(["rejected"] * REJECTIONS)
    assert broken(["rejected"] * 99 + ["completed"] + ["rejected"] * 99) is None


def alike(hp):
    """Its models are the same but for their rates, so that one program trains them all."""
    hp.Int("units", 4, 32)
    hp.Boolean("deep")
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, "softmax")])
    sgd = keras.optimizers.SGD(hp.Float("rate", 1e-4, 1e-1, sampling="log"))
    model.compile(sgd, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Misbehaving(keras_tuner.HyperModel):
    """Calls a function of the test after each training, and returns what it returns."""

    def __init__(self, misbehave):
        super().__init__()
        self.misbehave = misbehave

    def build(self, hp):
        return alike(hp)

    def fit(self, hp, model, *args, **kwargs):
        history = model.fit(*args, **kwargs)
        return self.misbehave(hp, history)


def tuner_of(hypermodel, **kwargs):
    settings = {"max_trials": 3, "seed": 0, "max_consecutive_failed_trials": 9, **kwargs}
    return kte.TPE(hypermodel, "val_accuracy", **settings)


def search(tuner, units=()):
    for value in units:
        tuner.enqueue({"units": value, "deep": False})
    tuner.search(X, Y, validation_data=VALIDATION, epochs=1, verbose=0)
    return tuner


def states(tuner):
    return [row["state"] for row in tuner.results()]


def raise_at(units, error):
    def misbehave(hp, history):
        if hp.get("units") == units:
            raise error
        return history

    return misbehave


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (OSError("labels.csv"), "failed"),
        (MemoryError("labels.csv"), "infeasible"),
        (keras_tuner.errors.FailedTrialError("labels.csv"), "infeasible"),
    ],
)
def test_a_short_traceback_is_recorded_when_a_trial_fails(error, state):
    tuner = search(tuner_of(Misbehaving(raise_at(9, error)), max_trials=2), [9, 8])
    assert states(tuner) == [state, "completed"]
    message = tuner.results()[0]["message"]
    assert message.startswith(f"{type(error).__name__}: labels.csv")
    assert "test_failures.py, line" in message.splitlines()[1]
    assert len(message.splitlines()) < 20


@pytest.mark.slow
def test_a_trial_is_infeasible_when_tensorflow_is_out_of_memory():
    import tensorflow as tf

    def exhaust(hp, history):
        if hp.get("units") == 9:
            tf.zeros([2**20, 2**20, 16])
        return history

    tuner = search(tuner_of(Misbehaving(exhaust), max_trials=2), [9, 8])
    assert states(tuner) == ["infeasible", "completed"]


def none_at(units):
    return lambda hp, history: None if hp.get("units") == units else history


def test_a_wrong_type_in_the_first_trial_ends_the_search():
    with pytest.raises(TypeError, match=r"HyperModel\.fit"):
        search(tuner_of(Misbehaving(none_at(9))), [9, 8])
    tuner = search(tuner_of(Misbehaving(none_at(None))))  # the program is corrected
    assert states(tuner) == ["completed"] * 3
    assert tuner.results()[0]["units"] == 9


def test_a_wrong_type_in_a_later_trial_fails_that_trial_only():
    tuner = search(tuner_of(Misbehaving(none_at(9))), [8, 9, 7])
    assert states(tuner) == ["completed", "failed", "completed"]
    assert tuner.results()[1]["message"].startswith("FatalTypeError")


def test_a_later_build_without_a_model_fails_that_trial_only():
    searching = []

    def build_sometimes(hp):
        model = alike(hp)
        return None if searching and hp.get("units") == 9 else model

    tuner = tuner_of(build_sometimes, max_trials=2)
    searching.append(True)
    assert states(search(tuner, [8, 9])) == ["completed", "failed"]


def test_a_fatal_error_of_the_user_ends_the_search_at_any_time():
    error = keras_tuner.errors.FatalValueError("no licence left")
    with pytest.raises(ValueError, match="no licence left"):
        search(tuner_of(Misbehaving(raise_at(9, error))), [8, 9])


def test_only_its_own_trials_fail_when_a_branch_cannot_be_built():
    def branching(hp):
        if hp.Boolean("broken"):
            raise ValueError("no such branch")
        return alike(hp)

    tuner = tuner_of(branching, max_trials=2)
    tuner.enqueue({"broken": True})
    tuner.enqueue({"broken": False})
    assert states(search(tuner)) == ["failed", "completed"]


def test_the_final_error_shows_what_failures_have_in_common():
    def refuse_large_models(hp, history):
        if hp.get("units") >= 20:
            raise OSError(f"{hp.get('units')} are too many")
        return history

    tuner = tuner_of(
        Misbehaving(refuse_large_models), max_trials=9, max_consecutive_failed_trials=2
    )
    with pytest.raises(RuntimeError) as caught:
        search(tuner, [5, 8, 20, 25])
    said = str(caught.value)
    assert "units>=20 in 2 of 2 failures, 0 of 2 successes" in said
    assert "1 x OSError: 20 are too many" in said
    assert states(tuner) == ["completed"] * 2 + ["failed"] * 2


def test_failures_are_counted_from_zero_when_a_search_is_resumed():
    def fail_always(hp, history):
        raise OSError("labels.csv")

    with pytest.raises(RuntimeError):
        search(tuner_of(Misbehaving(fail_always), max_trials=4, max_consecutive_failed_trials=2))
    one_more = Misbehaving(raise_at(9, OSError("labels.csv")))
    tuner = tuner_of(one_more, max_trials=4, max_consecutive_failed_trials=2)
    assert states(search(tuner, [9, 8])) == ["failed"] * 3 + ["completed"]


def test_a_rejected_model_is_not_trained_and_not_counted_as_a_trial():
    trained = []

    class Watch(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            trained.append(self.model.count_params())

    tuner = tuner_of(build, constraint=lambda _, model: model.count_params() < 800)
    for units in (9, 32, 30, 8):
        tuner.enqueue({"units": units, "deep": False})
    tuner.search(
        X, Y, validation_data=VALIDATION, epochs=1, verbose=0, callbacks=lambda *_: [Watch()]
    )
    assert states(tuner)[:4] == ["completed", "rejected", "rejected", "completed"]
    assert states(tuner).count("completed") == len(trained) == 3
    assert max(trained) < 800
    assert tuner.remaining_trials == 0
    assert tuner.results()[1]["message"] == "`constraint` has rejected the model."
    assert len(tuner.get_best_models(9)) == 3


def test_rejections_are_kept_when_a_search_is_resumed():
    def tuner(max_trials):
        return tuner_of(alike, max_trials=max_trials, constraint=lambda hp, _: hp.get("units") < 20)

    search(tuner(1), [32, 8])
    again = tuner(2)
    assert again.remaining_trials == 1
    assert states(search(again, [31, 7])) == ["rejected", "completed", "rejected", "completed"]


def test_models_can_be_loaded_when_the_constraint_has_changed():
    search(tuner_of(alike, max_trials=1))
    assert tuner_of(alike, max_trials=1, constraint=lambda *_: False).get_best_models()


def test_a_search_ends_with_an_error_when_all_models_are_rejected():
    oracle = kte.SamplerOracle(
        kte.samplers.Random(), objective=keras_tuner.Objective("cost", "min"), max_trials=2, seed=0
    )
    oracle.hyperparameters.Float("x", 0.0, 1.0)

    def reject():
        trial = oracle.create_trial("worker")
        trial.status = "IDLE"
        oracle.end_trial(trial)

    for _ in range(REJECTIONS - 1):
        reject()
    with pytest.raises(RuntimeError, match="`constraint` has rejected 100 models in a row"):
        reject()
    assert oracle.remaining_trials() == 2


def test_a_rejected_point_of_a_finite_space_is_not_suggested_again():
    oracle = kte.SamplerOracle(
        kte.samplers.Random(), objective=keras_tuner.Objective("cost", "min"), max_trials=9, seed=0
    )
    oracle.hyperparameters.Choice("c", ["a", "b", "c"])
    seen = []
    while (trial := oracle.create_trial("worker")).status != "STOPPED":
        seen.append(trial.hyperparameters.get("c"))
        trial.status = "IDLE"
        oracle.end_trial(trial)
    assert sorted(seen) == ["a", "b", "c"]
    assert "widen it" in oracle.ended_because


def test_a_constraint_that_returns_none_is_an_error():
    with pytest.raises(TypeError, match=r"`constraint` must return True or False, got None"):
        search(tuner_of(build, constraint=lambda *_: None))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"constraint": 5}, TypeError, "`constraint` must be a function"),
        ({"max_failure_fraction": 0}, ValueError, "`max_failure_fraction` must be above 0"),
        ({"max_failure_fraction": 1.5}, ValueError, "`max_failure_fraction`"),
    ],
)
def test_an_error_names_the_argument_that_is_wrong(arguments, error, message):
    with pytest.raises(error, match=message):
        tuner_of(build, **arguments)


def test_the_error_ends_with_the_last_failure_when_trials_have_paused():
    oracle = kte.ASHAOracle(
        keras_tuner.Objective("cost", "min"),
        max_epochs=2,
        reduction_factor=2,
        max_trials=4,
        max_consecutive_failed_trials=2,
        seed=0,
    )
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    first, second = oracle.create_trial("one"), oracle.create_trial("two")
    for trial in (first, second):  # both pause, then one goes on
        oracle.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
        oracle.end_trial(trial.trial_id)
    resumed, third = oracle.create_trial("one"), oracle.create_trial("two")
    assert resumed.trial_id in {first.trial_id, second.trial_id}
    third.status, third.message = "INVALID", "the first crash"
    oracle.end_trial(third)
    resumed.status, resumed.message = "INVALID", "the last crash"
    with pytest.raises(RuntimeError, match="The last one said:\nthe last crash"):
        oracle.end_trial(resumed)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"max_model_size": 2}, "max_model_size"),
        ({"constraint": lambda *_: False}, "constraint"),
    ],
)
def test_a_search_whose_models_are_all_unwanted_says_so(arguments, reason, capsys):
    def small(hp):
        hp.Int("units", 1, 2)
        model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    tuner = kte.TPE(small, "val_loss", max_trials=9, seed=0, **arguments)
    tuner.search(X, Y, validation_data=VALIDATION, epochs=1)
    assert reason in tuner.oracle.ended_because
    assert "widen" not in tuner.oracle.ended_because
    assert "No trial has a score" in capsys.readouterr().out
    tuner.results_summary()
    shown = capsys.readouterr().out.splitlines()
    assert re.match(
        r"No trial has a score \(2 (infeasible|rejected)\)\.  Trial 0 said: .+", shown[-1]
    )


def failing_oracle():
    oracle = kte.SamplerOracle(
        kte.samplers.Random(),
        objective=keras_tuner.Objective("cost", "min"),
        max_trials=9,
        max_consecutive_failed_trials=2,
        seed=0,
    )
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    return oracle


def fail(oracle, trial):
    trial.status, trial.message = "INVALID", "ValueError: the data are missing"
    oracle.end_trial(trial)


def test_a_chief_stops_all_workers_when_too_many_trials_fail(monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    oracle = failing_oracle()
    fail(oracle, oracle.create_trial("worker0"))
    first, other = oracle.create_trial("worker0"), oracle.create_trial("worker1")
    fail(oracle, first)
    assert oracle.failure_report.startswith("The last 2 trials crashed")
    assert "ValueError: the data are missing" in oracle.failure_report
    answers = [oracle.create_trial("worker0")]
    fail(oracle, other)
    answers.append(oracle.create_trial("worker1"))
    assert not oracle.tuner_ids
    assert len(oracle.trials) == 3
    assert oracle.ended_because == oracle.failure_report
    for answer in answers:
        received = Trial.from_proto(answer.to_proto())
        take_message(received)
        assert (received.status, received.message[:16]) == ("STOPPED", "The last 2 trial")


def test_a_search_without_a_chief_may_go_on_after_its_error():
    oracle = failing_oracle()
    fail(oracle, oracle.create_trial("tuner0"))
    with pytest.raises(RuntimeError, match="The last 2 trials crashed"):
        fail(oracle, oracle.create_trial("tuner0"))
    assert oracle.failure_report is None
    assert oracle.create_trial("tuner0").status == "RUNNING"
