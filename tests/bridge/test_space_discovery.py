import keras_tuner

import kt_extras as kte
from kt_extras.bridge.space_discovery import declare_space
from kt_extras.samplers.random import Random


def names_found(build, limit=50):
    """Explore a space; return the hyperparameters found, in order."""
    oracle = kte.SamplerOracle(Random(), objective="val_loss")
    calls = []

    def counted(hp):
        calls.append(dict(hp.values))
        assert len(calls) < limit
        build(hp)

    declare_space(counted, oracle.get_space, oracle.update_space)
    return [parameter.name for parameter in oracle.hyperparameters.space]


def test_every_branch_is_entered_however_deep():
    def build(hp):
        model = hp.Choice("model", ["linear", "mlp", "cnn"])
        with hp.conditional_scope("model", ["mlp"]):
            if model == "mlp":
                hp.Int("units", 1, 10)
        with hp.conditional_scope("model", ["cnn"]):
            if model == "cnn":
                pool = hp.Boolean("pool")
                with hp.conditional_scope("pool", [True]):
                    if pool:
                        hp.Int("size", 2, 4)

    assert names_found(build) == ["model", "units", "pool", "size"]


def test_the_same_name_in_sibling_scopes_is_found_in_each():
    def build(hp):
        hp.Choice("m", ["a", "b"])
        with hp.conditional_scope("m", ["a"]):
            hp.Int("u", 1, 10)
        with hp.conditional_scope("m", ["b"]):
            hp.Int("u", 100, 200)

    assert names_found(build) == ["m", "u", "u"]


def test_depth_as_a_hyperparameter_unfolds_its_layers():
    def build(hp):
        depth = hp.Int("depth", 1, 3)
        for layer in range(3):
            with hp.conditional_scope("depth", list(range(layer + 1, 4))):
                if layer < depth:
                    hp.Int(f"units_{layer}", 8, 64)

    assert names_found(build) == ["depth", "units_0", "units_1", "units_2"]


def test_a_scope_that_stands_in_a_branch_is_found():
    def build(hp):
        for layer in range(1, hp.Int("depth", 1, 3) + 1):
            with hp.conditional_scope("depth", list(range(layer, 4))):
                hp.Int(f"units_{layer}", 8, 64)

    assert names_found(build) == ["depth", "units_1", "units_2", "units_3"]


def test_a_scope_that_no_value_reaches_is_skipped():
    def build(hp):
        hp.Choice("m", ["a"])
        with hp.conditional_scope("m", ["zzz"]):
            hp.Int("never", 1, 2)

    assert names_found(build) == ["m", "never"]


def test_the_builder_never_sees_a_value_outside_its_range():
    def build(hp):
        assert hp.Choice("m", ["a", "b"]) in ["a", "b"]
        with hp.conditional_scope("m", ["b", "zzz"]):
            hp.Int("u", 1, 2)

    assert names_found(build) == ["m", "u"]


def test_values_given_in_advance_are_kept():
    hp = keras_tuner.HyperParameters()
    hp.Fixed("classes", 7)
    seen = []
    oracle = kte.SamplerOracle(Random(), objective="val_loss", hyperparameters=hp)
    declare_space(lambda hp: seen.append(hp.get("classes")), oracle.get_space, oracle.update_space)
    assert seen == [7]
