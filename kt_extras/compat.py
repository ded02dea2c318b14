"""What differs between the two generations of Keras, and nothing else.

Keras 3 runs on the newest TensorFlow; Keras 2.15 is the last that tensorflow-addons supports.
Everything outside this module is written once for both.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import ops
from tensorflow.python.ops import stateful_random_ops

KERAS_3 = keras.__version__.startswith("3.")

if KERAS_3:
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator
    from keras.src.utils import rng_utils
else:
    from keras.src import backend

#: What KerasTuner names the file of a trial's weights (a prefix of several files on Keras 2).
WEIGHTS_NAME = "checkpoint.weights.h5" if KERAS_3 else "checkpoint"

#: What hands out batches by their number.
PyDataset: Any = keras.utils.PyDataset if KERAS_3 else keras.utils.Sequence

#: Whether those hear that an epoch begins; then they also hear of an end before the first one.
ANNOUNCES_EPOCHS = hasattr(PyDataset, "on_epoch_begin")

#: What a learning rate is that an optimizer asks for at each step.  It takes no assignment on
#: Keras 3 if it is a schedule, and callbacks make one to each part of an optimizer.
AskedRate: Any = object if KERAS_3 else keras.optimizers.schedules.LearningRateSchedule


def build_for_loading(model: keras.Model, build_config: Mapping[str, Any] | None) -> None:
    """Create the variables of a model that has not seen data yet.

    Keras 3 creates those of a subclassed model in `build_from_config` but may leave the model
    itself unbuilt, and then refuses to load weights; one symbolic call settles that.  Keras 2
    restores lazily and needs nothing.
    """
    if not KERAS_3:
        return
    if not model.built and build_config:
        model.build_from_config(dict(build_config))
        if not model.built:
            shapes = build_config.get("shapes_dict") or build_config["input_shape"]
            model(_symbolic(shapes))
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built:  # it would be left out, with a warning
        optimizer.build(model.trainable_variables)


def load_weights(model: keras.Model, path: str) -> None:
    """Load weights that the same model has saved.

    Keras 2 restores the optimizer's state when it is first used, and complains at the end of the
    program if it never was.
    """
    status = model.load_weights(path)
    if not KERAS_3 and status is not None:
        status.expect_partial()


def learning_rate(model: keras.Model) -> float | None:
    """Return the learning rate of a compiled model, None if a schedule settles it."""
    optimizer = model.optimizer
    rate = getattr(optimizer, "_learning_rate", None)
    if rate is None:  # optimizers before Keras 2.11, and tensorflow-addons'
        rate = getattr(optimizer, "_hyper", {}).get("learning_rate")
    if rate is None or isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        return None
    return float(rate.numpy() if hasattr(rate, "numpy") else rate)


def set_learning_rate(model: keras.Model, rate: float) -> None:
    """Change the learning rate of a compiled model that has no schedule; nothing is traced anew."""
    model.optimizer.learning_rate = rate


def _symbolic(shapes: Any) -> Any:
    """Turn a nest of shapes into a nest of symbolic tensors."""
    if isinstance(shapes, Mapping):
        return {name: _symbolic(shape) for name, shape in shapes.items()}
    if shapes and all(size is None or isinstance(size, int) for size in shapes):
        return keras.KerasTensor(tuple(shapes))
    return [_symbolic(shape) for shape in shapes]


def forget_model(history: keras.callbacks.History) -> None:
    """Let go of the model that a `History` keeps alive."""
    history.set_model(None)


def hold_randomness(model: keras.Model) -> None:
    """See to it that the random numbers that a model's layers draw can be saved and restored.

    On Keras 3 they are drawn from variables.  On Keras 2 a layer such as `Dropout` leaves them to
    operations whose state nobody can read; from here on it draws them from a `tf.random.Generator`.
    """
    held = False
    for generator in _own_generators(model):
        if getattr(generator, "_rng_type", None) == "legacy_stateful":
            generator._rng_type, generator._built, held = "stateful", False, True
    if held and model.train_function is not None:  # it may know the operations already
        model.make_train_function(force=True)


def trace_anew(model: keras.Model) -> None:
    """Let the next batch be traced anew, if one was traced already."""
    optimizer: Any = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if getattr(optimizer, "jit_compile", False):  # Keras 2 traces the steps by themselves then
        step = type(optimizer)._update_step_xla.python_function
        optimizer._update_step_xla = tf.function(step.__get__(optimizer), jit_compile=True)
    if model.train_function is not None:
        model.make_train_function(force=True)


def state_variables(model: keras.Model) -> list[Any]:
    """Return all variables of a built model but those of its optimizer and its metrics.

    The order is that of its layers.
    """
    states = []
    for generator in _own_generators(model):
        if hasattr(generator, "_maybe_init"):
            generator._maybe_init()
            generator = generator._generator
        if isinstance(generator, tf.random.Generator):
            states.append(generator.state)
    return [*model.variables, *states]


def optimizer_variables(model: keras.Model) -> list[Any]:
    """Build the optimizer of a built model, and return all variables that it has."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return []
    _build_optimizer(optimizer, list(model.trainable_variables))
    found = {id(variable): variable for variable in _variables_of(optimizer)}
    return list(found.values())


