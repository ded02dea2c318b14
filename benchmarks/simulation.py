"""Random histories of searches on a simulated disk and clock, and whether a law is broken.

    python -m benchmarks.simulation --histories 100000

A history has up to 14 steps: processes search, are killed, lose power, meet full and broken disks,
are edited, read, interrupted and disturbed by the user; `tests/simulation` has the laws.  Told is
how often each kind of step was taken, and the shortest history of each broken law as a test.  The
program ends with 1 if there is one.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import random
import re
import shutil
import sys
import time
import uuid
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_PART = 200  # histories of a task


@dataclass
class Outcome:
    """What some histories have led to.

    Attributes:
        steps: How often each kind of step was taken.
        kinds: How many searches of each kind there were.
        broken: For each broken law, what was said and the numbers of the histories.
    """

    steps: collections.Counter[str] = field(default_factory=collections.Counter)
    kinds: collections.Counter[str] = field(default_factory=collections.Counter)
    broken: dict[str, list[int]] = field(default_factory=dict)

    def add(self, other: Outcome) -> None:
        """Add the outcome of other histories."""
        self.steps += other.steps
        self.kinds += other.kinds
        for law, numbers in other.broken.items():
            self.broken.setdefault(law, []).extend(numbers)


def main() -> None:
    """Run the histories on all cores, and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--histories", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first history")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    began, total = time.monotonic(), Outcome()
    parts = [
        range(begin, min(begin + _PART, options.seed + options.histories))
        for begin in range(options.seed, options.seed + options.histories, _PART)
    ]
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        for outcome in pool.map(run, parts):
            total.add(outcome)
    seconds = time.monotonic() - began
    print("| step | taken |\n|---|---|")
    for step, count in sorted(total.steps.items()):
        print(f"| {step} | {count} |")
    print("\n| search | histories |\n|---|---|")
    for kind, count in sorted(total.kinds.items()):
        print(f"| {kind} | {count} |")
    violations = sum(map(len, total.broken.values()))
    print(f"\n{options.histories} histories, {violations} violations, {seconds:.0f} s")
    for law, numbers in sorted(total.broken.items(), key=lambda item: -len(item[1])):
        print(f"\n{len(numbers)} x {law} (histories {numbers[:5]})\n{shortest(numbers[0])}")
    sys.exit(bool(violations))


def run(numbers: range) -> Outcome:
    """Run some histories; called in another process."""
    from tests.simulation.history import FOLDER, Runner, collect_garbage, random_history

    folder, outcome = FOLDER / f"kt_extras-{uuid.uuid4().hex}", Outcome()
    for number in numbers:
        if number % 50 == 0:
            collect_garbage()
        history = random_history(random.Random(number))
        runner = Runner(history, folder)
        violation = runner.violation()
        outcome.steps += runner.done
        outcome.kinds[history.kind] += 1
        if violation is not None:
            law = re.sub(r"[\d.]+", "#", violation.partition("\n")[0])[:100]
            outcome.broken.setdefault(law, []).append(number)
    shutil.rmtree(folder, ignore_errors=True)
    return outcome


def shortest(number: int) -> str:
    """Return the shortest history that fails where this one does, as a test."""
    from tests.simulation.history import FOLDER, random_history, violation_of
    from tests.simulation.shrink import as_test, shrunk

    folder = FOLDER / f"kt_extras-{uuid.uuid4().hex}"
    history = shrunk(
        random_history(random.Random(number)),
        lambda other: violation_of(other, folder) is not None,
    )
    text = as_test(history, violation_of(history, folder) or "")
    shutil.rmtree(folder, ignore_errors=True)
    return text


if __name__ == "__main__":
    main()
