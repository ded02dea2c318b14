"""Event files and the runs that they make up: written, superseded, appended to, and read.

TensorBoard keeps the first metadata that it finds for a tag of a run, and HParams data is metadata.
So what may change is never written twice to one run: each version is a run of its own beside the
former, which is deleted, and a TensorBoard that is already running sees the change too.

Our files carry a suffix: those of Keras and of the user in the same directories are left alone.
Every file is closed before the function that writes it returns.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

SUFFIX = ".kt_extras"
#: Part of the name of a file with the description of a search's columns.
COLUMNS = ".columns"
#: The name of a file with what tells one project from another.
OWNER = "project"
# What Keras' own callback writes to the directory of a trial and to its runs.
_OF_KERAS = ("events.out.tfevents.", "keras_embedding.ckpt", "projector_config.pbtxt")
_VERSION = "brain.Event:2"  # the format in which TensorBoard expects metadata with each tag


@dataclass(frozen=True)
class Record:
    """One thing to write: a summary message, at a step of its run."""

    summary: Any
    step: int = 0


@dataclass(frozen=True, order=True)
class Version:
    """A run that replaces the former one: ``<parent>/<word>``, later ``<parent>/<word>_<number>``.

    >>> os.path.basename(Version(3, "completed", "logs/0007").run_dir)
    'completed_3'
    """

    number: int
    word: str
    parent: str

    @property
    def run_dir(self) -> str:
        """The directory of the run."""
        name = self.word if self.number == 1 else f"{self.word}_{self.number}"
        return os.path.join(self.parent, name)


def scalar(tag: str, value: float, step: int) -> Record:
    """Return the record of one point of a curve."""
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb

    return Record(scalar_pb(tag, value), step)


def text(tag: str, markdown: str, step: int) -> Record:
    """Return the record of a text, which TensorBoard shows as Markdown."""
    from tensorboard.plugins.text.summary_v2 import text_pb

    return Record(text_pb(tag, markdown), step)


def image(tag: str, png: bytes, size: tuple[int, int]) -> Any:
    """Return the summary message of a picture.

    Args:
        tag: Name of the picture.
        png: Contents of a PNG file.
        size: Width and height in pixels.
    """
    import numpy as np
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.image import metadata
    from tensorboard.util import tensor_util

    value = Summary.Value(
        tag=tag,
        metadata=metadata.create_summary_metadata(display_name=None, description=""),
        tensor=tensor_util.make_tensor_proto(
            np.array([*(str(pixels).encode() for pixels in size), png], dtype=object)
        ),
    )
    return Summary(value=[value])


def new_file(run_dir: str, kind: str = "") -> str:
    """Return an unused path in a run, sorted after the older ones, as TensorBoard reads them.

    Args:
        run_dir: Directory of the run.
        kind: Comes before the suffix.  Defaults to an empty string.
    """
    host = socket.gethostname() or "localhost"
    name = f"events.out.tfevents.{time.time_ns() / 1e9:.9f}.{host}.{os.getpid()}{kind}{SUFFIX}"
    return os.path.join(run_dir, name)


def new_file_behind(run_dir: str) -> str:
    """Return an unused path in a run of Keras, sorted after the files that Keras has closed.

    Keras names its files by whole seconds, and a TensorBoard that is running reads on in the order
    of names.
    """
    host = socket.gethostname() or "localhost"
    name = f"events.out.tfevents.{int(time.time()) + 1}.{time.time_ns()}.{host}{SUFFIX}"
    return os.path.join(run_dir, name)


def append(path: str, records: Iterable[Record]) -> None:
    """Add records to the file at `path`; start it if there is none."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    gfile, now, events = _gfile(), time.time(), list[Event]()
    if not gfile.exists(path):
        gfile.makedirs(os.path.dirname(path))
        events.append(Event(wall_time=now, file_version=_VERSION))
    for record in records:  # some helpers return TensorFlow's copy of the message class
        summary = Summary.FromString(record.summary.SerializeToString())
        events.append(Event(wall_time=now, step=record.step, summary=summary))
    with gfile.GFile(path, "ab") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString())


def versions(parent: str, words: Collection[str]) -> list[Version]:
    """Return the versions below `parent`, newest last; a crash may have left more than one.

    Args:
        parent: Directory of the versions.
        words: Only these are versions; other directories are left alone.
    """
    found = []
    for run_dir in directories(parent):
        version = _version(os.path.basename(run_dir), parent)
        if version.word in words and files(run_dir):
            found.append(version)
    return sorted(found)


