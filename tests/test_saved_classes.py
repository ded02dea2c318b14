"""Files that hold classes of the package load after `import kt_extras`, in any order of imports."""

import importlib
import pkgutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import kt_extras
from kt_extras.calibration.layers import PlattScaling
from kt_extras.saved_classes import SAVED_CLASSES
from tests.cases import some

NAMES = [f"kt_extras>{name}" for names in SAVED_CLASSES.values() for name in names]
KIT = [
    getattr(kt_extras, name)
    for name in (
        "calibration",
        "callbacks",
        "imbalance",
        "losses",
        "metrics",
        "optimizers",
        "schedules",
    )
]
X, Y = np.ones((6, 4), "float32"), np.arange(6) % 3


def test_the_table_has_every_class_that_is_registered_and_where_it_is():
    for package in KIT:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    registered = keras.saving.get_custom_objects()
    assert {name for name in registered if name.startswith("kt_extras>")} == set(NAMES)
    for module, names in SAVED_CLASSES.items():
        for name in names:
            home = importlib.import_module(f"kt_extras.{module}")
            assert registered[f"kt_extras>{name}"] is getattr(home, name)


@pytest.fixture
def saved():
    """Return the path of a model with a loss, a metric, a layer and a schedule of ours."""
    layer = PlattScaling([1.0] * 3, [0.0] * 3, exclusive=True)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "softmax"), layer])
    rate = kt_extras.schedules.OneCycle(0.1, 10)
    model.compile(
        keras.optimizers.SGD(rate),
        kt_extras.losses.WeightedCrossentropy([1.0, 2.0, 3.0]),
        metrics=[kt_extras.metrics.F1Score(3)],
    )
    model.fit(X, Y, verbose=0)
    model.save("model.keras")
    return "model.keras"


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    some(
        [
            "import kt_extras; import keras",
            "import kt_extras; import tensorflow; keras = tensorflow.keras",
            "import kt_extras; kt_extras.metrics; import keras",
        ],
        ["import kt_extras; import keras"],
    ),
)
def test_a_saved_model_loads_in_a_new_process_for_any_order_of_imports(saved, imports):
    program = f"""
{imports}
from keras.saving import get_custom_objects
made = get_custom_objects()["kt_extras>LDAM"]([60, 30, 10])  # by its name, before it is imported
model = keras.models.load_model({saved!r})
print(*(type(each).__module__ for each in (made, model.loss, model.layers[-1])))
assert all(name in get_custom_objects() for name in {NAMES})
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    expected = ["losses.ldam", "losses.weighted", "calibration.layers"]
    assert done.stdout.split() == [f"kt_extras.{name}" for name in expected], done.stderr[-2000:]
