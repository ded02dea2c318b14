"""Differences between Keras 3 and Keras 2.15, and private names of Keras and TensorFlow.

Keras 3 runs on the newest TensorFlow; Keras 2.15 is the last that tensorflow-addons supports.
Everything outside this module is written once for both.  `docs/private-names.md` lists the private
names.
"""

from __future__ import annotations

import contextlib
import functools
import io
import random
import re
import secrets
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import op_callbacks, op_def_registry, ops
from tensorflow.python.ops import stateful_random_ops

KERAS_3 = keras.__version__.startswith("3.")

if KERAS_3:
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator
    from keras.src.trainers import data_adapters
    from keras.src.trainers.data_adapters import array_slicing
    from keras.src.utils import rng_utils

    _NAMES = "object_name_uids"
    _RANDOM = {rng_utils.GLOBAL_RANDOM_SEED, seed_generator.GLOBAL_SEED_GENERATOR}
else:
    from keras.src import backend
    from keras.src.engine import data_adapter, training_utils

#: Classes of Keras whose numbers are constants of a trace: their operations take no tensors, or
#: their configurations say what they were built with.
CONSTANTS_ONLY = (
    {"ELU"}
    if KERAS_3
    else {
        *("BatchNormalization", "GaussianDropout", "LayerNormalization", "GRUCell", "LSTMCell"),
        *("RandomBrightness", "RandomContrast", "RandomRotation", "RandomTranslation"),
        *("BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy"),
        *("CategoricalFocalCrossentropy", "RandomZoom"),
    }
)

# Operations that TensorFlow calls stateful and that change variables alone, or nothing.
_KEEPS_NO_STATE = re.compile(
    r"(Assert|Case|DisableCopyOnRead|If|Iterator\w+|NoOp|Optional\w+|Placeholder\w*|Print\w*|"
    r"ReadVariableOp|Resource\w+|Rng\w+|Stateful\w+|Stateless\w+|VarIsInitializedOp|VariableShape|While|"
    r"Assign\w*VariableOp)$"
)

#: The name that KerasTuner gives to the weight file of a trial (a prefix of several on Keras 2).
WEIGHTS_NAME = "checkpoint.weights.h5" if KERAS_3 else "checkpoint"

#: The base class of data sets that return a batch by its index.
PyDataset: Any = keras.utils.PyDataset if KERAS_3 else keras.utils.Sequence

#: Whether Keras calls `on_epoch_begin` of a data set; if not, it calls `on_epoch_end` alone.  Where
#: it calls both, `on_epoch_end` is also called before the first epoch.
CALLS_ON_EPOCH_BEGIN = hasattr(PyDataset, "on_epoch_begin")

#: The base class of a learning rate that is called at each step and can be assigned to.  On Keras 3
#: a schedule rejects assignments, and Keras' callbacks assign to each part of a `MultiOptimizer`.
CallableRate: Any = object if KERAS_3 else keras.optimizers.schedules.LearningRateSchedule


def build_for_loading(model: keras.Model, build_config: Mapping[str, Any] | None) -> None:
    """Create the variables of a model that has not seen data yet.

    On Keras 3 `build_from_config` of a subclassed model creates them but may leave the model itself
    unbuilt, and an unbuilt model cannot load weights; one symbolic call builds it.  Keras 2 loads
    weights when the variables are created and needs nothing.

    Args:
        model: A compiled model.
        build_config: The result of `model.get_build_config()` of the saved model, if there is one.
    """
    mark_built(model)
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


def mark_built(model: keras.Model) -> None:
    """Let Keras take a model for built if all layers that it is made of are.

    Keras takes none for built that was never called itself, such as a pair of generator and
    discriminator with a `train_step` of its own, and Keras 3 saves no weights of it.
    """
    layers = direct_layers(model)
    if not model.built and layers and all(layer.built for layer in layers):
        model.built = True


def weights_file(model: keras.Model) -> memoryview | None:
    """Return the content of Keras' file of weights.

    On Keras 2 it is None: there are several files, which TensorFlow writes.  It is None too if the
    model has a `save_weights` of its own.

    Args:
        model: One that is built.
    """
    if not KERAS_3 or type(model).save_weights is not keras.Model.save_weights:
        return None
    content = _WeightsInMemory()
    model.save_weights(content)
    return content.getbuffer()


