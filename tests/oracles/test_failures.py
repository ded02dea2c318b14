import keras
import keras_tuner
import pytest
from hypothesis import given
from hypothesis.strategies import lists, sampled_from

import kt_extras as kte
from kt_extras.oracles.failures import MIN_TRIALS, REJECTIONS, FailureCount
from kt_extras.tuners.trial_outcome import is_infeasible
from tests.tuners.models import VALIDATION, X, Y, build

STATES = ["completed", "pruned", "infeasible", "failed", "rejected"]


def tally_of(states):
    failure_count = FailureCount()
    for state in states:
        failure_count = failure_count.after(state)
    return failure_count


def broken(states, in_a_row=99, fraction=0.5):
    return tally_of(states).broken(in_a_row=in_a_row, fraction=fraction)


@given(lists(sampled_from(STATES)))
def test_neither_infeasible_nor_rejected_trials_count_as_crashes(states):
    failure_count = tally_of(states)
    assert failure_count.crashed == states.count("failed")
    assert failure_count.succeeded == states.count("completed") + states.count("pruned")


def test_a_fraction_means_nothing_before_enough_trials():
    assert broken(["failed"] * (MIN_TRIALS - 1)) is None
    assert "`max_failure_fraction=0.5`" in broken(["failed"] * MIN_TRIALS)


def test_half_may_crash_and_no_more():
    assert broken(["failed", "completed"] * 10) is None
    assert broken(["failed", "completed"] * 10 + ["failed"]).startswith("11 of 21 trials crashed")
    assert broken(["failed"] * 50, fraction=None) is None


def test_infeasible_trials_do_not_dilute_crashes():
    states = ["infeasible"] * 50 + ["failed"] * 6 + ["completed"] * 4
    assert broken(states).startswith("6 of 10 trials crashed")


def test_crashes_in_a_row_are_broken_by_any_trial_that_ran():
    assert broken(["failed", "failed"], in_a_row=2).startswith("The last 2 trials crashed")
    assert broken(["failed", "completed", "failed"], in_a_row=2) is None
    assert broken(["failed", "infeasible", "failed"], in_a_row=2) is None
    assert broken(["failed", "rejected", "failed"], in_a_row=2) is not None


def test_rejections_in_a_row_are_an_error_that_names_the_constraint():
    assert broken(["rejected"] * (REJECTIONS - 1)) is None
    assert "`constraint` has rejected 100 models in a row" in broken(["rejected"] * REJECTIONS)
    assert broken(["rejected"] * 99 + ["completed"] + ["rejected"] * 99) is None


class Own(keras_tuner.HyperModel):
    """Does in `fit` what the test asks for, once the search has begun."""

    def __init__(self, misbehave):
        super().__init__()
        self.misbehave = misbehave

    def build(self, hp):
        return build(hp)

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
def test_an_error_is_recorded_with_a_short_traceback_and_the_search_goes_on(error, state):
    tuner = search(tuner_of(Own(raise_at(9, error)), max_trials=2), [9, 8])
    assert states(tuner) == [state, "completed"]
    message = tuner.results()[0]["message"]
    assert message.startswith(f"{type(error).__name__}: labels.csv")
    assert "test_failures.py, line" in message.splitlines()[1]
    assert len(message.splitlines()) < 20


def test_real_exhaustion_of_memory_is_infeasible():
    import tensorflow as tf

    def hungry(hp):
        if hp.get("units") == 9:
            tf.zeros([2**20, 2**20, 16])
        return True

    def exhaust(hp, history):
        hungry(hp)
        return history

    tuner = search(tuner_of(Own(exhaust), max_trials=2), [9, 8])
    assert states(tuner) == ["infeasible", "completed"]


@pytest.mark.parametrize("name", ["InternalError", "UnknownError", "XlaRuntimeError"])
def test_an_accelerators_word_for_no_memory_is_understood(name):
    kind = type(name, (Exception,), {})
    assert is_infeasible(kind("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"))
    assert not is_infeasible(kind("unsupported dtype"))


