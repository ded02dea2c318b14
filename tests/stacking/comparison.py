"""Trains models in a stack and alone, and compares them."""

import keras
import numpy as np

from kt_extras import compat
from kt_extras.stacking.model_stack import ModelStack
from kt_extras.training.fit_data import array_data

EPOCHS = 2


def built(build, count):
    """Return models that are the same in each call."""
    keras.utils.set_random_seed(0)
    compat.reset_names()
    return [build(number) for number in range(count)]


def fitted(model, x, y, *, epochs=EPOCHS, batch_size=16, **kwargs):
    """Return the history of a model that is trained alone."""
    kwargs.setdefault("shuffle", False)
    history = model.fit(x, y, epochs=epochs, batch_size=batch_size, verbose=0, **kwargs)
    return history.history


def stacked(models, x, y, *, epochs=EPOCHS, batch_size=16, validation_data=None, **kwargs):
    """Return a stack of models that were trained, and the history of each."""
    stack = ModelStack(models, array_data(models[0], x, y, batch_size=batch_size, **kwargs))
    held_out = None
    if validation_data is not None:
        held_out = array_data(models[0], *validation_data, batch_size=batch_size)
    histories = [{} for _ in models]
    for _ in range(epochs):
        logs = stack.train_epoch()
        held = stack.evaluate(held_out) if held_out else [{} for _ in models]
        for row, history in enumerate(histories):
            named = {f"val_{name}": value for name, value in held[row].items()}
            for name, value in {**logs[row], **named}.items():
                history.setdefault(name, []).append(value)
    return stack, histories


def assert_as_alone(build, x, y, *, count=2, rtol=1e-5, weights=1e-5, **kwargs):
    """Assert that histories, weights and states of optimizers are as those of plain `fit`."""
    alone = built(build, count)
    expected = [fitted(model, x, y, **kwargs) for model in alone]
    stack, histories = stacked(built(build, count), x, y, **kwargs)
    for row, (model, history) in enumerate(zip(alone, expected, strict=True)):
        assert histories[row].keys() == history.keys()
        for name, values in history.items():
            np.testing.assert_allclose(histories[row][name], values, rtol, 1e-7, err_msg=name)
        trained = stack.write_back(row)
        trained.optimizer.finalize_variable_values(trained.trainable_weights)  # as `fit` does
        assert_same_state(model, trained, weights)


def assert_same_state(one, other, tolerance=1e-5):
    """Assert that two models have the same variables, and their optimizers too."""
    pairs = [(one.variables, other.variables)]
    pairs.append((one.optimizer.variables, other.optimizer.variables))
    for mine, its in pairs:
        assert len(mine) == len(its)
        for left, right in zip(mine, its, strict=True):
            np.testing.assert_allclose(
                left.numpy(), right.numpy(), 1e-4, tolerance, err_msg=left.path
            )
