"""What a model must be like to be trained in a stack."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat
from kt_extras.stacking.refusal import NotStackable
from kt_extras.training.fallback_reasons import replaced_method

#: Recurrent layers are unrolled, and the trace of a longer one takes more time than it saves.
MAX_TIMESTEPS = 100

_METHODS = ("train_step", "test_step", "fit", "evaluate", "make_train_function")
_OPTIMIZERS = (
    "SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor", "Nadam",
    "Ftrl", "Lion", "Lamb", "Muon",
)  # fmt: skip


def require_stackable(model: keras.Model) -> None:
    """Raise if a model cannot be trained in a stack, as far as that is seen beforehand.

    Args:
        model: A compiled model that is built.

    Raises:
        NotStackable: It cannot.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5, gradient_accumulation_steps=2), "mse")
    >>> require_stackable(model)
    Traceback (most recent call last):
        ...
    kt_extras.stacking.refusal.NotStackable: its optimizer accumulates gradients
    """
    reason = _against_model(model) or _against_optimizer(model.optimizer) or _against_layers(model)
    if reason:
        raise NotStackable(reason)


def is_of_known_parts(model: keras.Model) -> bool:
    """Tell whether Keras' own classes alone take part in the steps of a model.

    >>> class Twice(keras.layers.Layer):
    ...     def call(self, x):
    ...         return 2 * x
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> is_of_known_parts(model)
    True
    >>> model = keras.Sequential([keras.Input((2,)), Twice()])
    >>> model.compile("sgd", "mse")
    >>> is_of_known_parts(model)
    False
    """
    compiled = compat.compile_arguments(model)
    given = [compiled.get(name) for name in ("loss", "metrics", "weighted_metrics")]
    named = [part for part in tf.nest.flatten(given) if not isinstance(part, str | None)]
    return all(map(_is_of_keras, [*compat.all_layers(model, include_model=True), *named]))


def _against_model(model: keras.Model) -> str | None:
    if not compat.KERAS_3:
        return "Keras 2 cannot compute a step without variables"
    if keras.backend.backend() != "tensorflow":
        return f"Keras runs on {keras.backend.backend()}, not on TensorFlow"
    if not compat.is_compiled(model):
        return "it is not compiled"
    own = [name for name in _METHODS if not _is_inherited(model, name)]
    if own:
        return f"it has a `{own[0]}` of its own"
    if (replaced := replaced_method(_METHODS)) is not None:
        return f"`keras.Model.{replaced}` was replaced"
    if model.run_eagerly:
        return "it runs eagerly"
    if model.distribute_strategy.num_replicas_in_sync > 1:
        return "it is distributed over devices"
    return None


def _against_optimizer(optimizer: Any) -> str | None:
    kind = type(optimizer)
    if kind not in [getattr(keras.optimizers, name, None) for name in _OPTIMIZERS]:
        return f"its optimizer is a {kind.__name__}"
    if optimizer.gradient_accumulation_steps:
        return "its optimizer accumulates gradients"
    return None


def _against_layers(model: keras.Model) -> str | None:
    for layer in compat.all_layers(model, include_model=True):
        if layer.dtype_policy.compute_dtype != layer.dtype_policy.variable_dtype:
            return f"its layer {layer.name!r} computes in mixed precision"
        if isinstance(layer, keras.layers.RNN):
            steps = _timesteps(layer)
            if steps is None or steps > MAX_TIMESTEPS:
                known = "an unknown number of" if steps is None else f"{steps}"
                return f"its recurrent layer {layer.name!r} has {known} time steps"
    return None


def _is_inherited(model: keras.Model, name: str) -> bool:
    """Tell whether a model has a method from Keras; a tuner may have put `fit` on the object."""
    changed = name in vars(model) and name != "fit"
    return not changed and getattr(type(model), name) is getattr(keras.Model, name)


def _is_of_keras(part: Any) -> bool:
    module = getattr(part, "__module__", None) or type(part).__module__
    return str(module).startswith("keras.")


def _timesteps(layer: Any) -> int | None:
    """Return the number of time steps of a recurrent layer, None if it is not known."""
    shape: Any = (layer.get_build_config() or {}).get("input_shape")
    while shape and isinstance(shape[0], (list, tuple)):
        shape = shape[0]
    return shape[1] if shape and len(shape) > 1 else None
