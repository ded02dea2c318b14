"""The files of a search in its project's directory, beside its records."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

# Those of kt_extras and of KerasTuner, on Keras 2 and on Keras 3; weights may be several files.
_OF_PROJECT = re.compile(
    r"shared\.txt|logged_as\.txt|oracle\.json|search_ended\.json|tuner[^/]*\.json|\..+\.kte-tmp"
)
_OF_TRIAL = re.compile(
    r"trial\.json|build_config\.json|state-\d+\.npz(\.unreadable)?"
    r"|checkpoint(\.weights\.h5)?(\.index|\.data-\d+-of-\d+|\.npz)?|\..+\.kte-tmp"
)


def remove_search_files(project: Path) -> None:
    """Remove the files of a search, and the folders of its trials that are empty then.

    All other files stay, also those that a user's callbacks have written.

    Args:
        project: The project's directory, existing or not.
    """
    _remove(project, _OF_PROJECT)
    for folder in project.glob("trial_*"):
        if folder.is_dir() and not folder.is_symlink():
            _remove(folder, _OF_TRIAL)
            with suppress(OSError):  # it holds other files
                folder.rmdir()


def _remove(folder: Path, names: re.Pattern[str]) -> None:
    for file in folder.glob("*"):
        if names.fullmatch(file.name) and not file.is_dir():
            file.unlink(missing_ok=True)
