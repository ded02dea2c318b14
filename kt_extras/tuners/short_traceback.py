"""What went wrong in a few lines, the user's own code first."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Sequence
from pathlib import Path

import keras_tuner

_FRAMES = 3
_LINES, _WIDTH = 12, 300  # of a message: TensorFlow's have hundreds
_PACKAGE = str(Path(__file__).parents[1])
_LIBRARIES = tuple(
    {
        _PACKAGE,
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(Path(keras_tuner.__file__).parent),
    }
)


def described(error: BaseException) -> str:
    """Return an error's type and message, and where it came from.

    The frames of the user's own code come first, the innermost on top; below them stands where
    in a library the error was raised.

    >>> try:
    ...     {}["units"]
    ... except KeyError as error:
    ...     print(described(error).splitlines()[0])
    KeyError: 'units'
    """
    lines = _clipped(f"{type(error).__name__}: {error}".strip().splitlines())
    cause = error.__cause__
    if cause is not None:
        first = next(iter(str(cause).splitlines()), "")
        lines.append(f"because of {type(cause).__name__}: {first[:_WIDTH]}")
    return "\n".join(lines + _places(traceback.extract_tb(error.__traceback__)))


def raised_in_library(error: BaseException, *folders: str) -> bool:
    """Tell whether the innermost frame of an error lies in one of these folders."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and _inside(frames[-1].filename, folders)


def _clipped(lines: Sequence[str]) -> list[str]:
    """Keep the beginning and the end, where TensorFlow says what it is about."""
    lines = [line[:_WIDTH] for line in lines if line.strip()]
    if len(lines) <= _LINES:
        return lines
    half = _LINES // 2
    return [*lines[:half], f"... {len(lines) - 2 * half} more lines ...", *lines[-half:]]


def _places(frames: Sequence[traceback.FrameSummary]) -> list[str]:
    own = [frame for frame in frames if not _inside(frame.filename, _LIBRARIES)]
    chosen = own[-_FRAMES:][::-1]
    if frames and (not own or frames[-1] is not own[-1]):
        chosen.append(frames[-1])
    places = []
    for frame in chosen:
        places.append(f"  {frame.filename}, line {frame.lineno}, in {frame.name}")
        places += [f"    {frame.line}"] if frame.line else []
    return places


def _inside(file: str, folders: Sequence[str]) -> bool:
    if file.startswith("<frozen"):
        return True
    return any(os.path.abspath(file).startswith(f"{folder}{os.sep}") for folder in folders)
