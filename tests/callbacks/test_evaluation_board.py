import copy
import io
import math
import os
import sys

import keras
import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.callbacks.evaluation_board import EvaluationBoard

matplotlib_image = pytest.importorskip("matplotlib.image")

RNG = np.random.default_rng(0)
Y = np.arange(120) % 2
P = (0.2 + 0.4 * Y + 0.4 * RNG.random(120))[:, None]
TAGS = [f"evaluation/{name}" for name in ("confusion", "precision_recall", "reliability", "scores")]


class Fixed(keras.Model):
    """A model whose answers are its inputs."""

    def call(self, inputs):
        return inputs


def trained(board, epochs=1):
    """Call a callback as a training does."""
    board.set_model(Fixed())
    board.on_train_begin()
    for epoch in range(epochs):
        board.on_epoch_end(epoch, {})
    board.on_train_end()
    return board


class Images:
    """What the code behind TensorBoard's IMAGES tab finds in a directory."""

    def __init__(self, log_dir):
        from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
        from tensorboard.context import RequestContext

        self._context = RequestContext()
        multiplexer = plugin_event_multiplexer.EventMultiplexer()
        multiplexer.AddRunsFromDirectory(str(log_dir))
        multiplexer.Reload()
        self._provider = data_provider.MultiplexerDataProvider(multiplexer, str(log_dir))
        self._of = {"experiment_id": "", "plugin_name": "images"}

    @property
    def tags(self):
        listed = self._provider.list_blob_sequences(self._context, **self._of)
        return {run: sorted(tags) for run, tags in listed.items()}

    def read(self, run, tag):
        """Return the steps and the pictures, shape ``(height, width, 4)``."""
        found = self._provider.read_blob_sequences(self._context, downsample=99, **self._of)
        steps, pictures = [], []
        for datum in found[run][tag]:
            width, height, png = (
                self._provider.read_blob(self._context, blob_key=value.blob_key)
                for value in datum.values
            )
            picture = matplotlib_image.imread(io.BytesIO(png), format="png")
            assert picture.shape[:2] == (int(height), int(width))
            steps.append(datum.step)
            pictures.append(picture)
        return steps, pictures


def test_pictures_are_drawn_when_a_training_ends():
    trained(EvaluationBoard("logs", (P, Y)), epochs=3)
    images = Images("logs")
    assert images.tags == {"evaluation": TAGS}
    for tag in TAGS:
        steps, (picture,) = images.read("evaluation", tag)
        assert steps == [2]
        assert 0.02 < np.mean(picture[..., :3].min(axis=2) < 0.9) < 0.9  # neither blank nor black


def test_every_nth_epoch_and_the_last_are_drawn_once():
    trained(EvaluationBoard("logs", (P, Y), every=2), epochs=3)
    assert Images("logs").read("evaluation", TAGS[0])[0] == [1, 2]
    trained(EvaluationBoard("more", (P, Y), every=2), epochs=2)
    assert Images("more").read("evaluation", TAGS[0])[0] == [1]


@pytest.mark.parametrize(
    ("scores", "labels", "arguments"),
    [
        (RNG.dirichlet(np.ones(4), 80), RNG.integers(0, 4, 80), {"metric": "mcc"}),
        (RNG.dirichlet(np.ones(3), 80), RNG.integers(0, 2, 80), {"method": "isotonic"}),
        (RNG.random((80, 3)), RNG.integers(0, 2, (80, 3)), {"multi_label": True}),
        (RNG.normal(size=(80, 1)), np.arange(80)[:, None] % 2, {"from_logits": True}),
        (np.full((80, 1), 0.3), np.arange(80) % 2, {"method": "platt"}),
    ],
    ids=["multi-class", "a class without a row", "multi-label", "logits", "constant"],
)
def test_every_kind_of_problem_is_drawn(scores, labels, arguments):
    trained(EvaluationBoard("logs", (scores, labels), **arguments))
    assert Images("logs").tags == {"evaluation": TAGS}


def test_nothing_is_drawn_when_the_model_has_diverged():
    trained(EvaluationBoard("logs", (np.full((9, 1), math.nan), np.arange(9) % 2)))
    assert not os.path.exists("logs")


def test_a_copy_shares_the_data_and_nothing_else():
    board = trained(EvaluationBoard("logs", (P, Y)))
    clone = copy.deepcopy(board)
    assert clone.validation_data[0] is P
    trained(clone)  # which adds to the run
    assert len(os.listdir("logs/evaluation")) == 2


def test_each_trial_has_its_own_pictures_after_a_search():
    def build(hp):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-3, 1.0)), "binary_crossentropy")
        return model

    callbacks = [keras.callbacks.TensorBoard("logs"), EvaluationBoard("logs", (P, Y))]
    objective = keras_tuner.Objective("val_loss", "min")
    tuner = kte.TPE(build, objective, max_trials=2, seed=0, directory="search")
    tuner.search(P, Y, validation_data=(P, Y), epochs=1, verbose=0, callbacks=callbacks)
    drawn = {run for run, tags in Images("logs").tags.items() if tags == TAGS}
    ids = [row["trial_id"] for row in tuner.results()]
    assert drawn == {os.path.join(trial_id, "evaluation") for trial_id in ids}


def test_without_matplotlib_the_constructor_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModuleNotFoundError, match="run `pip install matplotlib`"):
        EvaluationBoard("logs", (P, Y))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, TypeError, r"`validation_data` must be `\(x, y\)`"),
        ({"validation_data": (P, Y), "every": 0}, ValueError, "`every` must be an integer from 1"),
        ({"validation_data": (P, Y), "metric": "auc"}, ValueError, "`metric` must be 'f1'"),
        ({"validation_data": (P, Y), "method": "beta"}, ValueError, "`method` must be one of"),
    ],
)
def test_bad_arguments_are_rejected_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        EvaluationBoard("logs", **arguments)


@pytest.mark.slow
@pytest.mark.parametrize("own_loop", [False, True])
def test_each_trial_of_keras_tuners_own_tuners_has_its_own_pictures(own_loop):
    class OwnLoop(keras_tuner.RandomSearch):
        def run_trial(self, trial, *args, callbacks, **kwargs):
            model = self.hypermodel.build(trial.hyperparameters)
            model.fit(*args, callbacks=copy.deepcopy(callbacks), **kwargs)
            return 0.0

    def build(hp):
        hp.Float("rate", 0.1, 0.2)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
        model.compile("sgd", "binary_crossentropy")
        return model

    kind = OwnLoop if own_loop else keras_tuner.RandomSearch
    tuner = kind(build, None if own_loop else "val_loss", max_trials=2, seed=0, directory="search")
    boards = [EvaluationBoard("logs", (P, Y)), keras.callbacks.TensorBoard("logs")]
    tuner.search(
        P, Y, validation_data=(P, Y), epochs=1, verbose=0, callbacks=boards[: 2 - own_loop]
    )
    ids = list(tuner.oracle.trials)
    part = "" if own_loop else "execution0/"
    assert set(Images("logs").tags) == {f"{trial_id}/{part}evaluation" for trial_id in ids}
    trained(boards[0])
    assert os.path.isdir(os.path.join("logs", "evaluation"))
