"""Each private name of another library is in `docs/private-names.md` and has a canary test.

A canary checks that a name is still there, and fails with a sentence saying what breaks without it.
The names that the package uses are found by walking the syntax trees of its modules; the table must
list exactly these, with the packages that use them.
"""

import ast
import functools
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

import kt_extras
from kt_extras.compat import KERAS_3

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kt_extras"

LIBRARIES = ("keras", "keras_tuner", "tensorflow", "tensorboard")
PRIVATE_PACKAGES = (
    *("keras.src", "tensorflow.python", "keras_tuner.src", "keras_tuner.engine"),
    "tensorboard",
)
PUBLIC_MODULES = ("tensorboard.plugins.hparams.api",)  # TensorFlow's guides tell users to import it

# Files outside `compat.py`, `bridge/` and `tensorboard/` that import from such packages.
# `keras_tuner.engine.trial` may be imported everywhere: its classes have no public name.
ALLOWED = {
    ("model_reuse/shape_changes.py", "keras_tuner.engine.hyperparameters"),  # their classes
    ("stacking/converters.py", "tensorflow.python.ops.parallel_for.pfor"),
    ("stacking/keras_internals.py", "keras.src.optimizers.base_optimizer.BaseOptimizer"),
    ("tuners/recorded_tuner.py", "keras_tuner.engine.tuner.maybe_distribute"),
    ("tuners/trained_models.py", "keras_tuner.engine.tuner.maybe_distribute"),
}


def model():
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def exists(path):
    """Return a check that there is such a module, or such an attribute of a module."""

    def check():
        module, _, name = path.rpartition(".")
        if hasattr(importlib.import_module(module), name):
            return True
        return importlib.import_module(path) is not None

    return check


def in_source(cls, text):
    """Return a check that the code of a class sets an attribute of its objects."""
    return lambda: any(text in inspect.getsource(kind) for kind in cls.__mro__[:-1])


def legacy_sgd():
    return keras.optimizers.legacy.SGD(0.1)


def has_eager(name):
    def check():
        from tensorflow.python.eager import context

        tf.random.set_seed(1)
        return hasattr(context.context(), name)

    return check


def has_default_graph():
    from tensorflow.python.framework import ops

    with tf.Graph().as_default():
        return hasattr(ops._default_graph_stack, "_global_default_graph")


def has_registry():
    from tensorflow.python.framework import ops

    return isinstance(ops.gradient_registry._registry, dict)


def has_global_generator():
    from tensorflow.python.ops import stateful_random_ops

    return hasattr(stateful_random_ops, "global_generator")


def names_custom_gradients():
    @tf.custom_gradient
    def same(x):
        return tf.identity(x), lambda upstream: upstream

    from tensorflow.python.framework import ops

    tf.function(same).get_concrete_function(tf.TensorSpec([], tf.float32))
    entries = ops.gradient_registry._registry
    return any(name.startswith("CustomGradient-") and "type" in entries[name] for name in entries)


def marks_logits():
    probabilities = keras.activations.softmax(tf.constant([[1.0, 2.0]]))
    return hasattr(probabilities, "_keras_logits")


def attaches_masks():
    scores = keras.layers.Masking()(tf.constant([[[1.0], [0.0]]]))
    return scores._keras_mask.numpy().tolist() == [[True, False]]


def has_loss_scale():
    """Tell whether an optimizer in mixed precision keeps its loss scale where it is looked for."""
    optimizer = keras.mixed_precision.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    return len(optimizer._loss_scale._weights) > 0


def wraps_an_optimizer():
    """Tell whether a wrapper of tensorflow-addons keeps its optimizer where it is looked for."""
    addons = pytest.importorskip("tensorflow_addons")
    return hasattr(addons.optimizers.Lookahead(legacy_sgd()), "_optimizer")


def optimizer_of_a_weight(**settings):
    made = keras.optimizers.SGD(0.1, **settings)
    made.build([keras.Variable([1.0])])
    return made


def caches_weight_decay():
    made = optimizer_of_a_weight()
    made._use_weight_decay(made._trainable_variables[0])
    return len(made._exclude_from_weight_decay_cache) == 1


def averages_weights():
    return len(optimizer_of_a_weight(use_ema=True)._model_variables_moving_average) == 1