def input_spec(model: keras.Model) -> Any:
    """Return what `build_from_spec` needs: a nest of shapes, and on Keras 2 of types."""
    if KERAS_3:
        return model.get_build_config()
    spec = model.save_spec()
    return None if spec is None else tf.nest.map_structure(_spec, spec)


def build_from_spec(model: keras.Model, spec: Any) -> None:
    """Create the variables of a model that has not seen data yet, as those of another are."""
    if KERAS_3:
        build_for_loading(model, spec)
    elif not model.built and spec is not None:
        arguments, keywords = _tensor_specs(spec)
        tf.function(model.__call__).get_concrete_function(*arguments, **keywords)


def set_keras_seed(seed: int) -> None:
    """Settle what Keras draws seeds from where none is given, as `set_random_seed` does."""
    if KERAS_3:
        global_state.set_global_attribute(rng_utils.GLOBAL_RANDOM_SEED, seed)
        global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, None)
    else:
        backend._SEED_GENERATOR.generator = random.Random(seed)


def global_seed_state() -> Any:
    """Return the state of what Keras draws seeds from where none is given; None if that is unset.

    That is a generator of its own on Keras 3, and on Keras 2 a stream like those of `random`.
    """
    if KERAS_3:
        generator = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
        return None if generator is None else generator.state.numpy()
    stream = getattr(backend._SEED_GENERATOR, "generator", None)
    return None if stream is None else np.array(stream.getstate()[1], np.uint32)


def set_global_seed_state(state: Any) -> None:
    """Put it where it was."""
    if state is None:
        return
    if KERAS_3:
        seed_generator.global_seed_generator().state.assign(state)
    else:
        stream = random.Random()
        stream.setstate((stream.VERSION, tuple(state.tolist()), None))
        backend._SEED_GENERATOR.generator = stream


def all_layers(model: keras.Model, *, include_model: bool) -> list[Any]:
    """Return the layers of a model at all depths.

    Args:
        model: The model.
        include_model: Whether the model itself is the first of them.
    """
    return list(model._flatten_layers(recursive=True, include_self=include_model))


def eager_seeds() -> tuple[int | None, random.Random | None]:
    """Return TensorFlow's global seed, and the stream of the seeds of eager operations."""
    eager = context.context()
    return getattr(eager, "_seed", None), getattr(eager, "_rng", None)


def begin_eager_seeds(seed: int | None) -> random.Random:
    """Set the global seed as `tf.random.set_seed` does, but keep the kernels; return the stream."""
    eager = context.context()
    eager._seed, eager._rng = seed, random.Random(seed)
    return eager._rng


def global_generator() -> Any:
    """Return TensorFlow's global generator; None if it does not exist yet."""
    return getattr(stateful_random_ops, "global_generator", None)


def registered_gradients() -> dict[str, dict[str, Any]]:
    """Return the entries of TensorFlow's registry of gradients, by name; changes take effect."""
    registry: dict[str, dict[str, Any]] = getattr(
        getattr(ops, "gradient_registry", None), "_registry", {}
    )
    return registry


def _own_generators(model: keras.Model) -> list[Any]:
    """Return the random generators of layers that are not among their variables."""
    layers = all_layers(model, include_model=True)
    values = (value for layer in layers for value in vars(layer).values())
    found = (v for v in values if isinstance(v, tf.random.Generator) or hasattr(v, "_rng_type"))
    return list({id(generator): generator for generator in found}.values())


def _build_optimizer(optimizer: Any, variables: list[Any]) -> None:
    if hasattr(optimizer, "optimizer_specs"):  # tensorflow-addons' MultiOptimizer
        for spec in optimizer.optimizer_specs:
            own = [variable for variable in variables if variable.name in spec["weights"]]
            _build_optimizer(spec["optimizer"], own)
        _ = optimizer.iterations
    elif hasattr(optimizer, "_create_all_weights"):  # before Keras 2.11, and tensorflow-addons'
        optimizer._create_all_weights(variables)
    elif not getattr(optimizer, "built" if KERAS_3 else "_built", False):
        optimizer.build(variables)


def _variables_of(optimizer: Any) -> list[Any]:
    weights = optimizer.variables() if callable(optimizer.variables) else optimizer.variables
    # On Keras 2 numbers that may be changed and the scale of the loss are not among them.
    own = {**vars(optimizer), **vars(optimizer).get("_hyper", {})}
    others = [value for _, value in sorted(own.items()) if _is_variable(value)]
    others += getattr(own.get("_loss_scale"), "_weights", {}).values()
    inner = [getattr(optimizer, "inner_optimizer", None) or own.get("_optimizer")]
    inner += [spec["optimizer"] for spec in own.get("optimizer_specs", ())]
    theirs = [_variables_of(wrapped) for wrapped in inner if wrapped is not None]
    return [*weights, *others, *(variable for found in theirs for variable in found)]


def _is_variable(value: Any) -> bool:
    return isinstance(value, (tf.Variable, getattr(keras, "Variable", tf.Variable)))


def _spec(tensor: tf.TensorSpec) -> Any:
    return "tensor", tensor.shape.as_list(), tensor.dtype.name


def _tensor_specs(spec: Any) -> Any:
    if isinstance(spec, dict):
        return {name: _tensor_specs(item) for name, item in spec.items()}
    if spec and spec[0] == "tensor":
        return tf.TensorSpec(*spec[1:])
    return type(spec)(_tensor_specs(item) for item in spec)