class _WeightsInMemory(io.BytesIO):
    """A file in memory to which Keras 3 writes weights."""

    def __str__(self) -> str:
        return WEIGHTS_NAME  # whose ending Keras checks


def load_weights(model: keras.Model, path: str) -> None:
    """Load weights that the same model has saved.

    The state of an optimizer is loaded if it has the same variables.  It has others if layers were
    unfrozen during the training, or if a `train_step` gives it part of the weights; Keras 3 would
    warn of that.  Keras 2 restores the optimizer's state when it is first used, and would warn at
    the end of the program if it is not used.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
        status = model.load_weights(path)
    if not KERAS_3 and status is not None:
        status.expect_partial()


def session_settings() -> Callable[[], None]:
    """Return a function that restores what `keras.backend.clear_session` drops of the user's.

    On Keras 3 that is every setting and open scope, such as the dtype policy and custom objects; on
    both the open scopes of `tf.distribute` strategies, which TensorFlow keeps in its default graph.
    The call of `clear_session` must come between.
    """
    graph = tf.compat.v1.get_default_graph()
    kept = _session_attributes() if KERAS_3 else {}

    def restore() -> None:
        if tf.executing_eagerly():
            ops._default_graph_stack._global_default_graph = graph
        for name, value in kept.items():
            global_state.set_global_attribute(name, value)

    return restore


def keras_settings() -> Callable[[], None]:
    """Return a function that restores those settings of Keras that have no common functions.

    Names of layers and random streams are not among them.
    """
    if not KERAS_3:
        policy = keras.mixed_precision.global_policy()
        interactive = keras.utils.is_interactive_logging_enabled()
        return lambda: _restore_keras_2(policy, interactive)
    before = _session_attributes()

    def restore() -> None:
        for name in {*before, *_session_attributes()} - _RANDOM:
            global_state.set_global_attribute(name, before.get(name))

    return restore


@contextmanager
def own_names() -> Iterator[None]:
    """Let the names that Keras generates begin anew, and go on with those from before at the end.

    Keras counts the layers and metrics of a class in the whole program.  So without this a model
    that was built only to be compared would turn the `auc` of the next one into `auc_1`.
    """
    before = _name_counters()
    reset_names()
    try:
        yield
    finally:
        reset_names()
        if KERAS_3:
            global_state.set_global_attribute(_NAMES, before)
        else:
            backend.PER_GRAPH_OBJECT_NAME_UIDS.update(before[0])
            backend.OBSERVED_NAMES.update(before[1])


def reset_names() -> None:
    """Let the names that Keras generates begin anew, as after `keras.backend.clear_session`."""
    if KERAS_3:
        global_state.set_global_attribute(_NAMES, None)
    else:
        backend.reset_uids()


def learning_rates_kept(model: keras.Model) -> Callable[[], None]:
    """Return a function that sets the learning rates of a compiled model to what they are now.

    They are those of all optimizers that its optimizer is made of, and of a schedule the variables,
    such as its scale.
    """
    parts = optimizer_parts(model.optimizer)
    variables = {id(held): held for part in parts for held in _rate_variables(part)}
    values = [(held, held.numpy()) for held in variables.values()]
    old = [(part, _legacy_rate(part)) for part in parts]

    def restore() -> None:
        for held, value in values:
            held.assign(value)
        for part, rate in old:
            if rate is not None:
                part.learning_rate = rate

    return restore


def optimizer_parts(optimizer: Any) -> list[Any]:
    """Return the optimizers that have a learning rate of their own: itself, or its parts."""
    inner = wrapped_optimizer(optimizer, "inner_optimizer")  # of a LossScaleOptimizer
    if inner is None:
        inner = wrapped_optimizer(optimizer, "optimizer")  # of a wrapper of tensorflow-addons
    if inner is not None:
        return optimizer_parts(inner)
    if hasattr(optimizer, "optimizer_specs"):  # tensorflow-addons' MultiOptimizer
        return [spec["optimizer"] for spec in optimizer.optimizer_specs]
    return list(getattr(optimizer, "optimizers", [optimizer]))


def let_rates_be_set(kind: Any) -> None:
    """Let whatever sets the learning rate of an optimizer change a schedule of this class.

    Keras 3 raises a `TypeError` for every schedule, and Keras 2 lets its callbacks set a rate that
    the next step forgets.  Other schedules raise a `TypeError` on both.

    Args:
        kind: A class of schedules with a method ``set_rate(rate, step)``.
    """
    owner: Any = next(c for c in keras.optimizers.Optimizer.__mro__ if "learning_rate" in vars(c))
    rate = owner.learning_rate

    def set_rate(optimizer: Any, value: Any) -> None:
        schedule = stored_learning_rate(optimizer)
        if callable(value) or not _is_schedule(schedule):
            rate.fset(optimizer, value)
        elif isinstance(schedule, kind):
            schedule.set_rate(float(value), schedule_steps(optimizer))
        else:
            raise TypeError(
                f"The learning rate cannot be set, for it is a {type(schedule).__name__}.  Pass "
                "the optimizer a number, or the schedule as `kte.schedules.Scaled(schedule)`, "
                "whose scale is then changed."
            )

    owner.learning_rate = property(rate.fget, set_rate, doc=rate.__doc__)
    if not KERAS_3:  # callbacks assign to the value of `lr`
        owner.lr = property(_settable_rate, owner.lr.fset, doc=owner.lr.__doc__)


def stored_learning_rate(optimizer: Any) -> Any:
    """Return the schedule or the variable of an optimizer's learning rate.

    The public `optimizer.learning_rate` has only the current value of a schedule.

    Returns:
        None for an optimizer without a learning rate of its own, as `MultiOptimizer`, and for one
        that stores it in `legacy_numbers`.
    """
    return getattr(optimizer, "_learning_rate", None)


def schedule_steps(optimizer: Any) -> Any:
    """Return the number of steps for which an optimizer calls its schedule.

    It counts batches; the public `iterations` counts updates on Keras 3, which are fewer with
    `gradient_accumulation_steps`.
    """
    steps = getattr(optimizer, "_iterations", None)
    return optimizer.iterations if steps is None else steps


def legacy_numbers(optimizer: Any) -> Mapping[str, Any] | None:
    """Return the numbers of an optimizer by name: variables, schedules or plain numbers.

    Returns:
        None unless the optimizer is one from before Keras 2.11, or from tensorflow-addons.
    """
    return vars(optimizer).get("_hyper")


def optimizer_name(optimizer: Any) -> str:
    """Return the name of an optimizer; those from before Keras 2.11 have no public one."""
    return str(getattr(optimizer, "name", None) or optimizer._name)


def wrapped_optimizer(optimizer: Any, key: str) -> Any:
    """Return the optimizer that a wrapper has at a key of its configuration, None if there is none.

    The key is `"inner_optimizer"` for a `LossScaleOptimizer` and `"optimizer"` for the wrappers of
    tensorflow-addons.
    """
    return getattr(optimizer, {"optimizer": "_optimizer"}.get(key, key), None)


def compile_arguments(model: keras.Model) -> dict[str, Any]:
    """Return the arguments that a model was compiled with; none if they are not known."""
    return dict(getattr(getattr(model, "_compile_config", None), "config", {}))


def is_built(metric: Any) -> bool:
    """Tell whether a metric of Keras 3 has its variables; some create them when they are called."""
    return bool(getattr(metric, "_built", True))


def require_tensorflow(name: str) -> None:
    """Raise if Keras runs on another backend than TensorFlow.

    Args:
        name: What needs TensorFlow, a public name.
    """
    backend_name = keras.backend.backend()
    if backend_name != "tensorflow":
        raise RuntimeError(
            f"`{name}` needs Keras to run on TensorFlow, got the backend {backend_name!r}; set "
            "KERAS_BACKEND=tensorflow before Keras is imported, or use one of Keras' own."
        )


def keras_mask(scores: Any) -> Any:
    """Return the mask that Keras has attached to scores, None if there is none."""
    return getattr(scores, "_keras_mask", None)


def with_keras_mask(losses: Any, mask: Any) -> Any:
    """Attach to losses which of them count, as Keras does for `ignore_class`."""
    losses._keras_mask = mask
    return losses


def is_activated(scores: Any) -> bool:
    """Tell whether Keras has marked a tensor as the output of a softmax or sigmoid.

    Only Keras 2 does; it attaches the logits to the tensor.
    """
    return hasattr(scores, "_keras_logits")


def _symbolic(shapes: Any) -> Any:
    """Turn a nest of shapes into a nest of symbolic tensors."""
    if isinstance(shapes, Mapping):
        return {name: _symbolic(shape) for name, shape in shapes.items()}
    if shapes and all(size is None or isinstance(size, int) for size in shapes):
        return keras.KerasTensor(tuple(shapes))
    return [_symbolic(shape) for shape in shapes]


def take_raw_logs(callback: keras.callbacks.Callback) -> None:
    """Let Keras 2 call a callback at each batch without a copy of the logs from the device."""
    callback._supports_tf_logs = True


def epochs_given(callback: keras.callbacks.Callback) -> int | None:
    """Return how many epochs a training was given, None if nobody has told its callbacks.

    A loop of the user's own need not call `set_params`.  Keras 3 then has None in `params`, and
    Keras 2 has no such attribute.
    """
    params: Mapping[str, Any] = getattr(callback, "params", None) or {}
    return params.get("epochs")


def forget_model(history: keras.callbacks.History) -> None:
    """Drop the reference of a `History` to its model, which would stay in memory."""
    history.set_model(None)


def make_randomness_restorable(model: keras.Model) -> None:
    """Let a model's layers draw random numbers from states that can be saved and restored.

    On Keras 3 they do.  On Keras 2 a layer such as `Dropout` uses operations whose state cannot be
    read; after this call it uses a `tf.random.Generator`.
    """
    changed = False
    for generator in _own_generators(model):
        if getattr(generator, "_rng_type", None) == "legacy_stateful":
            generator._rng_type, generator._built, changed = "stateful", False, True
    if changed and model.train_function is not None:  # it may have been traced with them
        model.make_train_function(force=True)


def retrace(model: keras.Model) -> None:
    """Let the next batch be traced again, if one was traced already."""
    optimizer: Any = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if getattr(optimizer, "jit_compile", False):  # Keras 2 then traces the update step separately
        step = type(optimizer)._update_step_xla.python_function
        optimizer._update_step_xla = tf.function(step.__get__(optimizer), jit_compile=True)
    if model.train_function is not None:
        model.make_train_function(force=True)


def retrace_all(model: keras.Model) -> None:
    """Let the next batch of a training, a validation and a prediction be traced again."""
    retrace(model)
    if model.test_function is not None:
        model.make_test_function(force=True)
    if model.predict_function is not None:
        model.make_predict_function(force=True)


def compilation(model: keras.Model) -> Any:
    """Return an object that is another after the next call of `compile`."""
    return getattr(model, "_compile_config", None)


def seeds_late(model: keras.Model) -> bool:
    """Return whether a layer seeds its generator when it first draws, as layers of Keras 2 do."""
    return not KERAS_3 and bool(_own_generators(model))


def forget_training(model: keras.Model) -> None:
    """Drop what `fit` leaves on a model beside its variables."""
    model.stop_training, model.history = False, None
    if hasattr(model, "_initial_epoch"):  # which `BackupAndRestore` of Keras 3 sets
        model._initial_epoch = None


def step_variables(model: keras.Model) -> list[Any]:
    """Return all variables that a step of a built model may use, if it is one of Keras' own."""
    counters = ("_train_counter", "_test_counter", "_predict_counter")
    own = [getattr(model, name) for name in counters if hasattr(model, name)]  # on Keras 2
    metrics = [variable for metric in model.metrics for variable in metric.variables]
    return [*state_variables(model), *optimizer_variables(model), *metrics, *own]