def makes_summaries(path, *given):
    """Return a check that a function makes the message of a summary."""

    def check():
        module, _, name = path.rpartition(".")
        made = getattr(importlib.import_module(module), name)(*given)
        return len(made.value) == 1

    return check


def tuner_has(cls, name):
    return lambda: hasattr(cls, name)


def random_generator():
    from keras.src import backend

    return backend.RandomGenerator(rng_type="legacy_stateful")


def has_generator():
    generator = random_generator()
    generator._rng_type = "stateful"
    generator._maybe_init()
    return isinstance(generator._generator, tf.random.Generator)


def has_inputs():
    from keras.src.trainers import data_adapters

    return len(data_adapters.get_data_adapter(np.ones((2, 2)), np.ones(2))._inputs) == 2


def has_dataset():
    from keras.src.engine import data_adapter

    handler = data_adapter.get_data_handler(tf.ones((2, 2)), model=model())
    return isinstance(handler._dataset, tf.data.Dataset)


BOTH, KERAS_2_ONLY, KERAS_3_ONLY = "both", "2", "3"
Callbacks = keras.callbacks
BaseTuner, Tuner, Oracle = (
    keras_tuner.engine.base_tuner.BaseTuner,
    keras_tuner.Tuner,
    keras_tuner.Oracle,
)

