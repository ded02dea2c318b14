"""The path of a file that is to be written."""

from __future__ import annotations

import os
from pathlib import Path


def file_to_write(path: str | os.PathLike[str], argument: str = "path") -> Path:
    """Return a path as one of a file, whose directory is made if it is not there.

    Args:
        path: The path.
        argument: Its name in messages.  Defaults to `"path"`.

    Raises:
        TypeError: It is no path.
        ValueError: It is a directory.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"`{argument}` must be the path of a file, got {path!r}.")
    file = Path(path)
    if file.is_dir():
        raise ValueError(
            f"`{argument}` must be the path of a file, but {str(path)!r} is a directory."
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