def _version(name: str, parent: str) -> Version:
    word, _, number = name.rpartition("_")
    if word and number.isdecimal():
        return Version(int(number), word, parent)
    return Version(1, name, parent)


def supersede(version: Version, records: Iterable[Record], words: Collection[str]) -> None:
    """Write a version, and only then delete the others: a crash leaves both, never nothing."""
    append(new_file(version.run_dir), records)
    keep_only(version, words)


def keep_only(version: Version, words: Collection[str]) -> None:
    """Delete the older versions beside this one; a newer one is another process's."""
    for other in versions(version.parent, words):
        if other != version and other.number <= version.number:
            remove_run(other.run_dir)


def copy(old: str, new: str, *, but: str) -> None:
    """Copy our files of a run, all of them or none.

    Args:
        old: Directory of the run.
        new: Directory of the copy.
        but: The kind of event files that are left out.
    """
    _gfile().makedirs(new)
    try:
        for name in _names(old):
            if _is_ours(name) and not name.endswith(but + SUFFIX):
                _gfile().copy(os.path.join(old, name), os.path.join(new, name), overwrite=True)
    except BaseException:
        remove_run(new)
        raise


def clear_row(run_dir: str) -> None:
    """Take a row out of a run; an empty file of ours stays, for TensorBoard remembers the row."""
    old = files(run_dir)
    if old:
        append(new_file(run_dir), [])
    for path in old:
        _gfile().remove(path)


def remove_run(run_dir: str, *, but: str | None = None) -> None:
    """Delete our files of a run, and its directory if nothing else is in it.

    Args:
        run_dir: Directory of the run.
        but: The kind of event files that stay.  Defaults to None.
    """
    names = [name for name in _names(run_dir) if _is_ours(name)]
    _remove(run_dir, [name for name in names if but is None or not name.endswith(but + SUFFIX)])


def remove_of_keras(directory: str) -> None:
    """Delete what Keras' callback has written to a directory, which goes too if it is empty then.

    Args:
        directory: The directory of a trial, or of one of its runs.
    """
    _remove(directory, [name for name in _names(directory) if name.startswith(_OF_KERAS)])


def _remove(directory: str, names: Iterable[str]) -> None:
    """Delete files, unless another process was quicker, and their directory if it is empty then."""
    import tensorflow as tf

    with contextlib.suppress(tf.errors.NotFoundError):
        for name in names:
            path = os.path.join(directory, name)
            if not tf.io.gfile.isdir(path):
                tf.io.gfile.remove(path)
        if not _names(directory):
            tf.io.gfile.rmtree(directory)


def _is_ours(name: str) -> bool:
    return name.endswith(SUFFIX) or name == OWNER


def directories(directory: str) -> list[str]:
    """Return the paths of the directories in `directory`, sorted; none if it does not exist."""
    paths = (os.path.join(directory, name.rstrip("/")) for name in _names(directory))
    return [path for path in paths if _gfile().isdir(path)]


def files(run_dir: str) -> list[str]:
    """Return the paths of our event files in a run, oldest first."""
    return [os.path.join(run_dir, name) for name in _names(run_dir) if name.endswith(SUFFIX)]


def read(run_dir: str) -> Iterator[Event]:
    """Yield the events that we wrote to a run, those of each file up to a torn end."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    for path in files(run_dir):
        yield from EventFileLoader(path).Load()


def exists(path: str) -> bool:
    """Return whether there is a file or directory."""
    return bool(_gfile().exists(path))


def read_text(path: str) -> str | None:
    """Return the contents of a file, None if there is none or it is empty."""
    if not exists(path):
        return None
    with _gfile().GFile(path) as file:
        return str(file.read()) or None


def write_text(path: str, text: str) -> None:
    """Write a file, in a directory that may not exist yet."""
    _gfile().makedirs(os.path.dirname(path))
    with _gfile().GFile(path, "w") as file:
        file.write(text)


def _names(directory: str) -> list[str]:
    import tensorflow as tf

    try:
        return sorted(tf.io.gfile.listdir(directory))
    except tf.errors.NotFoundError:
        return []


def _gfile() -> Any:
    """Return TensorFlow's file system, which also reaches buckets, as the Keras callback does."""
    import tensorflow as tf

    return tf.io.gfile
