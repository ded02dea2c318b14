"""The arguments that name projects, and what they name."""

from __future__ import annotations

import argparse

from kt_extras.views.loaded_search import LoadedSearch, load


def add_project(command: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the arguments of a command that name one project, or several."""
    command.add_argument(
        "projects",
        nargs="+" if several else 1,
        metavar="PROJECT",
        help="the directory of a project, such as runs/digits, or its name in the database",
    )
    command.add_argument("--storage", metavar="URL", help="the database that holds the records")


def loaded(given: argparse.Namespace) -> list[LoadedSearch]:
    """Return the searches that the arguments name.

    Raises:
        ValueError: One is the URL of a database, which is not shown: it may hold a password.
    """
    if any("://" in project for project in given.projects):
        raise ValueError(
            "`PROJECT` must be the directory of a project, or its name beside `--storage URL`, got "
            "a URL."
        )
    return [load(project, storage=given.storage) for project in given.projects]
