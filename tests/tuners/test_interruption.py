"""Ctrl-C during a search, in this process and in another one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import keras_tuner
import pytest

import kt_extras as kte
from tests.tuners.models import VALIDATION, X, Y, build

SCRIPT = """
import signal, sys
import keras
import kt_extras as kte
from tests.tuners.models import VALIDATION, X, Y, build

def say(*words):
    print(*words, flush=True)

class Reported(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        say("begin", epoch)
        if epoch == 1:
            sys.stdin.readline()
    def on_epoch_end(self, epoch, logs=None):
        say("end", epoch)

def search():
    tuner = kte.TPE(build, "val_accuracy", max_trials=1, seed=0, directory=sys.argv[1])
    try:
        tuner.search(X, Y, validation_data=VALIDATION, epochs=3, callbacks=[Reported()])
    except KeyboardInterrupt:
        restored = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        say("interrupted", restored)
    say("states", *[(row["state"], row["epochs"]) for row in tuner.results()])

for _ in range(3):
    search()
"""


def read_until(process, wanted):
    """Return the lines that the process writes, up to the first that contains `wanted`."""
    lines = []
    for line in process.stdout:
        lines.append(line.strip())
        if wanted in line:
            return lines
    pytest.fail(f"the process ended without {wanted!r}:\n" + "\n".join(lines))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_ctrl_c_ends_a_search_after_the_epoch_and_twice_at_once(tmp_path):
    root = str(Path(kte.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        read_until(process, "begin 1")
        process.send_signal(signal.SIGINT)
        read_until(process, "once more")
        process.stdin.write("go on\n")
        after_one = read_until(process, "states")
        assert "end 1" in after_one
        assert "begin 2" not in after_one
        assert "interrupted True" in after_one

        read_until(process, "begin 1")
        process.send_signal(signal.SIGINT)
        read_until(process, "once more")
        process.send_signal(signal.SIGINT)
        after_two = read_until(process, "states")
        assert "end 1" not in after_two
        assert "interrupted True" in after_two

        process.stdin.write("go on\n")
        finished = read_until(process, "states")
        assert finished[-1] == "states ('completed', 3)"
        assert [line for line in finished if line.startswith("begin")] == [
            "begin 0", "begin 1", "begin 2",
        ]  # fmt: skip
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def _default_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class At(keras.callbacks.Callback):
    """Sends the signal of Ctrl-C at the beginning of an epoch of a trial."""

    def __init__(self, trial_id, epoch, trial):
        super().__init__()
        self.wanted = trial.trial_id == trial_id and epoch

    def on_epoch_begin(self, epoch, logs=None):
        if self.wanted is not False and epoch == self.wanted:
            signal.raise_signal(signal.SIGINT)


def search(trial_id=None, epoch=0, hypermodel=build, **kwargs):
    tuner = kte.TPE(hypermodel, "val_accuracy", max_trials=2, seed=0, **kwargs)
    tuner.search(
        X,
        Y,
        validation_data=VALIDATION,
        epochs=3,
        verbose=0,
        callbacks=lambda _, trial: [At(trial_id, epoch, trial)],
    )
    return tuner


def rows(tuner):
    return [(row["state"], row["epochs"], row["score"]) for row in tuner.results()]


@pytest.mark.slow
@pytest.mark.usefixtures("_default_handler")
def test_a_resumed_search_finds_what_an_uninterrupted_one_finds():
    with pytest.raises(KeyboardInterrupt):
        search("0001", epoch=1, directory="cut")
    assert rows(search(directory="cut")) == rows(search(directory="whole"))


@pytest.mark.usefixtures("_default_handler")
def test_a_trial_is_completed_when_interrupted_in_its_last_epoch():
    with pytest.raises(KeyboardInterrupt):
        search("0000", epoch=2)
    tuner = kte.TPE(build, "val_accuracy", max_trials=2, seed=0)
    assert [row["state"] for row in tuner.results()] == ["completed"]


class TwoPhases(keras_tuner.HyperModel):
    def build(self, hp):
        return build(hp)

    def fit(self, hp, model, *args, **kwargs):
        model.fit(*args, **kwargs)
        return model.fit(*args, **kwargs)


@pytest.mark.usefixtures("_default_handler")
@pytest.mark.parametrize("kwargs", [{"hypermodel": TwoPhases()}, {"executions_per_trial": 2}])
def test_no_further_phase_or_execution_begins_after_ctrl_c(kwargs):
    with pytest.raises(KeyboardInterrupt):
        search("0000", epoch=2, **kwargs)
    (record,) = kte.TPE(build, "val_accuracy", max_trials=2, seed=0).oracle.trial_records()
    assert record.state == "running"  # to be run again
    assert record.epochs == 3


@pytest.mark.usefixtures("_default_handler")
def test_an_overridden_run_trial_is_finished_after_ctrl_c():
    class Parabola(kte.Tuner):
        def run_trial(self, trial):
            signal.raise_signal(signal.SIGINT)
            return trial.hyperparameters.Float("x", -1.0, 1.0) ** 2

    tuner = Parabola(kte.TPEOracle(max_trials=5, seed=0))
    with pytest.raises(KeyboardInterrupt):
        tuner.search(verbose=0)
    assert [row["state"] for row in tuner.results()] == ["completed"]