def value_of(variable: Any) -> tf.Tensor:
    """Return the value of a variable on this device, without Keras' checks and conversions."""
    dtype = tf.as_dtype(variable.dtype)
    return tf.raw_ops.ReadVariableOp(resource=variable.handle, dtype=dtype)


def assign_value(variable: Any, value: tf.Tensor) -> None:
    """Set a variable on this device to a value of its shape and type, in a tenth of the time."""
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)


def foreign_state(graph: Any, variables: list[Any]) -> str | None:
    """Return what a traced step reads or changes beside variables, None if there is nothing.

    Args:
        graph: The graph of the step.
        variables: The variables that it may use.
    """
    handles = {id(variable.handle) for variable in variables}
    outer = [tensor for tensor, _ in graph.captures]
    if any(t.dtype in {tf.resource, tf.variant} and id(t) not in handles for t in outer):
        return "a variable or a table that Keras does not know"
    definition = graph.as_graph_def()
    nodes = [node.op for node in definition.node]
    nodes += [node.op for one in definition.library.function for node in one.node_def]
    names = {name for name in nodes if not _KEEPS_NO_STATE.match(name)}
    found = sorted(name for name in names if _is_stateful(name))
    return f"the operation {found[0]}" if found else None


def _is_stateful(operation: str) -> bool:
    definition = op_def_registry.get(operation)
    return definition is None or definition.is_stateful or "PyFunc" in operation


