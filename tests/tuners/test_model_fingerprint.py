"""A search that goes on with another model says so."""

import keras
import numpy as np
import pytest

import kt_extras as kte

X, Y = np.ones((8, 1), "float32"), np.ones((8, 1), "float32")


def dense(hp):
    return compiled([keras.layers.Dense(hp.Int("units", 1, 4))])


def deeper(hp):
    return compiled([keras.layers.Dense(hp.Int("units", 1, 4)) for _ in range(3)])


def compiled(layers):
    model = keras.Sequential([keras.Input((1,)), *layers, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "arguments", "epochs"),
    [
        ("TPE", {"max_trials": 1}, {"epochs": 1}),
        ("ASHA", {"max_trials": 2, "max_epochs": 2, "reduction_factor": 2}, {}),
    ],
)
def test_another_model_in_the_same_project_is_named(preset, arguments, epochs, capsys):
    def tuner(build):
        return getattr(kte, preset)(build, "loss", seed=0, **arguments)

    tuner(dense).search(X, Y, verbose=0, **epochs)
    capsys.readouterr()
    tuner(dense)
    assert "changed" not in capsys.readouterr().out
    other = tuner(deeper)
    said = capsys.readouterr().out
    assert "The model has changed since the search began" in said
    assert "it had 2 layers with 4 weights" in said
    assert "`overwrite=True`" in said
    assert "`project_name`" in said
    with pytest.raises(ValueError, match=r"do not fit the model that is built now.*`overwrite=T"):
        other.get_best_models()
    tuner(dense).get_best_models()
