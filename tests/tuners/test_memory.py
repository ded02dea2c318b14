"""Models, graphs and files of earlier trials are freed during a search."""

import gc
import weakref
from pathlib import Path
from typing import ClassVar

import keras
import keras_tuner
import pytest
import tensorflow as tf

import kt_extras as kte
from tests.cases import some
from tests.tuners.models import VALIDATION, X, Y, build

pytestmark = pytest.mark.slow  # each walks through all objects of the process


class Counted(keras_tuner.HyperModel):
    """Counts, before it builds a model, those that are still alive."""

    def __init__(self, error=None):
        super().__init__()
        self.error, self.models, self.alive = error, [], []

    def build(self, hp):
        gc.collect()
        self.alive.append(sum(model() is not None for model in self.models))
        model = build(hp)
        self.models.append(weakref.ref(model))
        return model

    def fit(self, hp, model, *args, **kwargs):
        history = model.fit(*args, **kwargs)
        if self.error is not None:
            raise self.error("a new error each time, since an error keeps its frames")
        return history


def search(hypermodel, **kwargs):
    settings = {"max_trials": 3, "seed": 0, "reuse_models": 0, "trials_at_once": 1, **kwargs}
    tuner = kte.TPE(hypermodel, "val_accuracy", **settings)
    tuner.search(
        X,
        Y,
        validation_data=VALIDATION,
        epochs=2,
        verbose=0,
        callbacks=[keras.callbacks.TensorBoard("logs"), keras.callbacks.EarlyStopping(patience=2)],
    )
    return tuner


@pytest.mark.parametrize("executions", some([1, 3], [1]))
def test_earlier_models_are_freed_before_a_model_is_built(executions):
    counted = Counted()
    tuner = search(counted, executions_per_trial=executions)
    gc.collect()
    assert len(tuner.results()) == 3
    assert set(counted.alive) == {0}
    assert not any(model() for model in counted.models)


@pytest.mark.parametrize(
    "error", some([OSError, MemoryError, keras_tuner.errors.FailedTrialError], [OSError])
)
def test_a_model_is_freed_when_its_trial_fails(error):
    counted = Counted(error)
    search(counted, max_consecutive_failed_trials=9)
    assert set(counted.alive) == {0}


def test_only_the_returned_model_is_in_memory_after_a_refit():
    counted = Counted()
    tuner = search(counted)
    model = tuner.refit(X, Y, verbose=0)
    gc.collect()
    assert [m() for m in counted.models if m() is not None] == [model]
    del model
    gc.collect()
    assert counted.models[-1]() is None


class OfManySizes(Counted):
    """Builds a model of another architecture each time."""

    def build(self, hp):
        gc.collect()
        self.alive.append(sum(model() is not None for model in self.models))
        hp.Float("rate", 0.0, 1.0)
        model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(2 + len(self.models))])
        model.add(keras.layers.Dense(10, "softmax"))
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
        self.models.append(weakref.ref(model))
        return model


def test_no_more_models_are_alive_than_are_kept():
    counted = OfManySizes()
    tuner = search(counted, max_trials=5, reuse_models=2)
    gc.collect()
    assert len(tuner.results()) == 5
    assert max(counted.alive) == 2
    assert not any(model() for model in counted.models)


class GraphsSeen(keras.layers.Dense):
    """Records in which graphs it is called."""

    graphs: ClassVar = []

    def call(self, inputs):
        self.graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
        return super().call(inputs)


def test_the_graphs_of_a_trial_are_freed_when_it_has_ended():
    alive = []

    def build_with_graphs(hp):
        gc.collect()
        alive.append(sum(graph() is not None for graph in GraphsSeen.graphs))
        GraphsSeen.graphs.clear()
        layers = [keras.layers.Input((64,)), GraphsSeen(hp.Int("units", 2, 9))]
        model = keras.Sequential([*layers, keras.layers.Dense(10)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    settings = {"max_trials": 4, "seed": 0, "reuse_models": 0, "trials_at_once": 1}
    tuner = kte.TPE(build_with_graphs, "val_loss", **settings)
    tuner.search(X, Y, validation_data=VALIDATION, epochs=2, verbose=0)
    gc.collect()
    assert len(alive) > 4
    assert set(alive) == {0}
    assert not any(graph() for graph in GraphsSeen.graphs)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system lists no open files")
def test_no_file_is_open_after_a_search():
    tuner = search(Counted())
    links = [str(link.resolve()) for link in Path("/proc/self/fd").iterdir()]
    assert tuner.results()
    assert [file for file in links if file.startswith(str(Path.cwd()))] == []
