"""`report`: a page about a search."""

from __future__ import annotations

import argparse
from typing import Any

from kt_extras.commands.projects import add_project, loaded


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    one = commands.add_parser(
        "report",
        help="write a page about a search",
        description="Write one self-contained page of HTML about a search.",
    )
    add_project(one)
    one.add_argument("--output", required=True, metavar="FILE", help="such as report.html")
    one.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    loaded(given)[0].report(given.output)
