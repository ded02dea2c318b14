"""The directories in which projects write below one that the user has given to TensorBoard."""

from __future__ import annotations

import contextlib
import os

from kt_extras.tensorboard import events

SEARCH = "search"  #: the run of a search's own curves


def owner_of(project: str, log_dir: str) -> str:
    """Return what tells a project from others, the same when both directories are moved.

    Args:
        project: Path of the project's directory.
        log_dir: Directory of TensorBoard, or the URL of one.
    """
    path = os.path.abspath(project)
    with contextlib.suppress(ValueError):  # another drive
        return path if "://" in log_dir else os.path.relpath(path, log_dir)
    return path


def project_dir(log_dir: str, project: str, owner: str) -> str:
    """Return where a project writes below `log_dir`: a directory of its own if another has that.

    Args:
        log_dir: As the user gives it.
        project: Name of the project.
        owner: What tells it from others; an empty string for none.
    """
    if not owner:
        return log_dir
    path = os.path.join(search_run(log_dir), events.OWNER)
    written = events.read_text(path)
    if written is None:
        events.write_text(path, owner)
    if written in {None, owner}:
        return log_dir
    return project_dir(os.path.join(log_dir, project), project, owner)


def is_project(directory: str) -> bool:
    """Tell whether another project writes to this directory below its own."""
    return events.exists(os.path.join(search_run(directory), events.OWNER))


def search_run(log_dir: str) -> str:
    """Return the run of a search's own curves."""
    versions = events.versions(log_dir, (SEARCH,))
    return versions[-1].run_dir if versions else os.path.join(log_dir, SEARCH)