def none_at(units):
    return lambda hp, history: None if hp.get("units") == units else history


def test_a_wrong_type_in_the_first_trial_ends_the_search_and_loses_nothing():
    with pytest.raises(TypeError, match=r"HyperModel\.fit"):
        search(tuner_of(Own(none_at(9))), [9, 8])
    tuner = search(tuner_of(Own(none_at(None))))  # the program is mended
    assert states(tuner) == ["completed"] * 3
    assert tuner.results()[0]["units"] == 9


def test_a_wrong_type_in_a_later_trial_is_that_trials_failure():
    tuner = search(tuner_of(Own(none_at(9))), [8, 9, 7])
    assert states(tuner) == ["completed", "failed", "completed"]
    assert tuner.results()[1]["message"].startswith("FatalTypeError")


def test_a_build_that_returns_no_model_later_is_that_trials_failure():
    searching = []

    def forgetful(hp):
        model = build(hp)
        return None if searching and hp.get("units") == 9 else model

    tuner = tuner_of(forgetful, max_trials=2)
    searching.append(True)
    assert states(search(tuner, [8, 9])) == ["completed", "failed"]


def test_what_the_user_calls_fatal_is_fatal_at_any_time():
    error = keras_tuner.errors.FatalValueError("no licence left")
    with pytest.raises(ValueError, match="no licence left"):
        search(tuner_of(Own(raise_at(9, error))), [8, 9])


def test_a_branch_that_cannot_be_built_is_left_to_its_trials():
    def branching(hp):
        if hp.Boolean("broken"):
            raise ValueError("no such branch")
        return build(hp)

    tuner = tuner_of(branching, max_trials=2)
    tuner.enqueue({"broken": True})
    tuner.enqueue({"broken": False})
    assert states(search(tuner)) == ["failed", "completed"]


def test_the_error_that_ends_a_search_shows_what_the_failures_share():
    def no_large_ones(hp, history):
        if hp.get("units") >= 20:
            raise OSError(f"{hp.get('units')} are too many")
        return history

    tuner = tuner_of(Own(no_large_ones), max_trials=9, max_consecutive_failed_trials=2)
    with pytest.raises(RuntimeError) as caught:
        search(tuner, [5, 8, 20, 25])
    said = str(caught.value)
    assert "units>=20 in 2 of 2 failures, 0 of 2 successes" in said
    assert "1 x OSError: 20 are too many" in said
    assert states(tuner) == ["completed"] * 2 + ["failed"] * 2


def test_a_search_that_goes_on_begins_with_no_failures():
    def always(hp, history):
        raise OSError("labels.csv")

    with pytest.raises(RuntimeError):
        search(tuner_of(Own(always), max_trials=4, max_consecutive_failed_trials=2))
    one_more = Own(raise_at(9, OSError("labels.csv")))
    tuner = tuner_of(one_more, max_trials=4, max_consecutive_failed_trials=2)
    assert states(search(tuner, [9, 8])) == ["failed"] * 3 + ["completed"]


def test_a_rejected_model_uses_up_no_trial_and_is_not_trained():
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


def test_rejections_are_remembered_by_a_search_that_goes_on():
    def tuner(max_trials):
        return tuner_of(build, max_trials=max_trials, constraint=lambda hp, _: hp.get("units") < 20)

    search(tuner(1), [32, 8])
    again = tuner(2)
    assert again.remaining_trials == 1
    assert states(search(again, [31, 7])) == ["rejected", "completed", "rejected", "completed"]


def test_the_models_of_a_search_can_be_loaded_under_another_constraint():
    search(tuner_of(build, max_trials=1))
    assert tuner_of(build, max_trials=1, constraint=lambda *_: False).get_best_models()


def test_a_constraint_that_nothing_satisfies_ends_the_search_with_an_error():
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


def test_a_constraint_without_an_answer_is_an_error_of_the_program():
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
def test_a_wrong_argument_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        tuner_of(build, **arguments)
