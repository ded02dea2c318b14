"""`plot`: a picture of a search as a file."""

from __future__ import annotations

import argparse
from typing import Any

from kt_extras.analysis.search_data import SearchData
from kt_extras.analysis.written_file import file_to_write
from kt_extras.commands.projects import add_project, loaded


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    one = commands.add_parser(
        "plot",
        help="draw a picture of a search",
        description="Draw a picture of a search with Matplotlib.",
    )
    one.add_argument("kind", metavar="KIND", help="a function of kt_extras.plots, such as history")
    add_project(one)
    one.add_argument(
        "--output", required=True, metavar="FILE", help="such as history.png, .svg or .pdf"
    )
    one.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    from kt_extras import plots

    kinds = [name for name in plots.__all__ if callable(getattr(plots, name))]
    if given.kind not in kinds:
        raise ValueError(f"`KIND` must be one of {', '.join(kinds)}, got {given.kind!r}.")
    search, output = loaded(given)[0].search_data(), file_to_write(given.output, "--output")
    _without_a_screen()
    more = _two_of(search) if given.kind == "contour" else []
    drawn = getattr(plots, given.kind)(search, *more)
    figure = getattr(drawn, "figure", drawn)  # of axes, or a figure itself
    figure.savefig(output, bbox_inches="tight")


def _two_of(search: SearchData) -> list[str]:
    """Return the names of the two most important hyperparameters."""
    from kt_extras.analysis.importance import importance

    names = list(importance(search))[:2]
    if len(names) < 2:
        raise ValueError("`contour` needs a search of at least two hyperparameters.")
    return names


def _without_a_screen() -> None:
    try:
        import matplotlib
    except ModuleNotFoundError:
        return  # the plot says what to install
    matplotlib.use("Agg")
