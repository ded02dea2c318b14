"""Searches on a file system whose power is cut at random instants, reloaded and run to their end.

    python -m benchmarks.power_cuts --cuts 100

Needs Linux and the right to mount.  Each search runs on an ext4 file system in a file.  At the cut
its process is stopped and that file is copied: the copy has what the file system had handed to its
device, and nothing of what was only in memory.  The copy is mounted, which replays its own journal,
and the search goes on there.  Told is how many finished trials were lost or run again, how many
searches ended as one without a cut, and how many of the best models could be loaded.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.killed_searches import (
    GIVEN_UP,
    Search,
    events,
    finished,
    in_child,
    repeated,
    start,
    trained,
    wait_for,
)

_MEGABYTES = 48  # of a file system
_COLUMNS = (
    "cuts",
    "amid",
    "good reloads",
    "lost",
    "run again",
    "models loaded",
    "same",
    "given up",
)


def main() -> None:
    """Cut the power of searches, and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if sys.platform != "linux" or os.geteuid() != 0:
        raise SystemExit("`power_cuts` mounts file systems: it needs Linux and root.")
    chance, searches = random.Random(options.seed), trained()
    print(f"| search | {' | '.join(_COLUMNS)} |")
    print("|---" * (len(_COLUMNS) + 1) + "|")
    for name, search in searches.items():
        counts = torment(search, -(-options.cuts // len(searches)), chance)
        cells = [
            counts["cuts"],
            counts["amid"],
            f"{counts['reloaded']} of {counts['cuts']}",
            counts["lost"],
            counts["repeated"],
            f"{counts['loaded']} of {counts['asked']}",
            f"{counts['same']} of {counts['searches'] - counts['given_up']}",
            counts["given_up"],
        ]
        print(f"| {name} | {' | '.join(map(str, cells))} |", flush=True)


def torment(search: Search, cuts: int, chance: random.Random) -> collections.Counter[str]:
    """Cut the power of a search so many times; return what was counted."""
    counts: collections.Counter[str] = collections.Counter()
    with file_system() as image, mounted(image) as directory:
        began = time.monotonic()
        in_child(lambda: search(directory))
        whole, length = finished(directory), time.monotonic() - began
    while counts["cuts"] < cuts:
        counts["searches"] += 1
        with file_system() as image:
            while counts["cuts"] < cuts:
                promised = cut(search, image, chance.uniform(0, length))
                if promised is None:
                    break
                counts["cuts"] += 1
                with mounted(image) as directory:
                    look_after(search, directory, promised, counts)
            with mounted(image) as directory:
                in_child(lambda: search(directory))
                counts["repeated"] += repeated(directory)
                ends = finished(directory)
        given_up = any(score == GIVEN_UP for _, score, *_ in ends.values())
        counts["given_up"] += given_up
        counts["same"] += not given_up and ends == whole
    return counts


def look_after(
    search: Search,
    directory: str,
    promised: list[dict[str, Any]],
    counts: collections.Counter[str],
) -> None:
    """Count what has survived a cut.

    Args:
        search: The search.
        directory: Where it is.
        promised: The records of which the search knew that they are on the disk.
        counts: Of what was found; changed.
    """
    left = events(directory)
    counts["amid"] += bool(promised)
    counts["lost"] += sum(event not in left for event in promised if event["kind"] == "end")
    counts["reloaded"] += in_child(lambda: search.load(directory)) == 0
    scored = [end for end in finished(directory).values() if end[1] not in {None, GIVEN_UP}]
    wanted = min(len(scored), 10)

    def load() -> None:
        found = search.load(directory).get_best_models(wanted)
        assert len(found) >= wanted, found

    if wanted:
        counts["asked"] += 1
        counts["loaded"] += in_child(load) == 0


def cut(search: Search, image: Path, seconds: float) -> list[dict[str, Any]] | None:
    """Run a search on a file system and cut its power after so many seconds.

    Args:
        search: The search.
        image: The file of the file system; in it is afterwards what its device had been given.
        seconds: When.

    Returns:
        The records that were on the disk for sure, None if the search has ended before.
    """
    with mounted(image) as directory:
        child = start(lambda: search(directory))
        if wait_for(child, seconds):
            os.waitpid(child, 0)
            return None
        os.kill(child, signal.SIGSTOP)
        os.waitpid(child, os.WUNTRACED)
        copy = image.with_suffix(".cut")
        shutil.copyfile(image, copy)
        records = events(directory)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    copy.replace(image)
    # The end of a trial waits for the disk, so whatever follows it was written after that.
    ends = [number for number, event in enumerate(records[:-1]) if event["kind"] == "end"]
    return records[: ends[-1] + 1] if ends else []


@contextmanager
def file_system() -> Iterator[Path]:
    """Yield the file of a new ext4 file system."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image")
        with image.open("wb") as file:
            file.truncate(_MEGABYTES << 20)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        yield image


@contextmanager
def mounted(image: Path) -> Iterator[str]:
    """Mount a file system, and yield the directory of its root."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["mount", "-o", "loop", image, directory], check=True)
        try:
            yield directory
        finally:
            subprocess.run(["umount", directory], check=True)


if __name__ == "__main__":
    main()