@contextmanager
def operations_seen(see: Callable[..., None]) -> Iterator[None]:
    """Call a function after each operation that TensorFlow runs in this thread, one by one.

    Functions that `tf.function` has made run as their Python code, so that loops are seen, too.

    Args:
        see: Called with the name of the operation, its inputs, its attributes as names and values
            in turn, and its outputs.
    """
    before = tf.config.functions_run_eagerly()

    def called(name: Any, inputs: Any, attributes: Any, outputs: Any, *_: Any, **__: Any) -> None:
        see(tf.compat.as_str(name), inputs, attributes, outputs)

    tf.config.run_functions_eagerly(True)
    op_callbacks.add_op_callback(called)
    try:
        yield
    finally:
        op_callbacks.remove_op_callback(called)
        tf.config.run_functions_eagerly(before)


def is_operation(name: str) -> bool:
    """Return whether TensorFlow has an operation of this name; functions have other names."""
    return op_def_registry.get(name) is not None


def input_specs(model: keras.Model) -> Any:
    """Return the shapes and types of what a built model is called with, in its structure.

    Returns:
        A structure of `tf.TensorSpec`, None if it is not known.  Keras 3 does not keep the types of
        the inputs of a subclassed model; they are then the model's own.
    """
    if getattr(model, "inputs", None):
        given = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
        return tf.nest.map_structure(lambda one: tf.TensorSpec(one.shape, one.dtype), given)
    if not KERAS_3:
        spec = model.save_spec()
        return None if spec is None or len(spec[0]) != 1 else spec[0][0]
    config = model.get_build_config() or {}
    shapes = config.get("input_shape")
    return None if shapes is None else _specs(shapes, model.compute_dtype)


