"""The public names, and which modules their import loads."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kt_extras


def modules_loaded_by(statement):
    """Run one statement in a new interpreter and return the top-level modules it has then."""
    report = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", report]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import kt_extras; dir(kt_extras)",
        "import kt_extras.search, kt_extras.samplers, kt_extras.pruners, kt_extras.schedulers",
        "import kt_extras as kte; kte.samplers.TPE, kte.pruners.AnyOf, kte.MedianPruner",
    ],
)
def test_the_core_loads_neither_tensorflow_nor_keras_nor_keras_tuner(statement):
    assert not modules_loaded_by(statement) & {"tensorflow", "keras", "keras_tuner", "tensorboard"}


def test_classes_that_models_may_hold_are_registered_with_keras():
    found = "keras.saving.get_registered_object('kt_extras>{}').__name__"
    names = ("OneCycle", "WeightedCrossentropy", "F1Score", "PlattScaling", "LearningRateFactors")
    asked = ", ".join(found.format(name) for name in names)
    command = [sys.executable, "-c", f"import keras, kt_extras; print({asked})"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(names)


@pytest.mark.parametrize("name", kt_extras.__all__)
def test_every_public_name_resolves_and_says_what_it_is(name):
    assert inspect.getdoc(getattr(kt_extras, name))


@pytest.mark.parametrize("name", kt_extras.__all__)
def test_every_public_name_is_listed_by_dir(name):
    assert name in dir(kt_extras)


@pytest.mark.parametrize("module", kt_extras._MODULES)
def test_every_class_and_function_of_a_public_module_says_what_it_is(module):
    public = importlib.import_module(f"kt_extras.{module}")
    values = {name: getattr(public, name) for name in public.__all__}
    code = {
        name
        for name, value in values.items()
        if inspect.isclass(value) or inspect.isfunction(value)
    }
    assert [name for name in code if not inspect.getdoc(values[name])] == []


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'SklearnTuner'"):
        kt_extras.SklearnTuner  # noqa: B018


def test_type_checkers_see_the_names_that_users_see():
    declared = re.findall(r"\b(\w+) as \1\b", inspect.getsource(kt_extras))
    borrowed = [*kt_extras._OF_KERAS_TUNER, *kt_extras._AS_IN_KERAS_TUNER]
    assert sorted(declared) == sorted([*kt_extras.__all__, *borrowed])


def test_dir_shows_what_is_public_and_nothing_else():
    assert sorted(dir(kt_extras)) == sorted([*kt_extras.__all__, "__version__"])


def test_every_package_is_public_or_said_to_be_internal():
    folders = {path.parent.name for path in Path(kt_extras.__file__).parent.glob("*/__init__.py")}
    internal = {name for name in folders if f"`{name}`" in kt_extras.__doc__}
    assert folders == set(kt_extras._MODULES) | internal
