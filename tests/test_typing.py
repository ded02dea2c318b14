"""The signatures of the presets, for users and for type checkers."""

import inspect
from pathlib import Path

import keras_tuner
import pytest

import kt_extras as kte

ORACLES = {
    kte.ASHA: kte.ASHAOracle,
    kte.BayesianOptimization: kte.BayesianOptimizationOracle,
    kte.BOHB: kte.BOHBOracle,
    kte.Evolution: kte.EvolutionOracle,
    kte.GridSearch: kte.GridSearchOracle,
    kte.Hyperband: kte.HyperbandOracle,
    kte.PASHA: kte.PASHAOracle,
    kte.PBT: kte.PBTOracle,
    kte.RandomSearch: kte.RandomSearchOracle,
    kte.Search: kte.SearchOracle,
    kte.TPE: kte.TPEOracle,
}
NAMES = [preset.__name__ for preset in ORACLES]


def parameters(taker):
    given = inspect.signature(taker).parameters
    return {name: p for name, p in given.items() if p.kind is not p.VAR_KEYWORD}


@pytest.mark.parametrize("preset", ORACLES, ids=NAMES)
def test_a_preset_names_every_argument_of_its_oracle_and_of_tuner(preset):
    own = parameters(preset)
    assert set(parameters(ORACLES[preset])) <= set(own)
    assert set(parameters(kte.Tuner)) - {"oracle"} <= set(own)


@pytest.mark.parametrize("preset", ORACLES, ids=NAMES)
def test_an_oracle_of_a_preset_names_every_argument_of_sampler_oracle(preset):
    ours = (
        {"scheduler"}
        if preset in {kte.ASHA, kte.BOHB, kte.Hyperband, kte.PASHA, kte.PBT}
        else set()
    )
    ours |= {"max_trials", "pruner"} if preset is kte.PBT else set()
    if preset in {kte.BayesianOptimization, kte.GridSearch, kte.RandomSearch}:
        ours |= {"sampler"}  # which their names say
    assert set(parameters(kte.SamplerOracle)) - ours <= set(parameters(ORACLES[preset]))


@pytest.mark.parametrize("preset", ORACLES, ids=NAMES)
def test_arguments_have_the_same_defaults_everywhere(preset):
    own = parameters(preset)
    for taker in (ORACLES[preset], kte.Tuner):
        for name, parameter in parameters(taker).items():
            if name != "oracle":
                assert (name, own[name].default) == (name, parameter.default)


@pytest.mark.parametrize(
    "name", ["RandomSearch", "GridSearch", "Hyperband", "BayesianOptimization"]
)
@pytest.mark.parametrize("suffix", ["", "Oracle"])
def test_what_has_a_name_of_keras_tuner_has_its_signature(name, suffix):
    theirs = getattr(keras_tuner.oracles if suffix else keras_tuner, name + suffix)
    by_position = {
        name: parameter.default
        for name, parameter in parameters(getattr(kte, name + suffix)).items()
        if parameter.kind is not parameter.KEYWORD_ONLY
    }
    assert list(by_position.items()) == [(p.name, p.default) for p in parameters(theirs).values()]


@pytest.mark.parametrize("name", NAMES)
def test_mypy_is_shown_the_usage_of_every_preset(name):
    usage = (Path(__file__).parent / "typed_usage.py").read_text()
    assert usage.count(f"    kte.{name}(") == 3
