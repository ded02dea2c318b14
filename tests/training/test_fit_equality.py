"""With `shuffle=False` the results of `kt_extras.training.fit` are those of `keras.Model.fit`."""

import keras
import numpy as np
import pytest

from kt_extras import compat
from kt_extras.training.fit import fit
from tests.training.fit_cases import CASES, QUICK


class Diary(keras.callbacks.Callback):
    """Notes the calls of its hooks."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(("train begins", dict(self.params)))

    def on_train_end(self, logs=None):
        self.calls.append(("train ends", sorted(logs or {})))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("epoch begins", epoch, logs))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("epoch ends", epoch, list(logs)))

    def on_test_begin(self, logs=None):
        self.calls.append(("test begins", logs))

    def on_test_end(self, logs=None):
        self.calls.append(("test ends", list(logs)))


def trained(case, train):
    """Return what a training of a new model leads to."""
    keras.utils.set_random_seed(3)
    with compat.own_names():
        model, data = case()
    names = ("x", "y", "sample_weight")
    validation = tuple(data) if case.__name__ != "adversarial" else None
    diary = Diary()
    history = train(
        model,
        **dict(zip(names, data, strict=False)),
        batch_size=8,
        epochs=2,
        shuffle=False,
        verbose=0,
        validation_data=validation,
        callbacks=[diary],
    )
    states = [state for state in compat.state_variables(model) if hasattr(state, "numpy")]
    weights = [state.numpy() for state in states]
    slots = [variable.numpy() for variable in compat.optimizer_variables(model)]
    return history, diary.calls, weights, slots


#: Cases whose parts other cases have too.
REPEATED = {
    *("attention", "lists_of_inputs", "residual", "layer_with_state", "added_losses", "text"),
    *("clipped_schedule", "scaled_loss", "summed_loss", "frozen_layer", "convolutions", "lstm"),
}


def assert_same(found, expected):
    history, calls, *arrays = found
    known, known_calls, *known_arrays = expected
    assert calls == known_calls
    assert history.epoch == known.epoch
    assert list(history.history) == list(known.history)
    for name, values in known.history.items():
        np.testing.assert_allclose(history.history[name], values, rtol=1e-6, err_msg=name)
    for part, known_part in zip(arrays, known_arrays, strict=True):
        for array, known_array in zip(part, known_part, strict=True):
            np.testing.assert_allclose(array, known_array, rtol=1e-6, atol=1e-7)


def marked(case):
    marks = [] if case in QUICK else [pytest.mark.slow]
    if case.__name__ in REPEATED:
        marks = [pytest.mark.exhaustive]
    return pytest.param(case, id=case.__name__, marks=marks)


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_results_are_those_of_fit_without_shuffling(case):
    expected = trained(case, lambda model, **given: model.fit(**given))
    assert_same(trained(case, fit), expected)