# The name in the table, the generation of Keras, the check, and what would break.
CANARIES = [
    (
        "Model._flatten_layers",
        BOTH,
        lambda: len(list(model()._flatten_layers(recursive=True, include_self=False))) >= 1,
        "layers at all depths are not found: states miss generators, PBT does not reuse models",
    ),
    (
        "Model._compile_config",
        BOTH,
        lambda: "loss" in model()._compile_config.config,
        "PBT reuses a model although its loss or its metrics differ",
    ),
    (
        "Optimizer._learning_rate",
        BOTH,
        lambda: hasattr(model().optimizer, "_learning_rate"),
        "a resumed training does not keep its own learning rate, schedules are not found",
    ),
    (
        "Optimizer._use_weight_decay",
        BOTH,
        lambda: hasattr(model().optimizer, "_use_weight_decay"),
        "`differential` decays weights that its optimizer excludes",
    ),
    (
        "Optimizer._iterations",
        BOTH,
        lambda: hasattr(model().optimizer, "_iterations"),
        "the learning rate of a schedule is shown for the wrong step",
    ),
    (
        "tensor._keras_logits",
        KERAS_2_ONLY,
        marks_logits,
        "losses with `from_logits=True` accept probabilities",
    ),
    (
        "tensor._keras_mask",
        BOTH,
        attaches_masks,
        "metrics count the rows that a mask excludes, and `ignore_class` has no effect",
    ),
    (
        "Callback._supports_tf_logs",
        KERAS_2_ONLY,
        lambda: hasattr(Callbacks.Callback(), "_supports_tf_logs"),
        "each batch of a search waits for its logs",
    ),
    (
        "Optimizer._built",
        KERAS_2_ONLY,
        lambda: (
            hasattr(model().optimizer, "_built") or in_source(type(model().optimizer), "_built")()
        ),
        "the optimizer is built twice when its state is restored",
    ),
    (
        "Optimizer._update_step_xla",
        KERAS_2_ONLY,
        lambda: hasattr(type(model().optimizer), "_update_step_xla"),
        "a changed number of the optimizer is ignored after `jit_compile`",
    ),
    (
        "legacy.Optimizer._hyper",
        KERAS_2_ONLY,
        lambda: "learning_rate" in legacy_sgd()._hyper,
        "the numbers of an old optimizer are neither saved nor changed",
    ),
    (
        "legacy.Optimizer._create_all_weights",
        KERAS_2_ONLY,
        lambda: hasattr(legacy_sgd(), "_create_all_weights"),
        "the state of an old optimizer cannot be restored",
    ),
    (
        "legacy.Optimizer._name",
        KERAS_2_ONLY,
        lambda: hasattr(legacy_sgd(), "_name"),
        "learning rates of old optimizers are logged without a name",
    ),
    (
        "LossScaleOptimizer._loss_scale",
        KERAS_2_ONLY,
        has_loss_scale,
        "the loss scale of mixed precision is not saved",
    ),
    (
        "LossScaleOptimizer._loss_scale._weights",
        KERAS_2_ONLY,
        has_loss_scale,
        "the loss scale of mixed precision is not saved",
    ),
    (
        "Lookahead._optimizer",
        KERAS_2_ONLY,
        wraps_an_optimizer,
        "the optimizer in a wrapper of tensorflow-addons is neither saved nor changed",
    ),
    (
        "RandomGenerator._rng_type",
        KERAS_2_ONLY,
        lambda: random_generator()._rng_type == "legacy_stateful",
        "dropout does not repeat after a resume",
    ),
    (
        "RandomGenerator._built",
        KERAS_2_ONLY,
        lambda: hasattr(random_generator(), "_built"),
        "dropout does not repeat after a resume",
    ),
    (
        "RandomGenerator._maybe_init",
        KERAS_2_ONLY,
        lambda: hasattr(random_generator(), "_maybe_init"),
        "the state of dropout is not saved",
    ),
    (
        "RandomGenerator._generator",
        KERAS_2_ONLY,
        has_generator,
        "the state of dropout is not saved",
    ),
    (
        "backend._SEED_GENERATOR",
        KERAS_2_ONLY,
        exists("keras.src.backend._SEED_GENERATOR"),
        "seeds of initialisers do not repeat after a resume",
    ),
    (
        "global_state.set_global_attribute",
        KERAS_3_ONLY,
        exists("keras.src.backend.common.global_state.set_global_attribute"),
        "trials with a seed do not repeat",
    ),
    (
        "global_state.get_global_attribute",
        KERAS_3_ONLY,
        exists("keras.src.backend.common.global_state.get_global_attribute"),
        "the seeds that Keras draws are not saved",
    ),
    (
        "seed_generator.GLOBAL_SEED_GENERATOR",
        KERAS_3_ONLY,
        exists("keras.src.random.seed_generator.GLOBAL_SEED_GENERATOR"),
        "the seeds that Keras draws are not saved",
    ),
    (
        "seed_generator.global_seed_generator",
        KERAS_3_ONLY,
        exists("keras.src.random.seed_generator.global_seed_generator"),
        "the seeds that Keras draws are not restored",
    ),
    (
        "rng_utils.GLOBAL_RANDOM_SEED",
        KERAS_3_ONLY,
        exists("keras.src.utils.rng_utils.GLOBAL_RANDOM_SEED"),
        "trials with a seed do not repeat",
    ),
    (
        "data_adapters.get_data_adapter",
        KERAS_3_ONLY,
        exists("keras.src.trainers.data_adapters.get_data_adapter"),
        "the data of `fit` cannot be turned into tensors",
    ),
    (
        "ArrayDataAdapter._inputs",
        KERAS_3_ONLY,
        has_inputs,
        "the data of `fit` cannot be turned into tensors",
    ),
    (
        "array_slicing.convert_to_sliceable",
        KERAS_3_ONLY,
        exists("keras.src.trainers.data_adapters.array_slicing.convert_to_sliceable"),
        "the data of `fit` cannot be turned into tensors",
    ),
    (
        "array_slicing.train_validation_split",
        KERAS_3_ONLY,
        exists("keras.src.trainers.data_adapters.array_slicing.train_validation_split"),
        "`validation_split` falls back to `keras.Model.fit`",
    ),
    (
        "Model._get_metrics_result_or_logs",
        KERAS_3_ONLY,
        lambda: model()._get_metrics_result_or_logs({}) == {},
        "an epoch as one program cannot return its logs",
    ),
    (
        "Model._initial_epoch",
        KERAS_3_ONLY,
        lambda: hasattr(model(), "_initial_epoch"),
        "`BackupAndRestore` begins with epoch 0",
    ),
    (
        "data_adapter.get_data_handler",
        KERAS_2_ONLY,
        exists("keras.src.engine.data_adapter.get_data_handler"),
        "the data of `fit` cannot be turned into tensors",
    ),
    (
        "data_adapter.train_validation_split",
        KERAS_2_ONLY,
        exists("keras.src.engine.data_adapter.train_validation_split"),
        "`validation_split` falls back to `keras.Model.fit`",
    ),
    (
        "DataHandler._dataset",
        KERAS_2_ONLY,
        has_dataset,
        "the data of `fit` cannot be turned into tensors",
    ),
    (
        "training_utils.RespectCompiledTrainableState",
        KERAS_2_ONLY,
        exists("keras.src.engine.training_utils.RespectCompiledTrainableState"),
        "layers that are frozen after `compile` are not trained",
    ),
    (
        "Model._train_counter",
        KERAS_2_ONLY,
        lambda: hasattr(model(), "_train_counter"),
        "TensorBoard shows all epochs at step 0",
    ),
    (
        "Model._test_counter",
        KERAS_2_ONLY,
        lambda: hasattr(model(), "_test_counter"),
        "TensorBoard shows all epochs at step 0",
    ),
    (
        "Model._validate_and_get_metrics_result",
        KERAS_2_ONLY,
        lambda: model()._validate_and_get_metrics_result({}) == {},
        "an epoch as one program cannot return its logs",
    ),
    (
        "Model._is_compiled",
        KERAS_2_ONLY,
        lambda: model()._is_compiled,
        "`fit` without `compile` has another error",
    ),
    (
        "ModelCheckpoint._batches_seen_since_last_saving",
        BOTH,
        in_source(Callbacks.ModelCheckpoint, "_batches_seen_since_last_saving"),
        "a resumed ModelCheckpoint saves after the wrong batch",
    ),
    (
        "SwapEMAWeights._ema_weights_in_model",
        KERAS_3_ONLY,
        lambda: in_source(Callbacks.SwapEMAWeights, "_ema_weights_in_model")(),
        "a resumed SwapEMAWeights swaps the weights the wrong way",
    ),
    ("context._seed", BOTH, has_eager("_seed"), "the seeds of eager operations are not saved"),
    ("context._rng", BOTH, has_eager("_rng"), "the seeds of eager operations are not saved"),
    (
        "stateful_random_ops.global_generator",
        BOTH,
        has_global_generator,
        "TensorFlow's global generator is not saved",
    ),
    (
        "ops._default_graph_stack",
        BOTH,
        exists("tensorflow.python.framework.ops._default_graph_stack"),
        "searches in the scope of a strategy raise at its end",
    ),
    (
        "ops._default_graph_stack._global_default_graph",
        BOTH,
        has_default_graph,
        "searches in the scope of a strategy raise at its end",
    ),
    (
        "global_state.GLOBAL_STATE_TRACKER",
        KERAS_3_ONLY,
        exists("keras.src.backend.common.global_state.GLOBAL_STATE_TRACKER"),
        "the dtype policy and other settings are lost in a search",
    ),
    (
        "TensorBoard._global_train_batch",
        BOTH,
        in_source(Callbacks.TensorBoard, "_global_train_batch"),
        "TensorBoard's batches are counted from 0 after a pause",
    ),
    (
        "TensorBoard._should_trace",
        BOTH,
        lambda: Callbacks.TensorBoard(profile_batch=0)._should_trace is False,
        "a training whose batches are profiled runs by whole epochs",
    ),
    (
        "TensorBoard._global_test_batch",
        KERAS_3_ONLY,
        in_source(Callbacks.TensorBoard, "_global_test_batch"),
        "TensorBoard's batches of validation are counted from 0 after a pause",
    ),
    (
        "TensorBoard._train_step",
        KERAS_2_ONLY,
        in_source(Callbacks.TensorBoard, "_train_step"),
        "TensorBoard's batches are counted from 0 after a pause",
    ),
    (
        "op_callbacks.add_op_callback",
        BOTH,
        exists("tensorflow.python.framework.op_callbacks.add_op_callback"),
        "the floating-point operations of a model cannot be counted",
    ),
    (
        "op_callbacks.remove_op_callback",
        BOTH,
        exists("tensorflow.python.framework.op_callbacks.remove_op_callback"),
        "the floating-point operations of a model cannot be counted",
    ),
    (
        "op_def_registry.get",
        BOTH,
        lambda: op_def_registry.get("RandomStandardNormal").is_stateful,
        "a model whose step keeps a state of its own is reused",
    ),
    (
        "LossFunctionWrapper._fn_kwargs",
        BOTH,
        lambda: "label_smoothing" in keras.losses.CategoricalCrossentropy()._fn_kwargs,
        "a model with another label smoothing is trained with the old one",
    ),
    (
        "MultiHeadAttention._dropout",
        BOTH,
        lambda: hasattr(keras.layers.MultiHeadAttention(2, 2), "_dropout"),
        "a model with another dropout of its attention is built anew",
    ),
    ("ops.gradient_registry._registry", BOTH, has_registry, "memory grows with every trial"),
    ("CustomGradient-", BOTH, names_custom_gradients, "memory grows with every trial"),
    (
        "Model._symbolic_build",
        KERAS_3_ONLY,
        lambda: hasattr(keras.Model, "_symbolic_build"),
        "no trials are trained in a stack",
    ),
    (
        "Model._call_has_training_arg",
        KERAS_3_ONLY,
        lambda: model()._call_has_training_arg is True,
        "no trials are trained in a stack",
    ),
    (
        "Model._compute_loss",
        KERAS_3_ONLY,
        lambda: hasattr(keras.Model, "_compute_loss"),
        "no trials are trained in a stack",
    ),
    (
        "Model._loss_tracker",
        KERAS_3_ONLY,
        lambda: model()._loss_tracker.name == "loss",
        "no trials are trained in a stack",
    ),
    (
        "base_optimizer.BaseOptimizer",
        KERAS_3_ONLY,
        exists("keras.src.optimizers.base_optimizer.BaseOptimizer"),
        "nothing can be imported",
    ),
    (
        "Optimizer._trainable_variables",
        KERAS_3_ONLY,
        lambda: hasattr(model().optimizer, "_trainable_variables"),
        "no trials are trained in a stack",
    ),
    (
        "Optimizer._trainable_variables_indices",
        KERAS_3_ONLY,
        lambda: hasattr(model().optimizer, "_trainable_variables_indices"),
        "no trials are trained in a stack",
    ),
    (
        "Optimizer._exclude_from_weight_decay_cache",
        KERAS_3_ONLY,
        caches_weight_decay,
        "no trials of an optimizer with weight decay are trained in a stack",
    ),
    (
        "Optimizer._apply_weight_decay",
        KERAS_3_ONLY,
        tuner_has(keras.optimizers.Optimizer, "_apply_weight_decay"),
        "no trials are trained in a stack",
    ),
    (
        "Optimizer._backend_update_step",
        KERAS_3_ONLY,
        tuner_has(keras.optimizers.Optimizer, "_backend_update_step"),
        "no trials are trained in a stack",
    ),
    (
        "Optimizer._var_key",
        KERAS_3_ONLY,
        tuner_has(keras.optimizers.Optimizer, "_var_key"),
        "no trials are trained in a stack",
    ),
    (
        "Optimizer._model_variables_moving_average",
        KERAS_3_ONLY,
        averages_weights,
        "no trials with `use_ema` are trained in a stack",
    ),
    (
        "pfor._pfor_converter_registry",
        KERAS_3_ONLY,
        exists("tensorflow.python.ops.parallel_for.pfor._pfor_converter_registry"),
        "trials with convolutions or dropout are not trained in a stack",
    ),
    (
        "pfor._create_op",
        KERAS_3_ONLY,
        exists("tensorflow.python.ops.parallel_for.pfor._create_op"),
        "trials with convolutions or dropout are not trained in a stack",
    ),
    (
        "pfor.wrap",
        KERAS_3_ONLY,
        exists("tensorflow.python.ops.parallel_for.pfor.wrap"),
        "trials with convolutions or dropout are not trained in a stack",
    ),
    (
        "Model._compile_loss",
        KERAS_3_ONLY,
        lambda: model()._compile_loss.built is False,
        "no trials are trained in a stack",
    ),
    (
        "Model._compile_metrics",
        KERAS_3_ONLY,
        lambda: hasattr(model(), "_compile_metrics"),
        "no trials are trained in a stack",
    ),
    (
        "F1Score._built",
        KERAS_3_ONLY,
        lambda: keras.metrics.F1Score()._built is False,
        "trials with metrics such as `F1Score` are not trained in a stack",
    ),
    (
        "engine.trial.Trial",
        BOTH,
        exists("keras_tuner.engine.trial.Trial"),
        "nothing can be imported",
    ),
    (
        "engine.trial.TrialStatus",
        BOTH,
        exists("keras_tuner.engine.trial.TrialStatus"),
        "nothing can be imported",
    ),
    (
        "engine.hyperparameters",
        BOTH,
        exists("keras_tuner.engine.hyperparameters.Float"),
        "spaces cannot be translated",
    ),
    (
        "engine.tuner.maybe_distribute",
        BOTH,
        exists("keras_tuner.engine.tuner.maybe_distribute"),
        "models of a distribution strategy cannot be loaded",
    ),
    (
        "src.protos",
        BOTH,
        exists("keras_tuner.src.protos.get_service_grpc"),
        "no chief can serve workers",
    ),
    (
        "HyperParameters._retrieve",
        BOTH,
        tuner_has(keras_tuner.HyperParameters, "_retrieve"),
        "a hyperparameter that is declared in two ways is not warned of",
    ),
    (
        "Oracle._display",
        BOTH,
        in_source(Oracle, "self._display"),
        "workers print what KerasTuner's oracle says",
    ),
    (
        "Oracle._get_oracle_fname",
        BOTH,
        tuner_has(Oracle, "_get_oracle_fname"),
        "trials of dead workers of KerasTuner's tuners are not run again",
    ),
    (
        "Oracle._retry_queue",
        BOTH,
        in_source(Oracle, "self._retry_queue"),
        "trials of dead workers of KerasTuner's tuners are not run again",
    ),
    (
        "Oracle._save_trial",
        BOTH,
        tuner_has(Oracle, "_save_trial"),
        "the last failed trial of a search of KerasTuner's is lost",
    ),
    (
        "Oracle._set_project_dir",
        BOTH,
        tuner_has(Oracle, "_set_project_dir"),
        "an oracle does not find its journal",
    ),
    (
        "BaseTuner._populate_initial_space",
        BOTH,
        tuner_has(BaseTuner, "_populate_initial_space"),
        "conditional hyperparameters are not found before the search",
    ),
    (
        "BaseTuner._get_tuner_fname",
        BOTH,
        tuner_has(BaseTuner, "_get_tuner_fname"),
        "a search that is recorded in a journal is not resumed",
    ),
    (
        "Tuner._build_and_fit_model",
        BOTH,
        tuner_has(Tuner, "_build_and_fit_model"),
        "no trial can be trained",
    ),
    (
        "Tuner._build_hypermodel",
        BOTH,
        tuner_has(Tuner, "_build_hypermodel"),
        "PBT cannot compare models",
    ),
    (
        "Tuner._override_compile_args",
        BOTH,
        tuner_has(Tuner, "_override_compile_args"),
        "models share the metrics that the tuner was given",
    ),
    (
        "Tuner._try_build",
        BOTH,
        tuner_has(Tuner, "_try_build"),
        "constraints are ignored and PBT builds every model again",
    ),
    (
        "Tuner._get_checkpoint_fname",
        BOTH,
        tuner_has(Tuner, "_get_checkpoint_fname"),
        "weights are not found",
    ),
    (
        "Tuner._get_build_config_fname",
        BOTH,
        tuner_has(Tuner, "_get_build_config_fname"),
        "subclassed models cannot be loaded",
    ),
    (
        "BaseTuner._is_worker",
        BOTH,
        tuner_has(BaseTuner, "_is_worker"),
        "a worker of a chief opens the journal",
    ),
    (
        "compat.proto.event_pb2.Event",
        BOTH,
        exists("tensorboard.compat.proto.event_pb2.Event"),
        "nothing is written to TensorBoard",
    ),
    (
        "compat.proto.summary_pb2.Summary",
        BOTH,
        exists("tensorboard.compat.proto.summary_pb2.Summary"),
        "nothing is written to TensorBoard",
    ),
    (
        "summary.writer.record_writer.RecordWriter",
        BOTH,
        exists("tensorboard.summary.writer.record_writer.RecordWriter"),
        "nothing is written to TensorBoard",
    ),
    (
        "backend.event_processing.event_file_loader.EventFileLoader",
        BOTH,
        exists("tensorboard.backend.event_processing.event_file_loader.EventFileLoader"),
        "a resumed search does not find what it has shown",
    ),
    (
        "plugins.scalar.summary_v2.scalar_pb",
        BOTH,
        makes_summaries("tensorboard.plugins.scalar.summary_v2.scalar_pb", "tag", 0.5),
        "curves are not written",
    ),
    (
        "plugins.text.summary_v2.text_pb",
        BOTH,
        makes_summaries("tensorboard.plugins.text.summary_v2.text_pb", "tag", "text"),
        "the table of rungs and the plan are not written",
    ),
    (
        "plugins.image.metadata",
        BOTH,
        exists("tensorboard.plugins.image.metadata"),
        "the pictures of `EvaluationBoard` are not written",
    ),
    (
        "util.tensor_util",
        BOTH,
        exists("tensorboard.util.tensor_util"),
        "the pictures of `EvaluationBoard` are not written",
    ),
    (
        "plugins.hparams.api_pb2",
        BOTH,
        exists("tensorboard.plugins.hparams.api_pb2"),
        "the HParams dashboard shows no trials",
    ),
    (
        "plugins.hparams.metadata",
        BOTH,
        exists("tensorboard.plugins.hparams.metadata"),
        "a resumed search does not find its description",
    ),
    (
        "plugins.hparams.summary",
        BOTH,
        exists("tensorboard.plugins.hparams.summary"),
        "the HParams dashboard shows no trials",
    ),
    (
        "plugins.hparams.summary_v2.Domain",
        BOTH,
        exists("tensorboard.plugins.hparams.summary_v2.Domain"),
        "the types of domains cannot be checked by mypy",
    ),
]