def _specs(shapes: Any, dtype: str) -> Any:
    """Turn a nest of shapes into a nest of specifications."""
    if isinstance(shapes, Mapping):
        return {name: _specs(shape, dtype) for name, shape in shapes.items()}
    if all(size is None or isinstance(size, int) for size in shapes):
        return tf.TensorSpec(shapes, dtype)
    return [_specs(shape, dtype) for shape in shapes]


def state_variables(model: keras.Model) -> list[Any]:
    """Return all variables of a built model except those of its optimizer and its metrics.

    They are in the order of the layers; the states of random generators are last.
    """
    states = []
    for generator in _own_generators(model):
        if hasattr(generator, "_maybe_init"):
            generator._maybe_init()
            generator = generator._generator
        if isinstance(generator, tf.random.Generator):
            states.append(generator.state)
    return [*only_variables(model.variables), *states]


def only_variables(weights: list[Any]) -> list[Any]:
    """Return the weights without those that are tables, as Keras 2 has them for vocabularies."""
    return [weight for weight in weights if hasattr(weight, "shape")]


def optimizer_variables(model: keras.Model) -> list[Any]:
    """Build the optimizer of a built model, and return all its variables."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        return []
    return built_optimizer_variables(optimizer, list(model.trainable_variables))


def built_optimizer_variables(optimizer: Any, variables: list[Any]) -> list[Any]:
    """Build an optimizer for some variables, and return its own."""
    _build_optimizer(optimizer, variables)
    found = {id(variable): variable for variable in _variables_of(optimizer)}
    return list(found.values())


def input_spec(model: keras.Model) -> Any:
    """Return the input specification for `build_from_spec`: shapes, on Keras 2 with dtypes."""
    if KERAS_3:
        return model.get_build_config()
    spec = model.save_spec()
    return None if spec is None else tf.nest.map_structure(_spec, spec)


def build_from_spec(model: keras.Model, spec: Any) -> None:
    """Create the variables of a model that has not seen data, from the `input_spec` of another."""
    if KERAS_3:
        build_for_loading(model, spec)
    elif not model.built and spec is not None:
        arguments, keywords = _tensor_specs(spec)
        tf.function(model.__call__).get_concrete_function(*arguments, **keywords)


def keras_seeds() -> Callable[[], None]:
    """Return a function that restores the state from which Keras draws missing seeds."""
    if not KERAS_3:
        stream = getattr(backend._SEED_GENERATOR, "generator", None)
        state = None if stream is None else stream.getstate()
        return lambda: _restore_stream(stream, state)
    kept = {name: global_state.get_global_attribute(name) for name in _RANDOM}
    generator = kept[seed_generator.GLOBAL_SEED_GENERATOR]
    values = None if generator is None else generator.state.numpy()

    def restore() -> None:
        for name, value in kept.items():
            global_state.set_global_attribute(name, value)
        if generator is not None:
            generator.state.assign(values)

    return restore


def set_keras_seed(seed: int) -> None:
    """Set the state from which Keras draws missing seeds, as `keras.utils.set_random_seed` does."""
    if KERAS_3:
        global_state.set_global_attribute(rng_utils.GLOBAL_RANDOM_SEED, seed)
        global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, None)
    else:
        backend._SEED_GENERATOR.generator = random.Random(seed)


def global_seed_state() -> Any:
    """Return the state from which Keras draws missing seeds, None if it is not set.

    Keras 3 has a `SeedGenerator` for them, Keras 2 a `random.Random`.
    """
    if KERAS_3:
        generator = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
        return None if generator is None else generator.state.numpy()
    stream = getattr(backend._SEED_GENERATOR, "generator", None)
    return None if stream is None else np.array(stream.getstate()[1], np.uint32)


def set_global_seed_state(state: Any) -> None:
    """Restore the result of `global_seed_state`; nothing is done if it is None."""
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
        include_model: Whether to return the model itself too, as the first.
    """
    return list(model._flatten_layers(recursive=True, include_self=include_model))


