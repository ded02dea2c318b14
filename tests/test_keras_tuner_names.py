"""KerasTuner's public names, which its users find here."""

import keras_tuner
import pytest

import kt_extras


@pytest.mark.parametrize("name", kt_extras._OF_KERAS_TUNER)
def test_names_of_keras_tuner_are_the_same_here(name):
    assert getattr(kt_extras, name) is getattr(keras_tuner, name)


@pytest.mark.parametrize("package", ["", "oracles", "tuners"])
def test_every_search_of_keras_tuner_has_one_of_its_name(package):
    theirs, ours = keras_tuner, kt_extras
    if package:
        theirs, ours = getattr(theirs, package), getattr(ours, package)
    names = {name for name in dir(theirs) if name.endswith(("Search", "Hyperband", "Optimization"))}
    names |= {name for name in dir(theirs) if name.endswith("Oracle")}
    found = {name: getattr(ours, name) for name in names}
    assert len(found) >= 4
    assert all(found[name] is not getattr(theirs, name) for name in names - {"Oracle"})
