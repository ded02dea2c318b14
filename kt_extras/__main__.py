"""Look at searches, compare, export and repair them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from kt_extras.commands import comparing, exporting, plotting, repairing, reporting, showing

_COMMANDS = (showing, plotting, reporting, exporting, comparing, repairing)
_ERRORS = (ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, or 1 after an error.

    Args:
        arguments: Those of the command line.  Defaults to None: those of this process.
    """
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
        sys.stdout.flush()
    except BrokenPipeError:  # of `show ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except _ERRORS as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        sys.stderr.write(f"{text}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kt_extras", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in _COMMANDS:
        command.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
