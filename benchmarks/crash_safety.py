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
import shutil
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
    events,
    finished,
    in_child,
    repeated,
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
        show("KerasTuner RandomSearch", torment_theirs(options.kills, chance))


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
        whole, length = finished(directory), time.monotonic() - began
    while counts["kills"] < kills:
        directory = tempfile.mkdtemp()
        counts["searches"] += 1
        code = None
        while code != 0 and counts["kills"] < kills:
            before, written = finished(directory), len(events(directory))
            code = in_child(lambda: search(directory), chance.uniform(0, length))  # noqa: B023
            counts["kills"] += code == -signal.SIGKILL
            counts["amid"] += code == -signal.SIGKILL and len(events(directory)) > written
            counts["reloads"] += 1
            counts["reloaded"] += code in {0, -signal.SIGKILL}
            after = finished(directory)
            counts["lost"] += sum(after.get(name) != end for name, end in before.items())
            if code not in {0, -signal.SIGKILL}:
                break  # it cannot go on any more
        if code == -signal.SIGKILL:
            in_child(lambda: search(directory))  # noqa: B023 - called at once
        counts["repeated"] += repeated(directory)
        ends = finished(directory)
        given_up = any(score == GIVEN_UP for _, score, *_ in ends.values())
        counts["given_up"] += given_up
        counts["same"] += not given_up and ends == whole
        shutil.rmtree(directory)
    return counts


# KerasTuner's own files.


def torment_theirs(kills: int, chance: random.Random) -> collections.Counter[str]:
    """Do the same to KerasTuner's random search, as far as its files tell."""
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as directory:
        began = time.monotonic()
        in_child(lambda: theirs(directory).search(verbose=0))
        whole, length = completed(directory), time.monotonic() - began
    while counts["kills"] < kills:
        directory = tempfile.mkdtemp()
        counts["searches"] += 1
        code = None
        while code != 0 and counts["kills"] < kills:
            before = completed(directory)
            work = lambda: theirs(directory).search(verbose=0)  # noqa: E731, B023
            code = in_child(work, chance.uniform(0, length))
            counts["kills"] += code == -signal.SIGKILL
            counts["amid"] += code == -signal.SIGKILL and completed(directory) != before
            counts["reloads"] += 1
            counts["reloaded"] += code in {0, -signal.SIGKILL}
            counts["lost"] += len(before.keys() - completed(directory).keys())
            if code not in {0, -signal.SIGKILL}:
                break
        if code == -signal.SIGKILL:
            in_child(work)
        begun = Path(directory, "begun")
        counts["repeated"] += begun.read_text().count("again") if begun.exists() else 0
        counts["same"] += completed(directory) == whole
        shutil.rmtree(directory)
    return counts


def theirs(directory: str) -> keras_tuner.Tuner:
    """Return KerasTuner's random search over the same space."""
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
