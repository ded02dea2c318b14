"""`repair`: saves what can be saved of damaged records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it loads KerasTuner
    from kt_extras.records.repair import Repair


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    one = commands.add_parser(
        "repair",
        help="save what can be saved of damaged records",
        description="Save what can be saved of the damaged records of a search, keep the damaged "
        "ones beside, and say what is lost.",
    )
    one.add_argument(
        "directory", type=Path, nargs="?", help="the project's own, such as runs/digits"
    )
    one.add_argument("--storage", metavar="URL", help="the database that holds the records")
    one.add_argument(
        "--project", metavar="NAME", help="its name in the database (default: the directory's)"
    )
    one.add_argument("--objective", metavar="NAME", help="the objective, if its record is lost")
    one.add_argument("--direction", choices=("min", "max"), default="min", help="of the objective")
    one.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    import keras_tuner

    from kt_extras.records.repair import repair

    objective = None
    if given.objective is not None:
        objective = keras_tuner.Objective(given.objective, given.direction)
    done = repair(
        given.directory, storage=given.storage, project=given.project, objective=objective
    )
    sys.stdout.write("".join(f"{line}\n" for line in _lines(done)))


def _lines(done: Repair) -> list[str]:
    """Return what a repair has done, line by line."""
    if done.kept is None:
        return [f"All {done.saved} records are whole; nothing was changed."]
    lines = [f"Saved {done.saved} records.  The damaged ones are kept in {done.kept}."]
    if done.lost_records:
        lines.append(f"Lost records: {_ranges(done.lost_records)}.")
    if done.lost_trials:
        lines.append(f"Lost trials: {', '.join(done.lost_trials)}.")
    if done.incomplete_trials:
        lines.append(
            f"Trials that may have lost some records: {', '.join(done.incomplete_trials)}."
        )
    if done.settings_lost:
        lines.append("The seed is lost: pass the `seed` of the search to the tuner again.")
    return lines


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers as text, with those in a row as one range.

    >>> _ranges([3, 5, 6, 7])
    '3, 5-7'
    """
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
