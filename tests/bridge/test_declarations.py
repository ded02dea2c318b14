import warnings

import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.bridge.declarations import CheckedHyperParameters, checked
from kt_extras.samplers.random import Random

COST = keras_tuner.Objective("cost", "min")
DECLARATIONS = [
    lambda hp: hp.Float("x", 0.0, 1.0),
    lambda hp: hp.Float("x", 0.0, 2.0),
    lambda hp: hp.Float("x", 0.0, 1.0, step=0.1),
    lambda hp: hp.Float("x", 0.1, 1.0, sampling="log"),
    lambda hp: hp.Int("x", 0, 1),
    lambda hp: hp.Choice("x", ["a", "b"]),
    lambda hp: hp.Choice("x", ["a", "b", "c"]),
    lambda hp: hp.Boolean("x"),
    lambda hp: hp.Fixed("x", 3),
]


def warned(act):
    """Return the messages of the warnings of a function."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        act()
    assert all(warning.filename == __file__ for warning in caught)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("again", range(len(DECLARATIONS)))
@pytest.mark.parametrize("first", range(len(DECLARATIONS)))
def test_a_declaration_that_differs_from_the_first_is_warned_of_once(first, again):
    def declare():
        for _ in range(3):
            hp = space.copy()
            DECLARATIONS[first](hp)
            DECLARATIONS[again](hp)

    space = CheckedHyperParameters()
    assert len(warned(declare)) == (first != again)


def test_the_warning_has_both_declarations():
    def declare():
        hp.Float("x", 0.0, 1.0)
        assert hp.Choice("x", ["a", "b"]) == 0.0

    hp = CheckedHyperParameters()
    (message,) = warned(declare)
    assert "Choice(values=['a', 'b'], ordered=False)" in message
    assert "Float(min_value=0.0, max_value=1.0, sampling='linear')" in message


def test_another_default_is_no_other_declaration():
    hp = CheckedHyperParameters()
    hp.Int("x", 1, 9, default=3)
    assert not warned(lambda: hp.Int("x", 1, 9, default=4))


def test_sibling_scopes_may_declare_the_same_name_differently():
    def declare():
        hp.Choice("m", ["a", "b"])
        with hp.conditional_scope("m", ["a"]):
            hp.Int("u", 1, 10)
        with hp.conditional_scope("m", ["b"]):
            hp.Float("u", 0.0, 1.0)

    hp = CheckedHyperParameters()
    assert not warned(declare)


def test_a_scope_that_is_active_shares_the_value_and_is_warned_of():
    def declare():
        hp.Choice("m", ["a", "b"])
        hp.Int("u", 1, 10)
        with hp.conditional_scope("m", ["a"]):
            hp.Float("u", 0.0, 1.0)

    hp = CheckedHyperParameters()
    assert len(warned(declare)) == 1


def test_a_space_that_went_over_grpc_has_the_same_declarations():
    hp = keras_tuner.HyperParameters()
    declare = [
        lambda hp: hp.Float("rate", 1e-4, 1e-1, sampling="log"),
        lambda hp: hp.Float("drop", 0, 1, step=0.2),
        lambda hp: hp.Int("units", 8, 64, step=2, sampling="log"),
        lambda hp: hp.Int("layers", 1, 4),
        lambda hp: hp.Choice("batch", [64, 16, 32]),
        lambda hp: hp.Choice("act", ["relu", "tanh"]),
        lambda hp: hp.Boolean("bias"),
        lambda hp: hp.Fixed("classes", 10),
    ]
    for one in declare:
        one(hp)
    wired = checked(keras_tuner.HyperParameters.from_proto(hp.to_proto()), set())
    assert not warned(lambda: [one(wired) for one in declare])


def oracle_of(**kwargs):
    return kte.SamplerOracle(Random(), objective=COST, max_trials=3, seed=0, **kwargs)


def test_every_trial_of_an_oracle_is_watched_and_warns_once():
    def search():
        while (trial := oracle.create_trial("worker")).status != "STOPPED":
            trial.hyperparameters.Float("x", 0.0, 1.0)
            trial.hyperparameters.Choice("x", ["a", "b"])
            oracle.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
            oracle.end_trial(trial.trial_id)

    oracle = oracle_of()
    assert len(warned(search)) == 1


def test_a_reloaded_search_warns_of_a_range_that_has_changed(tmp_path):
    def trial_of(oracle):
        oracle._set_project_dir(str(tmp_path), "project")
        if oracle.is_recorded():
            oracle.reload()
        return oracle.create_trial("worker")

    oracle = oracle_of()
    trial = trial_of(oracle)
    trial.hyperparameters.Float("x", 0.0, 1.0)
    oracle.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
    oracle.end_trial(trial.trial_id)
    again = trial_of(oracle_of())
    assert len(warned(lambda: again.hyperparameters.Float("x", 0.0, 2.0))) == 1


def test_what_overrides_the_model_is_not_warned_of():
    def declare():
        hp = oracle.get_space()
        assert hp.Float("x", 0.0, 1.0) == 0.25
        oracle.update_space(hp)
        oracle.create_trial("worker").hyperparameters.Float("x", 0.0, 1.0)

    given = keras_tuner.HyperParameters()
    given.Fixed("x", 0.25)
    oracle = oracle_of(hyperparameters=given)
    assert not warned(declare)


def test_a_trial_of_a_chief_is_watched():
    oracle = oracle_of()
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    trial = oracle.create_trial("worker")
    plain = keras_tuner.engine.trial.Trial.from_proto(trial.to_proto())
    oracle.watch(plain)
    assert plain.hyperparameters.values == trial.hyperparameters.values
    assert len(warned(lambda: plain.hyperparameters.Int("x", 0, 1))) == 1