GENERATION = KERAS_3_ONLY if KERAS_3 else KERAS_2_ONLY


@pytest.mark.parametrize(
    ("name", "check", "breaks"),
    [
        pytest.param(name, check, breaks, id=name)
        for name, generation, check, breaks in CANARIES
        if generation in (BOTH, GENERATION)
    ],
)
def test_private_name_is_there(name, check, breaks):
    try:
        found = check()
    except (AttributeError, ImportError, KeyError, TypeError) as error:
        found, breaks = False, f"{breaks} ({error!r})"
    assert found, f"{name} has gone or changed: {breaks}.  See docs/private-names.md."


def table():
    lines = (ROOT / "docs" / "private-names.md").read_text().splitlines()
    rows = [line for line in lines if re.match(r"\| `", line)]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def listed():
    """Return where each name of the table is used: packages, and files outside of any."""
    return {row[0].strip("`"): {f.strip("`") for f in row[3].split(", ")} for row in table()}


def test_table_and_canaries_have_the_same_names_and_reasons():
    rows = {(row[0].strip("`"), row[2], row[4]) for row in table()}
    assert rows == {(name, generation, breaks) for name, generation, _, breaks in CANARIES}


def test_every_row_of_the_table_is_complete():
    assert all(len(row) == 6 and all(row) for row in table())


