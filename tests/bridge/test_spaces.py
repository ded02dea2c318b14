import keras_tuner

from kt_extras.bridge.spaces import to_space
from kt_extras.search import Boolean, Choice, Condition, Fixed, Float, Int


def declared():
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-4, 1e-1, sampling="log")
    hp.Float("keep", 0.1, 0.9, sampling="reverse_log")
    hp.Float("drop", 0, 1, step=0.2)
    hp.Int("units", 8, 64, step=2, sampling="log")
    hp.Int("layers", 1, 4)
    hp.Choice("batch", [64, 16, 32])
    hp.Choice("act", ["relu", "tanh"])
    hp.Boolean("bias")
    hp.Fixed("classes", 10)
    return hp


def test_each_kind_keeps_its_meaning():
    assert to_space(declared()).dimensions == (
        Float("rate", 1e-4, 1e-1, sampling="log"),
        Float("keep", 0.1, 0.9, sampling="reverse_log"),
        Float("drop", 0.0, 1.0, step=0.2),
        Int("units", 8, 64, step=2, sampling="log"),
        Int("layers", 1, 4, step=1),
        Choice("batch", (16, 32, 64), ordered=True),
        Choice("act", ("relu", "tanh")),
        Boolean("bias"),
        Fixed("classes", 10),
    )


def test_each_kind_keeps_its_default_and_a_choice_its_order():
    hp = declared()
    hp.Int("width", 1, 9, default=4)
    hp.Boolean("norm", default=True)
    dimensions = to_space(hp).dimensions
    assert [d.default for d in dimensions] == [p.default for p in hp.space]
    assert next(d for d in dimensions if d.name == "batch").declared == (64, 16, 32)


def test_the_largest_value_of_a_stepped_float_can_be_reached():
    assert to_space(declared()).dimensions[2].values() == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def test_nested_scopes_become_conditions():
    hp = keras_tuner.HyperParameters()
    hp.Choice("model", ["mlp", "cnn"])
    with hp.conditional_scope("model", ["cnn"]):
        hp.Boolean("pool")
        with hp.conditional_scope("pool", [True]):
            hp.Int("size", 2, 4)
    conditions = to_space(hp).dimensions[2].conditions
    assert conditions == (Condition("model", ("cnn",)), Condition("pool", (True,)))


def test_the_same_name_in_sibling_scopes_stays_two_dimensions():
    hp = keras_tuner.HyperParameters()
    hp.Choice("m", ["a", "b"])
    with hp.conditional_scope("m", ["a"]):
        hp.Int("u", 1, 10)
    with hp.conditional_scope("m", ["b"]):
        hp.Int("u", 100, 200)
    space = to_space(hp)
    assert space.decode([0.9, 0.0, 0.0]) == {"m": "b", "u": 100}
    assert space.decode([0.1, 0.0, 0.0]) == {"m": "a", "u": 1}


def test_a_space_that_went_over_grpc_keeps_parents_before_children():
    hp = keras_tuner.HyperParameters()
    hp.Choice("model", ["a", "b"])
    with hp.conditional_scope("model", ["a"]):
        hp.Float("drop", 0, 0.5)
    wired = keras_tuner.HyperParameters.from_config(hp.get_config())
    wired._space.reverse()  # KerasTuner's messages list floats before choices
    assert to_space(wired).names == ("model", "drop")
