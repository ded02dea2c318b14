"""Errors of the machine end a search, and no trial is recorded as failed for them."""

import errno
import inspect
import os
import shutil

import keras_tuner
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras.checkpoints.state_file import write_state
from kt_extras.storage.errors import StorageError
from kt_extras.storage.lock import ProjectInUseError
from kt_extras.tuners.environment_errors import environment_explained, is_environment

COST = keras_tuner.Objective("cost", "min")
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def caused_by(cause):
    error = RuntimeError("the data could not be prepared")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(code, "") for code in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)),
        OSError("Can't write data (file write failed: errno = 28, 'No space left on device')"),
        RuntimeError("Unable to close file (errno = 28, error message = 'No space left on device'"),
        tf.errors.ResourceExhaustedError(None, None, "logs/x; No space left on device"),
        tf.errors.UnknownError(None, None, "logs/x; Input/output error"),
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]),
        StorageError("`storage` cannot be used"),
        ProjectInUseError("digits"),
        caused_by(FULL),
    ],
    ids=repr,
)
def test_an_error_is_the_machines_when_a_disk_or_the_storage_raises_it(error):
    assert is_environment(error)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "no such file", "train.csv"),
        PermissionError(errno.EACCES, "denied", "train.csv"),
        ValueError("No space left on device"),
        MemoryError(),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        tf.errors.NotFoundError(None, None, "train.tfrecord; No such file or directory"),
        keras_tuner.errors.FailedTrialError("No space left on device"),
    ],
    ids=repr,
)
def test_an_error_is_the_trials_when_it_is_not_of_a_disk(error):
    assert not is_environment(error)


def test_any_error_of_the_system_is_the_machines_where_we_write(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder") as caught:
        write_state(tmp_path / "folder", {})
    assert is_environment(caught.value)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EMFILE])
def test_an_error_of_the_machine_says_what_to_do_when_it_ends_a_search(code):
    with (
        pytest.raises(OSError, match=r"call `search` again: .* kept in runs/digits") as caught,
        environment_explained("runs/digits"),
    ):
        raise OSError(code, os.strerror(code), "state.npz")
    assert (caught.value.errno, caught.value.filename) == (code, "state.npz")
    assert os.strerror(code) in str(caught.value)


def test_other_errors_pass_unchanged_when_a_search_ends():
    with pytest.raises(KeyError, match="units"), environment_explained("runs"):
        raise KeyError("units")
    with pytest.raises(StorageError, match=r"^the server is away$"), environment_explained("runs"):
        raise StorageError("the server is away")


class Fails(kte.Tuner):
    """Raises an error in its second trial."""

    error = None

    def run_trial(self, trial, **kwargs):
        x = trial.hyperparameters.Float("x", 0, 1)
        if trial.trial_id == "0001" and self.error is not None:
            raise self.error
        return {"cost": x}


def searched(error):
    oracle = kte.SamplerOracle(kte.samplers.Random(), objective=COST, max_trials=3, seed=0)
    tuner = Fails(oracle)
    tuner.error = error
    tuner.search(verbose=0)
    return [(row["state"], row["score"]) for row in tuner.results()]


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        StorageError("away"),
        tf.errors.ResourceExhaustedError(None, None, "No space left on device"),
    ],
    ids=repr,
)
def test_a_trial_is_run_again_after_an_error_of_the_machine(error):
    with pytest.raises((OSError, StorageError)):
        searched(error)
    after = searched(None)
    shutil.rmtree("untitled_project")
    assert after == searched(None)


def test_a_file_that_is_missing_in_the_users_code_is_the_trials_failure():
    rows = searched(FileNotFoundError(errno.ENOENT, "no such file", "train.csv"))
    assert [state for state, _ in rows] == ["completed", "failed", "completed"]


def test_a_configuration_that_cannot_be_written_ends_the_search(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises((OSError, tf.errors.OpError)) as caught:
        inspect.getmodule(keras_tuner.Tuner).utils.save_json(str(tmp_path / "file" / "a"), {})
    assert is_environment(caught.value)