@functools.cache
def modules():
    """Return the file and the syntax tree of each module, sorted by file."""
    return [
        (path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text()))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def private_imports(tree):
    """Yield the local and the full name of each import from a private package."""
    for node in ast.walk(tree):
        pairs = []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            pairs = [(a.asname or a.name, f"{node.module}.{a.name}") for a in node.names]
        elif isinstance(node, ast.Import):
            pairs = [(a.asname or a.name, a.name) for a in node.names if "." in a.name]
        for local, name in pairs:
            private = any(name == root or name.startswith(f"{root}.") for root in PRIVATE_PACKAGES)
            if private and name not in PUBLIC_MODULES:
                yield local, name


def imported_names(tree):
    """Yield what is used of private packages: their modules, and the attributes of these."""
    names = dict(private_imports(tree))
    yield from names.values()
    for owner, attribute in [*attributes(tree), *attributes_by_string(tree)]:
        if isinstance(owner, ast.Name) and owner.id in names:
            yield f"{names[owner.id]}.{attribute}"


def attributes(tree):
    """Yield the object and the name of each attribute, as in `object.name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.value, node.attr


def attributes_by_string(tree):
    """Yield the object and the name of each attribute, as in `getattr(object, "name")`."""
    functions = ("getattr", "hasattr", "setattr", "delattr")
    for node in ast.walk(tree):
        called = isinstance(node, ast.Call) and getattr(node.func, "id", "") in functions
        if called and isinstance(node.args[1], ast.Constant):
            yield node.args[0], node.args[1].value


def own_names(tree):
    """Return the names that a module defines or assigns to, those of `self` among them."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found |= {node.attr} if is_self(node.value) else set()
    return found


