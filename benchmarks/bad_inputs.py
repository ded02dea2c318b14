"""Give the package some hundred bad inputs, and look at how each is answered.

An answer is good if it comes before a trial has begun, is a TypeError or a ValueError (or, for a
name that there is not, a KeyError), and says which argument is wrong (in backticks), what would be
right, and what was given.

    python -m benchmarks.bad_inputs
    python -m benchmarks.bad_inputs --failures
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import kt_extras as kte
from benchmarks.bad_input_table import (
    NAME,
    BadInput,
    fits,
    results,
    searches,
    spaces,
)
from benchmarks.bad_kit_table import kit

RIGHT = (TypeError, ValueError, KeyError)
_RULE = re.compile(
    r"\bmust\b|can't|cannot|\bneeds\b|has no|takes no|there are|did you mean|at least|\bpass\b"
)


class Answer(NamedTuple):
    """What a bad input was answered with."""

    error: BaseException | None
    refused: bool
    names_argument: bool
    states_rule: bool
    shows_value: bool
    no_trial: bool

    @property
    def good(self) -> bool:
        """Whether nothing is missing."""
        return all(self[1:])


def table() -> list[BadInput]:
    """Return all bad inputs."""
    return [*searches(), *spaces(), *fits(), *results(), *kit()]


def answer(bad: BadInput, directory: str) -> Answer:
    """Give a bad input to what must refuse it.

    Args:
        bad: The input.
        directory: An empty one, for the search.
    """
    error = raised(bad, directory)
    text = str(error)
    return Answer(
        error,
        refused=isinstance(error, RIGHT),
        names_argument=f"`{bad.argument}`" in text and bad.also in text,
        states_rule=bool(_RULE.search(text)),
        shows_value=bad.shown in text,
        no_trial=trials(directory) == bad.trials,
    )


def raised(bad: BadInput, directory: str) -> Exception | None:
    """Return the error with which a bad input is answered, None if there is none."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            bad.call(directory)
        except Exception as error:
            return error
    return None


def trials(directory: str) -> int:
    """Return how many trials are on record, -1 if the records cannot be read."""
    try:
        return len(kte.load(directory, NAME).results())
    except FileNotFoundError:
        return 0
    except Exception:
        return -1


def answers() -> Iterator[tuple[BadInput, Answer]]:
    """Yield every bad input and its answer."""
    for bad in table():
        with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
            yield bad, answer(bad, directory)


def main() -> None:
    """Print a line for each kind of input, and on demand every answer that is not good."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--failures", action="store_true", help="print answers that are not good")
    show = parser.parse_args().failures
    kinds: dict[str, Counter[str]] = {}
    for bad, found in answers():
        counts = kinds.setdefault(bad.kind, Counter())
        counts["inputs"] += 1
        counts.update(name for name in Answer._fields[1:] if getattr(found, name))
        counts["good"] += found.good
        if show and not found.good:
            lacking = [name for name in Answer._fields[1:] if not getattr(found, name)]
            print(f"{bad}: lacks {', '.join(lacking)}: {type(found.error).__name__}: {found.error}")
    columns = ("inputs", *Answer._fields[1:], "good")
    print(f"| kind | {' | '.join(column.replace('_', ' ') for column in columns)} |")
    print("|---|" + "--:|" * len(columns))
    kinds["all"] = sum(kinds.values(), Counter())
    for kind, counts in kinds.items():
        print(f"| {kind} | {' | '.join(str(counts[column]) for column in columns)} |")


if __name__ == "__main__":
    main()
