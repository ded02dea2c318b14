import keras_tuner
import pytest

from kt_extras.imbalance.choices import choose


def test_the_first_value_is_the_default():
    hp = keras_tuner.HyperParameters()
    assert choose(hp, "method", ["none", "smote"]) == "none"
    hp = keras_tuner.HyperParameters()
    hp.values = {"method": "smote"}
    assert choose(hp, "method", ["none", "smote"]) == "smote"


@pytest.mark.parametrize("values", [["none", "smote"], ["smote"]])
def test_there_is_no_value_in_a_scope_that_is_not_active(values):
    hp = keras_tuner.HyperParameters()
    hp.Boolean("on")
    with hp.conditional_scope("on", [True]):
        assert choose(hp, "method", values) is None


def test_others_may_depend_on_a_single_value():
    hp = keras_tuner.HyperParameters()
    choose(hp, "method", ["smote"])
    with hp.conditional_scope("method", ["smote"]):
        assert hp.Int("k", 1, 5) == 1