def is_self(node):
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def is_private(name):
    of_named_tuples = ("_asdict", "_fields", "_replace")  # which Python documents
    return re.fullmatch(r"_[a-z]\w*", name) is not None and name not in of_named_tuples


def test_every_private_attribute_that_is_used_is_in_the_table():
    own = set().union(*(own_names(tree) for _, tree in modules()))
    known = own | {name.rpartition(".")[2] for name in listed()}
    missing = {
        (file, name)
        for file, tree in modules()
        for _, name in [*attributes(tree), *attributes_by_string(tree)]
        if is_private(name) and name not in known
    }
    assert not missing, "Add these names to docs/private-names.md, and a canary for each."


def test_every_private_import_is_in_the_table():
    names = listed()
    missing = {
        (file, name)
        for file, tree in modules()
        for _, name in private_imports(tree)
        if not any(is_row(row, used) for used in uses_of(name, tree) for row in names)
        and not any(row.startswith(f"{name.rpartition('.')[2]}.") for row in names)
    }
    assert not missing, "Add these names to docs/private-names.md, and a canary for each."


def uses_of(name, tree):
    """Return an imported name, its module and its attributes that are used."""
    used = [found for found in imported_names(tree) if found.startswith(f"{name}.")]
    return [name, name.rpartition(".")[0], *used]


