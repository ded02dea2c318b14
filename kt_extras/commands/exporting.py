"""`export`: a search as files and as a study of Optuna."""

from __future__ import annotations

import argparse
from typing import Any

from kt_extras.analysis.tables import json_text, record_of
from kt_extras.analysis.written_file import file_to_write
from kt_extras.commands.projects import add_project, loaded

_KINDS = ("csv", "parquet", "json", "optuna")


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    one = commands.add_parser(
        "export",
        help="write a search to files, or as a study of Optuna",
        description="Write a search elsewhere.  CSV and Parquet have one row a trial; JSON has the "
        "curves, too.",
    )
    add_project(one)
    one.add_argument("--csv", metavar="FILE")
    one.add_argument("--parquet", metavar="FILE")
    one.add_argument("--json", metavar="FILE")
    one.add_argument("--optuna", metavar="URL", help="of a database of Optuna")
    one.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    if not any(getattr(given, kind) for kind in _KINDS):
        raise ValueError("`export` needs --csv, --parquet, --json or --optuna, got none of them.")
    search = loaded(given)[0]
    if given.csv:
        search.to_csv(given.csv)
    if given.parquet:
        search.to_parquet(given.parquet)
    if given.json:
        text = json_text(record_of(search.search_data()))
        file_to_write(given.json, "--json").write_text(f"{text}\n", encoding="utf-8")
    if given.optuna:
        search.to_optuna(storage=given.optuna)