def direct_layers(layer: Any) -> list[Any]:
    """Return the layers that a layer or a model is made of, without those that are inside them."""
    return list(layer._flatten_layers(recursive=False, include_self=False))


def decaying(optimizer: Any, variables: list[Any]) -> list[bool]:
    """Tell which variables an optimizer's weight decay applies to, if it has one."""
    return [bool(optimizer._use_weight_decay(variable)) for variable in variables]


def eager_seeds() -> tuple[int | None, random.Random | None]:
    """Return TensorFlow's global seed, and the `random.Random` that seeds eager operations."""
    eager = context.context()
    return getattr(eager, "_seed", None), getattr(eager, "_rng", None)


def set_eager_seed(seed: int | None) -> random.Random:
    """Set the global seed as `tf.random.set_seed` does, but keep the cached kernels.

    Returns:
        The `random.Random` that seeds eager operations.
    """
    eager = context.context()
    eager._seed, eager._rng = seed, random.Random(seed)
    return eager._rng


def global_generator() -> Any:
    """Return TensorFlow's global random generator, None if it does not exist yet."""
    return getattr(stateful_random_ops, "global_generator", None)


def eager_randomness() -> Callable[[], None]:
    """Return a function that restores TensorFlow's global seed and the stream of eager seeds."""
    eager = context.context()
    seed, stream = eager_seeds()
    state: Any = None if stream is None else stream.getstate()

    def restore() -> None:
        eager._seed, eager._rng = seed, stream
        if stream is not None:
            stream.setstate(state)

    return restore


def registered_gradients() -> dict[str, dict[str, Any]]:
    """Return TensorFlow's gradient registry itself, entries by name; it may be modified."""
    registry: dict[str, dict[str, Any]] = getattr(
        getattr(ops, "gradient_registry", None), "_registry", {}
    )
    return registry


def _own_generators(model: keras.Model) -> list[Any]:
    """Return the random generators of layers whose state is not among the layers' variables."""
    layers = all_layers(model, include_model=True)
    values = (value for layer in layers for value in vars(layer).values())
    found = (v for v in values if isinstance(v, tf.random.Generator) or hasattr(v, "_rng_type"))
    return list({id(generator): generator for generator in found}.values())


def fit_dataset(
    model: keras.Model, dataset: tf.data.Dataset, steps: int | None, **arguments: Any
) -> tf.data.Dataset:
    """Return the data set whose batches `fit` gives to `train_step`.

    Args:
        model: The model.
        dataset: As for `fit`.
        steps: The batches of an epoch, None for all.
        **arguments: `class_weight` as for `fit`.
    """
    if KERAS_3:
        return data_adapters.get_data_adapter(dataset, **arguments).get_tf_dataset()
    arguments = {**arguments, "model": model, "steps_per_epoch": steps}
    return data_adapter.get_data_handler(dataset, **arguments)._dataset


