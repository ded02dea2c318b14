"""Searches killed with SIGKILL at random instants, reloaded, and run to their end.

    python -m benchmarks.crash_safety --kills 500
    python -m benchmarks.crash_safety --kills 500 --keras

Each search runs in a forked process that the parent kills, again and again until the search is
done; then the next search begins.  Told is how many kills came amid trials, how many reloads
worked, how many finished trials were lost or run again, and how many searches ended with the
trials, scores and states of one that nobody killed.  A trial at which the process died more often
than the guide says is given up; a search with one is counted apart.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import keras_tuner

from benchmarks.killed_searches import (
    COST,
    GIVEN_UP,
    Search,
    arithmetic,
    cost,
    in_child,
    trained,
)

TRIALS = 60
_COLUMNS = ("kills", "amid", "good reloads", "lost", "run again", "same", "given up")


def main() -> None:
    """Kill ours and KerasTuner's searches, and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="kills that hit a running search")
    parser.add_argument("--keras", action="store_true", help="train real models")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    searches = trained() if options.keras else arithmetic()
    print(f"| search | {' | '.join(_COLUMNS)} |")
    print("|---" * (len(_COLUMNS) + 1) + "|")
    for name, search in searches.items():
        show(name, torment(search, -(-options.kills // len(searches)), chance))
    if not options.keras:
        show("KerasTuner RandomSearch", torment(Theirs(), options.kills, chance))


def show(name: str, counts: collections.Counter[str]) -> None:
    """Print what was counted, as a row."""
    cells = [
        counts["kills"],
        counts["amid"],
        f"{counts['reloaded']} of {counts['reloads']}",
        counts["lost"],
        counts["repeated"],
        f"{counts['same']} of {counts['searches'] - counts['given_up']}",
        counts["given_up"],
    ]
    print(f"| {name} | {' | '.join(map(str, cells))} |", flush=True)


def torment(search: Search, kills: int, chance: random.Random) -> collections.Counter[str]:
    """Kill a search until so many kills have hit; return what was counted."""
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as directory:
        began = time.monotonic()
        in_child(lambda: search(directory))
        whole, length = search.finished(directory), time.monotonic() - began
    while counts["kills"] < kills:
        counts["searches"] += 1
        with tempfile.TemporaryDirectory() as directory:
            works = torment_once(search, directory, kills, chance, length, counts)
            if works:
                in_child(lambda: search(directory))
            counts["repeated"] += search.repeated(directory)
            ends = search.finished(directory)
        given_up = any(GIVEN_UP in end for end in ends.values())
        counts["given_up"] += given_up
        counts["same"] += not given_up and ends == whole
    return counts


def torment_once(
    search: Search,
    directory: str,
    kills: int,
    chance: random.Random,
    length: float,
    counts: collections.Counter[str],
) -> bool:
    """Kill one search until it has ended, or enough kills have hit; return whether it can go on.

    Args:
        search: The search.
        directory: Where it is.
        kills: How many kills to count.
        chance: Says when to kill.
        length: How many seconds it takes.
        counts: Of what was found; changed.
    """
    while counts["kills"] < kills:
        before, written = search.finished(directory), search.written(directory)
        code = in_child(lambda: search(directory), chance.uniform(0, length))
        if code != -signal.SIGKILL:
            return code == 0
        counts["kills"] += 1
        counts["amid"] += search.written(directory) > written
        after = search.finished(directory)
        counts["lost"] += sum(after.get(name) != end for name, end in before.items())
        counts["reloads"] += 1
        if in_child(lambda: search.load(directory)) != 0:
            return False
        counts["reloaded"] += 1
    return True


class Theirs(Search):
    """KerasTuner's random search over the same space, as far as its files tell."""

    def __call__(self, directory: str) -> None:
        """Run the search in a directory to its end, or go on with it."""
        self.load(directory).search(verbose=0)

    def load(self, directory: str) -> keras_tuner.Tuner:
        """Return its tuner, which has loaded what the directory holds."""
        hp = keras_tuner.HyperParameters()
        for index in range(3):
            hp.Float(f"float_{index}", 1e-4, 1.0, sampling="log")
        hp.Choice("kind", ["a", "b", "c"])

        class Fast(keras_tuner.RandomSearch):
            def run_trial(self, trial: Any, **kwargs: Any) -> dict[str, float]:  # noqa: ARG002
                again = "again" if trial.trial_id in completed(directory) else "first"
                with open(Path(directory, "begun"), "a") as file:
                    file.write(f"{trial.trial_id} {again}\n")
                return {"cost": cost(trial, 0)}

        return Fast(None, COST, max_trials=TRIALS, seed=1, hyperparameters=hp, directory=directory)

    def written(self, directory: str) -> int:
        """Return how many trials have begun."""
        return len(_begun(directory))

    def finished(self, directory: str) -> dict[str, Any]:
        """Return the completed trials with their values."""
        return completed(directory)

    def repeated(self, directory: str) -> int:
        """Return how often a trial was begun again after it was completed."""
        return sum(line.endswith("again") for line in _begun(directory))


def _begun(directory: str) -> list[str]:
    path = Path(directory, "begun")
    return path.read_text().splitlines() if path.exists() else []


def completed(directory: str) -> dict[str, Any]:
    """Return the trials that KerasTuner's files call completed, with their values."""
    found = {}
    for path in Path(directory).glob("*/trial_*/trial.json"):
        with contextlib.suppress(ValueError):
            state = json.loads(path.read_text())
            if state["status"] == "COMPLETED":
                found[state["trial_id"]] = state["hyperparameters"]["values"]
    return found


if __name__ == "__main__":
    main()
