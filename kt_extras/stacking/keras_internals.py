"""What is private in Keras 3, and needed to make the step of a model a function of tensors."""

from __future__ import annotations

import functools
from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat

if compat.KERAS_3:
    from keras.src.optimizers.base_optimizer import BaseOptimizer


def build_for_training(model: keras.Model, batch: Any) -> None:
    """Create all variables of a compiled model: of layers, metrics and optimizer, as `fit` does.

    Args:
        model: The model; if it is built already, nothing is done.
        batch: A batch of its data, for shapes and types.

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> model.compile("adam", "mse", metrics=["mae"])
    >>> build_for_training(model, (tf.ones([2, 3]), tf.ones([2, 1])))
    >>> len(model.weights), len(model.optimizer.variables), len(model.metrics_variables)
    (2, 6, 4)
    """
    _build_loss_and_metrics(model, batch)
    model._symbolic_build(data_batch=batch)


def _build_loss_and_metrics(model: keras.Model, batch: Any) -> None:
    """Build the loss and metrics of a model with one output from its symbolic output.

    Keras calls the model, the loss and the metrics on symbolic data for that, which takes longer
    than to build the model.  What is not built here, Keras builds.
    """
    _, target, _ = keras.utils.unpack_x_y_sample_weight(batch)
    of_keras = type(model).__module__.startswith("keras.src.models.")
    if not (of_keras and model.built and tf.is_tensor(target) and len(model.outputs) == 1):
        return
    output = model.outputs[0]
    if not isinstance(model, keras.Sequential) and model.output is not output:
        return  # a list or dictionary of one
    symbolic = keras.KerasTensor(target.shape, target.dtype.name)
    for part in (model._compile_loss, model._compile_metrics):
        if part is not None and not part.built:
            part.build(symbolic, output)
    metrics = model._compile_metrics
    if metrics is not None and not all(map(compat.is_built, metrics.metrics)):
        metrics.built = False  # some create variables when they are called


def training_loss(model: keras.Model, batch: Any) -> tuple[Any, Any]:
    """Return the loss of a batch and the predictions, as `train_step` computes them."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    predictions = model(x, training=True) if model._call_has_training_arg else model(x)
    loss = model._compute_loss(
        x=x, y=y, y_pred=predictions, sample_weight=sample_weight, training=True
    )
    first = next(tensor for tensor in tf.nest.flatten(x) if tensor is not None)
    model._loss_tracker.update_state(loss, sample_weight=tf.shape(first)[0])
    return loss, predictions


def stateless(optimizer: Any) -> Any:
    """Return an optimizer with the same variables that can step in a `keras.StatelessScope`.

    On TensorFlow, Keras' optimizers assign to `tf.Variable`s directly, so `stateless_apply` raises.
    The methods that all backends share are below these in the same classes.

    Args:
        optimizer: One that is built; it is not changed.

    >>> weight = keras.Variable([0.5])
    >>> optimizer = keras.optimizers.SGD(0.25)
    >>> optimizer.build([weight])
    >>> with keras.StatelessScope() as scope:
    ...     stateless(optimizer).apply([tf.constant([1.0])], [weight])
    >>> float(scope.get_current_value(weight)[0]), float(weight[0])
    (0.25, 0.5)
    """
    kind: Any = type(optimizer)
    made: Any = object.__new__(_stateless_class(kind))
    attributes = vars(made)
    attributes.update(vars(optimizer))
    attributes.pop("apply", None)  # `model_reuse` may have put numbers into variables there
    trained = list(optimizer._trainable_variables)
    attributes["_trainable_variables_indices"] = {id(v): n for n, v in enumerate(trained)}
    attributes["_exclude_from_weight_decay_cache"] = {
        id(variable): decays
        for variable, decays in zip(trained, compat.decaying(optimizer, trained), strict=True)
    }
    return made


def loss_trackers(model: keras.Model) -> list[Any]:
    """Return the variables of the mean losses of the outputs, of a model with several.

    Keras weighs a batch by its size only where it knows that when it traces the step.
    """
    return [] if model._compile_loss is None else list(model._compile_loss.variables)


def averages(optimizer: Any) -> list[Any]:
    """Return the moving averages of the weights of an optimizer with `use_ema`."""
    return list(optimizer._model_variables_moving_average)


@functools.cache
def _stateless_class(kind: Any) -> Any:
    """Return a class with the shared methods, which an optimizer of its own class may override."""
    names = (
        "assign", "assign_add", "assign_sub", "_apply_weight_decay", "_backend_update_step",
        "_var_key",
    )  # fmt: skip
    methods = {name: getattr(BaseOptimizer, name) for name in names}
    shared = type("SharedOptimizer", (keras.optimizers.Optimizer,), methods)
    return type(f"Stateless{kind.__name__}", (kind, shared), {})