def is_row(row, name):
    """Tell whether a row of the table, which leaves out the first packages, is of a full name."""
    return f".{name}".endswith(f".{row}")


@functools.cache
def overridden_names():
    """Return each private method of a library that a class of the package overrides."""
    found = set()
    for info in pkgutil.walk_packages(kt_extras.__path__, "kt_extras."):
        module = importlib.import_module(info.name)
        for cls in vars(module).values():
            if not inspect.isclass(cls) or cls.__module__ != info.name:
                continue
            bases = [b for b in cls.__mro__[1:] if b.__module__.split(".")[0] in LIBRARIES]
            for name in filter(is_private, vars(cls)):
                if inspect.isfunction(vars(cls)[name]) and any(name in vars(b) for b in bases):
                    found.add((name, room(info.name.partition(".")[2].replace(".", "/"))))
    return found


def room(file):
    """Return the package of a file, with a slash; or the file if it is in none."""
    package, slash, _ = file.partition("/")
    return package + slash or file


def test_every_private_method_that_is_overridden_is_in_the_table():
    known = {name.rpartition(".")[2] for name in listed()}
    assert {name for name, _ in overridden_names()} <= known


@functools.cache
def words():
    """Return, for each module, its place, the private words in it and its foreign imports."""
    found = []
    for file, tree in modules():
        texts = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
        texts |= {attribute for _, attribute in attributes(tree)}
        found.append((room(file), texts - own_names(tree), set(imported_names(tree))))
    return found


def places_of(name):
    """Return the packages, and files outside of any, that use a name of the table."""
    last = name.rpartition(".")[2]
    found = {place for method, place in overridden_names() if method == last}
    for place, texts, imported in words():
        is_public = last.isidentifier() and not last.startswith("_")
        if any(is_row(name, used) for used in imported) or (last in texts and not is_public):
            found.add(place)
    return found


@pytest.mark.parametrize("name", [name for name, *_ in CANARIES])
def test_the_table_says_where_a_name_is_used(name):
    assert listed()[name] == places_of(name)


def test_private_packages_are_imported_in_few_places_only():
    found = {
        (file, name)
        for file, tree in modules()
        for _, name in private_imports(tree)
        if file != "compat.py" and not file.startswith(("bridge/", "tensorboard/"))
        if not name.startswith("keras_tuner.engine.trial.")
    }
    assert found == ALLOWED
