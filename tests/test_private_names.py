"""Canaries for the private names of other libraries: each fails with what would break.

`docs/private-names.md` lists the same names.  The generation of Keras in which a name is used is
"2", "3" or "both".
"""

import ast
import inspect
import re
from pathlib import Path

import keras
import keras_tuner
import pytest
import tensorflow as tf

from kt_extras.compat import KERAS_3

ROOT = Path(__file__).parents[1]
PACKAGES = ("keras.src", "tensorflow.python", "keras_tuner.src", "keras_tuner.engine")

# Modules outside `compat.py` and `bridge/` that import from such packages, and why they may.
# `keras_tuner.engine.trial` may be imported everywhere: its classes have no public name.
ALLOWED = {
    ("model_reuse/shape_changes.py", "keras_tuner.engine"),  # the classes of hyperparameters
    ("tuners/trained_models.py", "keras_tuner.engine.tuner"),  # maybe_distribute
}


def model():
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made


def attribute(path):
    """Return a check that a module, imported by name, has an attribute."""
    module, _, name = path.rpartition(".")
    return lambda: hasattr(__import__(module, fromlist=[name]), name)


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
        attribute("keras.src.backend._SEED_GENERATOR"),
        "seeds of initialisers do not repeat after a resume",
    ),
    (
        "global_state.set_global_attribute",
        KERAS_3_ONLY,
        attribute("keras.src.backend.common.global_state.set_global_attribute"),
        "trials with a seed do not repeat",
    ),
    (
        "global_state.get_global_attribute",
        KERAS_3_ONLY,
        attribute("keras.src.backend.common.global_state.get_global_attribute"),
        "the seeds that Keras draws are not saved",
    ),
    (
        "seed_generator.GLOBAL_SEED_GENERATOR",
        KERAS_3_ONLY,
        attribute("keras.src.random.seed_generator.GLOBAL_SEED_GENERATOR"),
        "the seeds that Keras draws are not saved",
    ),
    (
        "seed_generator.global_seed_generator",
        KERAS_3_ONLY,
        attribute("keras.src.random.seed_generator.global_seed_generator"),
        "the seeds that Keras draws are not restored",
    ),
    (
        "rng_utils.GLOBAL_RANDOM_SEED",
        KERAS_3_ONLY,
        attribute("keras.src.utils.rng_utils.GLOBAL_RANDOM_SEED"),
        "trials with a seed do not repeat",
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
    ("ops.gradient_registry._registry", BOTH, has_registry, "memory grows with every trial"),
    ("CustomGradient-", BOTH, names_custom_gradients, "memory grows with every trial"),
    (
        "engine.trial.Trial",
        BOTH,
        attribute("keras_tuner.engine.trial.Trial"),
        "nothing can be imported",
    ),
    (
        "engine.trial.TrialStatus",
        BOTH,
        attribute("keras_tuner.engine.trial.TrialStatus"),
        "nothing can be imported",
    ),
    (
        "engine.hyperparameters",
        BOTH,
        attribute("keras_tuner.engine.hyperparameters.Float"),
        "spaces cannot be translated",
    ),
    (
        "engine.tuner.maybe_distribute",
        BOTH,
        attribute("keras_tuner.engine.tuner.maybe_distribute"),
        "models of a distribution strategy cannot be loaded",
    ),
    (
        "Oracle._set_project_dir",
        BOTH,
        tuner_has(Oracle, "_set_project_dir"),
        "an oracle does not find its journal",
    ),
    (
        "Oracle._populate_initial_space",
        BOTH,
        lambda: hasattr(BaseTuner, "_populate_initial_space"),
        "conditional hyperparameters are not found before the search",
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
        lambda: not KERAS_3 or hasattr(Tuner, "_get_build_config_fname"),
        "subclassed models cannot be loaded",
    ),
    (
        "BaseTuner._is_worker",
        BOTH,
        tuner_has(BaseTuner, "_is_worker"),
        "a worker of a chief opens the journal",
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


def test_table_and_canaries_have_the_same_names():
    listed = {(row[0].strip("`"), row[2]) for row in table()}
    assert listed == {(name, generation) for name, generation, _, _ in CANARIES}


def test_every_row_of_the_table_is_complete():
    assert all(len(row) == 6 and all(row) for row in table())
    assert all(
        (ROOT / "kt_extras" / file.strip("`")).exists()
        for row in table()
        for file in row[3].split(", ")
    )


def private_imports():
    """Yield the file and the module of each import from a private package."""
    for path in sorted((ROOT / "kt_extras").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            for module in modules:
                if module and module.startswith(PACKAGES):
                    yield path.relative_to(ROOT / "kt_extras").as_posix(), module


def test_private_packages_are_imported_in_few_places_only():
    found = {
        (file, module)
        for file, module in private_imports()
        if file != "compat.py" and not file.startswith("bridge/")
        if module != "keras_tuner.engine.trial"
    }
    assert found == ALLOWED
