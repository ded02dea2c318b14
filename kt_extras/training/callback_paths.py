"""The files and directories that callbacks write to: a trial's own, and kept while it is paused."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kt_extras.atomic_files import replace_file

_NAMES = re.compile(r"_?(.*_)?(path|filepath|file|filename|dir|logdir|directory|folder)")
_DIRECTORIES = ("dir", "directory", "folder")
_KNOWN = {"filepath", "filename", "log_dir", "backup_dir", "directory"}
_PACKAGES = {"keras", "kt_extras", "tensorflow", "tf_keras"}
_OPENED = "OrbaxCheckpoint"  # has opened its directory when it is made


def give_own_paths(
    callback: keras.callbacks.Callback,
    folders: Sequence[str],
    say: Callable[[str], None],
    *,
    made_for_trial: bool = False,
) -> None:
    """Let a callback write to files and directories of one trial.

    A file `a/b.csv` becomes `a/<folders>/b.csv`, a directory `a` becomes `a/<folders>`.  A path
    that may be read, since it exists and the callback is not one of Keras, is not changed.

    Args:
        callback: Its attributes that hold paths are changed.
        folders: Such as the trial's id.
        say: Called with a sentence on each path, the same for each trial.
        made_for_trial: Whether a function has made the callback for this trial.  If it has put the
            trial's id, the first of `folders`, into a path, that is not added again; in a
            `log_dir` it must be the last part.  Defaults to False.

    >>> logger = keras.callbacks.CSVLogger("logs/epochs.csv")
    >>> give_own_paths(logger, ["0007"], print)
    CSVLogger writes to 'logs/<trial id>/epochs.csv', so that each trial has its own.
    >>> logger.filename.replace(os.sep, "/")
    'logs/0007/epochs.csv'
    """
    kind = type(callback).__name__
    for name, path in _roots(callback):
        added = folders
        if made_for_trial and _names_trial(name, path, folders[0]):
            added = folders[1:]
        if not added:
            continue
        if _may_be_read(callback, name, path):
            say(
                f"{kind} has the path {path!r}, which exists and is not changed: if it is written "
                "to, trials share it.  Pass `callbacks=lambda hp, trial: [...]` and put "
                "`trial.trial_id` into the path to give each trial its own."
            )
            continue
        if added is folders and name != "log_dir":
            shown = _moved(name, path, ["<trial id>"])
            say(f"{kind} writes to {shown!r}, so that each trial has its own.")
        _move(callback, path, _moved(name, path, added))


def root_of(log_dir: str, trial_id: str) -> str:
    """Return the directory of all trials, if `log_dir` is that of one of them.

    Args:
        log_dir: Directory that a function has given to a callback for this trial.
        trial_id: The trial's id; only as the last part of `log_dir` it is taken for one.

    >>> root_of("logs/0007", "0007"), root_of("logs/run_0007", "0007")
    ('logs', 'logs/run_0007')
    """
    parent, last = os.path.split(log_dir.rstrip("/" + os.sep))
    return (parent or os.curdir) if last == trial_id else log_dir


def begin_part(callback: keras.callbacks.Callback, epochs: int) -> None:
    """Let a callback go on with its files after the epochs that a trial has trained.

    A `CSVLogger` keeps the rows of these epochs, and no others.  A `BackupAndRestore` begins with
    an empty directory: what a trial trains is decided by the search, and a trial that is run again
    begins from the start.

    Args:
        callback: Any callback, before its `on_train_begin`.
        epochs: How many epochs the trial has trained, 0 for one that begins.
    """
    if isinstance(callback, keras.callbacks.BackupAndRestore):
        if tf.io.gfile.exists(callback.backup_dir):
            tf.io.gfile.rmtree(callback.backup_dir)
    elif isinstance(callback, keras.callbacks.CSVLogger) and epochs:
        _keep_rows(callback.filename, callback.sep, epochs)
        callback.append = True


def _names_trial(name: str, path: str, trial_id: str) -> bool:
    return root_of(path, trial_id) != path if name == "log_dir" else trial_id in path


def _roots(callback: keras.callbacks.Callback) -> list[tuple[str, str]]:
    """Return the attributes that hold paths, without those below another one."""
    if isinstance(callback, keras.callbacks.RemoteMonitor):
        return []  # its path is that of an address
    paths = {
        name: os.fspath(value)
        for name, value in vars(callback).items()
        if _NAMES.fullmatch(name) and isinstance(value, (str, os.PathLike)) and _is_path(value)
    }
    return [
        (name, path)
        for name, path in paths.items()
        if not any(_is_below(path, other) for other in paths.values())
        and name == next(n for n, p in paths.items() if p == path)
    ]


def _is_path(value: Any) -> bool:
    text = os.fspath(value)
    return bool(text) and not re.match(r"(https?|wss?)://", str(text))


def _is_below(path: str, other: str) -> bool:
    """Tell whether a path was made from another one, such as `a/b` or `a.bkp` from `a`."""
    return path != other and path.startswith((other.rstrip("/") + "/", other + os.sep, other + "."))


def _may_be_read(callback: keras.callbacks.Callback, name: str, path: str) -> bool:
    if type(callback).__name__ == _OPENED:
        return True
    if name in _KNOWN and _is_of_keras(callback):
        return False
    return os.path.isfile(path) or (name not in _KNOWN and os.path.isdir(path))


def _is_of_keras(callback: keras.callbacks.Callback) -> bool:
    """Tell whether a callback's class is one of Keras or of this package, or derived from one."""
    kinds = type(callback).__mro__[: -len(keras.callbacks.Callback.__mro__)]
    return any(kind.__module__.split(".")[0] in _PACKAGES for kind in kinds)


def _moved(name: str, path: str, folders: Sequence[str]) -> str:
    if name.endswith(_DIRECTORIES):
        return os.path.join(path, *folders)
    before, file = os.path.split(path.rstrip("/"))
    return os.path.join(before, *folders, file)


def _move(callback: keras.callbacks.Callback, old: str, new: str) -> None:
    """Change a path and those that were made from it; make the directory of a file."""
    for name, value in list(vars(callback).items()):
        if _NAMES.fullmatch(name) and isinstance(value, (str, os.PathLike)):
            path = os.fspath(value)
            if path == old or _is_below(path, old):
                kind: Any = type(value)
                setattr(callback, name, kind(new + path[len(old) :]))
                _make_parent(name, new)


def _make_parent(name: str, path: str) -> None:
    parent = os.path.dirname(path)
    if not name.endswith(_DIRECTORIES) and "{" not in parent:  # such as "{epoch}"
        tf.io.gfile.makedirs(parent)


def _keep_rows(path: str, separator: str, epochs: int) -> None:
    """Remove the rows of a CSV file from an epoch on, and leave its header."""
    if not os.path.exists(path):
        return
    with open(path, newline="", encoding="utf-8", errors="replace") as file:  # it may be torn
        header, *rows = list(csv.reader(file, delimiter=separator)) or [[]]
    kept = [row for row in rows if row and row[0].isdigit() and int(row[0]) < epochs]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator).writerows([header, *kept] if header else kept)
    replace_file(Path(path), text.getvalue())
