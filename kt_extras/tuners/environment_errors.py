"""Tells the errors of a machine, such as those of a full disk, from the failures of trials.

An error of the machine ends the search, and the trial is run again later.  It says nothing about
the trial or its hyperparameters, so it must not be recorded as their failure.
"""

from __future__ import annotations

import inspect
import os
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras_tuner
import tensorflow as tf

from kt_extras.storage.errors import DISK_ADVICE, StorageError
from kt_extras.storage.lock import ProjectInUseError

# h5py and TensorFlow say what has happened in words alone.
_SAID = {os.strerror(code): code for code in DISK_ADVICE}
_SAY = (OSError, RuntimeError, tf.errors.OpError)
# Those of the operating system; TensorFlow's others may be of memory or of a device.
_OF_SYSTEM = (
    OSError,
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
)

_PACKAGE = Path(__file__).parents[1]
_WRITING = (
    *(
        str(_PACKAGE / part)
        for part in ("atomic_files.py", "checkpoints", "oracles", "records", "storage")
    ),
    # KerasTuner's, which writes the configuration of a model.
    str(Path(inspect.getfile(keras_tuner.Tuner)).parents[1] / "utils.py"),
)
_LIBRARIES = (
    str(_PACKAGE),
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    "<frozen",
)


def is_environment(error: BaseException) -> bool:
    """Return whether an error is the machine's, and not the trial's in which it was raised.

    That is a full disk, an exceeded quota, a failing or read-only disk, also where the user's own
    code writes; what the storage raises; and any error of the operating system in code of
    kt_extras that writes.  A `FileNotFoundError` in the user's `build` is the trial's.

    Args:
        error: What was raised; its causes count too.

    >>> import errno
    >>> is_environment(OSError(errno.ENOSPC, "No space left on device"))
    True
    >>> is_environment(FileNotFoundError("train.csv"))
    False
    """
    if isinstance(error, keras_tuner.errors.FailedTrialError):  # which is said of the trial
        return False
    return any(map(_is_of_machine, _causes(error)))


@contextmanager
def environment_explained(project: str) -> Iterator[None]:
    """Say of an error of the machine what to do, and that the search goes on afterwards.

    Args:
        project: Path of the project's directory.

    >>> import errno
    >>> with environment_explained("runs/digits"):
    ...     raise OSError(errno.ENOSPC, "No space left on device", "state.npz")
    Traceback (most recent call last):
    OSError: [Errno 28] No space left on device.  Make room on the disk.  Then call `search` again:
    the trials that have ended are kept in runs/digits, and those that were running are run again:
    'state.npz'
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (StorageError, ProjectInUseError)) or not is_environment(error):
            raise
        raise _explained(error, project) from error


def _explained(error: Exception, project: str) -> OSError:
    code = next(filter(None, map(_code, _causes(error))), None) or getattr(error, "errno", None)
    what = os.strerror(code) if code else f"{error}".rstrip(".")
    advice = DISK_ADVICE.get(code or 0, "give this process the right and the means to write there")
    text = (
        f"{what}.  {advice[0].upper()}{advice[1:]}.  Then call `search` again: the trials that "
        f"have ended are kept in {project}, and those that were running are run again"
    )
    path = next(filter(None, (getattr(e, "filename", None) for e in _causes(error))), None)
    return OSError(code, text, path) if code else OSError(text)


def _is_of_machine(error: BaseException) -> bool:
    if isinstance(error, (StorageError, ProjectInUseError)) or _code(error) is not None:
        return True
    return isinstance(error, _OF_SYSTEM) and _raised_where_we_write(error)


def _code(error: BaseException) -> int | None:
    """Return the number of an error of a disk, None if it is none."""
    code = getattr(error, "errno", None) if isinstance(error, OSError) else None
    if code in DISK_ADVICE:
        return code
    if not isinstance(error, _SAY):
        return None
    text = str(error)
    return next((code for words, code in _SAID.items() if words in text), None)


def _raised_where_we_write(error: BaseException) -> bool:
    """Tell whether an error comes from code that writes the search, and not from code it calls."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _inside(frame.filename, _WRITING):
            return True
        if not _inside(frame.filename, _LIBRARIES):
            return False  # the user's
    return False


def _inside(file: str, folders: tuple[str, ...]) -> bool:
    return os.path.abspath(file).startswith(folders) or file.startswith("<frozen")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that have led to it."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