def fit_tensors(model: keras.Model, x: Any, **arguments: Any) -> Any:
    """Return what `fit` gives to `train_step`, as one batch.

    Args:
        model: The model.
        x: As for `fit`: dense arrays or nests of them.
        **arguments: `y`, `sample_weight` and `class_weight` as for `fit`, and `batch_size`, which
            is the number of all rows.
    """
    if not KERAS_3:
        handler = data_adapter.get_data_handler(x, model=model, **arguments)
        return next(iter(handler._dataset))
    inputs = data_adapters.get_data_adapter(x, **arguments)._inputs
    arrays = array_slicing.convert_to_sliceable(inputs, target_backend="tensorflow")
    return tf.nest.map_structure(tf.convert_to_tensor, keras.tree.lists_to_tuples(arrays))


def split_for_validation(arrays: Any, fraction: float) -> tuple[Any, Any]:
    """Return the parts of arrays that `fit` trains and validates on for a `validation_split`."""
    if KERAS_3:
        parts = array_slicing.train_validation_split(arrays, fraction)
    else:
        parts = data_adapter.train_validation_split(arrays, fraction)
    return parts[0], parts[1]


@contextmanager
def fit_scope(model: keras.Model) -> Iterator[None]:
    """Do what Keras 2 does around a training: count its steps, train what `compile` has seen."""
    if KERAS_3:
        yield
        return
    with training_utils.RespectCompiledTrainableState(model):
        model._train_counter.assign(0)
        yield


def create_metrics(model: keras.Model, batch: Any) -> None:
    """Create the variables of metrics and optimizer that a first step would create.

    A step that creates variables is traced twice.  Nothing is done for a step of the user's own,
    which may use others, nor on Keras 2.

    Args:
        model: A compiled model.
        batch: A nest of `tf.TensorSpec` of what its `train_step` gets.
    """
    if KERAS_3 and model.built and type(model).train_step is keras.Model.train_step:
        with contextlib.suppress(Exception):  # which the step itself will raise again
            model._symbolic_build(data_batch=batch)


def begin_test(model: keras.Model) -> None:
    """Do what Keras does at the beginning of a validation, after the callbacks were told."""
    if KERAS_3:
        model.stop_evaluating = False
    else:
        model._test_counter.assign(0)


def count_step(model: keras.Model, *, training: bool) -> None:
    """Count a step, in the graph of one; Keras 2 has a counter that TensorBoard reads."""
    if not KERAS_3:
        (model._train_counter if training else model._test_counter).assign_add(1)


def epoch_logs(model: keras.Model, logs: Any) -> dict[str, Any]:
    """Return the metrics of an epoch, or else the logs of its last step if they are others."""
    if KERAS_3:
        return dict(model._get_metrics_result_or_logs(logs))
    return dict(model._validate_and_get_metrics_result(logs))


def is_compiled(model: keras.Model) -> bool:
    """Return whether `compile` was called."""
    return bool(model.compiled if KERAS_3 else model._is_compiled)


def verbosity(verbose: Any) -> Any:
    """Return the `verbose` that `fit` gives to its callbacks."""
    if KERAS_3 or verbose != "auto":
        return verbose
    return 1 if keras.utils.is_interactive_logging_enabled() else 2


def profiles(board: keras.callbacks.TensorBoard) -> bool:
    """Return whether a callback profiles batches."""
    return bool(board._should_trace)


def first_epoch(model: keras.Model, given: int) -> int:
    """Return the first epoch of a training: `BackupAndRestore` of Keras 3 sets another."""
    return getattr(model, "_initial_epoch", None) or given


def draw_seed() -> int:
    """Return a seed from the stream that seeds eager operations, if a global seed is set.

    `checkpoints.random_state` saves that stream.  Without a global seed no stream is changed.
    """
    seed, stream = eager_seeds()
    if seed is None or stream is None:
        return secrets.randbits(31)
    return stream.randint(0, 2**31 - 1)


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


def _name_counters() -> Any:
    """Return the numbers of the names that Keras has generated."""
    if KERAS_3:
        return global_state.get_global_attribute(_NAMES)
    counters = backend.PER_GRAPH_OBJECT_NAME_UIDS
    return {graph: counts.copy() for graph, counts in counters.items()}, set(backend.OBSERVED_NAMES)


def _settable_rate(optimizer: Any) -> Any:
    """Return the learning rate for callbacks of Keras 2."""
    inner = wrapped_optimizer(optimizer, "inner_optimizer")
    if inner is not None:
        return inner.lr
    is_schedule = _is_schedule(stored_learning_rate(optimizer))
    return _SettableRate(optimizer) if is_schedule else optimizer.learning_rate


class _SettableRate(float):
    """The current rate of a schedule; Keras 2 reads it as a number and assigns to it."""

    dtype = tf.float32
    assign: Callable[[Any], None]

    def __new__(cls, optimizer: Any) -> _SettableRate:
        rate = stored_learning_rate(optimizer)(schedule_steps(optimizer))
        made = super().__new__(cls, float(rate))
        made.assign = functools.partial(setattr, optimizer, "learning_rate")
        return made

    def __deepcopy__(self, memo: Any) -> float:
        return float(self)

    def __reduce__(self) -> Any:
        return float, (float(self),)


def _is_schedule(rate: Any) -> bool:
    return isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)


def _rate_variables(optimizer: Any) -> list[Any]:
    """Return the variables of an optimizer's learning rate or of its schedule."""
    rate = stored_learning_rate(optimizer)
    return [rate] if _is_variable(rate) else _schedule_variables(rate)


def _schedule_variables(schedule: Any) -> list[Any]:
    """Return the variables of a schedule and of those that it is made of."""
    if isinstance(schedule, (list, tuple)):
        return [found for item in schedule for found in _schedule_variables(item)]
    if not _is_schedule(schedule):
        return []
    own = [value for _, value in sorted(vars(schedule).items())]
    return [
        found
        for value in own
        for found in ([value] if _is_variable(value) else _schedule_variables(value))
    ]


def _legacy_rate(optimizer: Any) -> float | None:
    """Return the learning rate of an optimizer from before Keras 2.11 that has no schedule."""
    rate = (legacy_numbers(optimizer) or {}).get("learning_rate")
    if rate is None or _is_schedule(rate):
        return None
    return float(rate.numpy() if hasattr(rate, "numpy") else rate)


def _variables_of(optimizer: Any) -> list[Any]:
    weights = optimizer.variables() if callable(optimizer.variables) else optimizer.variables
    # On Keras 2 `variables` lacks the hyperparameters and the loss scale.
    own = {**vars(optimizer), **(legacy_numbers(optimizer) or {})}
    others = [value for _, value in sorted(own.items()) if _is_variable(value)]
    others += getattr(own.get("_loss_scale"), "_weights", {}).values()
    others += [found for part in optimizer_parts(optimizer) for found in _rate_variables(part)]
    inner = [
        wrapped_optimizer(optimizer, "inner_optimizer") or wrapped_optimizer(optimizer, "optimizer")
    ]
    inner += [spec["optimizer"] for spec in own.get("optimizer_specs", ())]
    wrapped = [_variables_of(one) for one in inner if one is not None]
    return [*weights, *others, *(variable for found in wrapped for variable in found)]


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


def _session_attributes() -> dict[str, Any]:
    """Return Keras 3's global attributes except those that belong to models: names and tensors."""
    found = dict(vars(global_state.GLOBAL_STATE_TRACKER))
    return {name: value for name, value in found.items() if not _is_of_models(name)}


def _is_of_models(name: str) -> bool:
    """Tell whether a global attribute holds names, tensors or objects of models."""
    if name == "custom_objects_scope_dict":
        return False
    return name.endswith(("_dict", "_uids", "_variables", "_ctx")) or "shared_objects" in name


def _restore_keras_2(policy: Any, interactive: bool) -> None:
    if keras.mixed_precision.global_policy().name != policy.name:
        keras.mixed_precision.set_global_policy(policy)
    if interactive:
        keras.utils.enable_interactive_logging()
    else:
        keras.utils.disable_interactive_logging()


def _restore_stream(stream: random.Random | None, state: Any) -> None:
    if stream is not None:
        stream.setstate(state)
        backend._SEED_GENERATOR.generator = stream
    elif hasattr(backend._SEED_GENERATOR, "generator"):
        del backend._SEED_GENERATOR.generator
