"""Kills a writing process again and again: `python -m tests.storage.kills URL PROJECT KILLS`.

A process of its own, since forking needs one without threads.  Prints how far the search came.
"""

import os
import random
import signal
import struct
import sys
import time

from kt_extras.records.query_tables import SearchTables
from kt_extras.storage.database import Database


def record(number):
    """Return record `number` of an endless search, in which a trial is five records."""
    trial, step = f"{number // 5:04d}", number % 5
    if step == 0:
        return {"kind": "create", "trial": trial, "values": {"n": number}, "t": number}
    if step < 4:
        return {"kind": "report", "trial": trial, "step": step - 1, "metrics": {"cost": 1.0}}
    ending = {"score": 1.0, "values": {"n": number}, "t": number, "message": None, "best_step": 0}
    state = {"state": "completed", "status": "COMPLETED"}
    return {"kind": "end", "trial": trial, "results": {}, **state, **ending}


def write_on(url, project, first, acknowledge):
    """Write records without end and acknowledge each, in the process that is killed."""
    with Database(url, project, SearchTables()) as database:
        for number in range(first, sys.maxsize):
            database.append(record(number), sync=number % 5 == 4)
            os.write(acknowledge, struct.pack("<q", number + 1))


def killed(url, project, first, delay):
    """Return how many records were acknowledged before the process was killed."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        try:
            write_on(url, project, first, theirs)
        finally:
            os._exit(1)
    os.close(theirs)
    data = os.read(ours, 8)  # at least one
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while more := os.read(ours, 1 << 16):
        data += more
    os.close(ours)
    return struct.unpack_from("<q", data, len(data) - 8)[0]


def check(url, project, acknowledged):
    """Return the number of records: none is lost, at most one was not acknowledged."""
    database = Database(url, project, SearchTables())
    found = list(database.read())
    if not acknowledged <= len(found) <= acknowledged + 1:
        raise AssertionError(f"{acknowledged} acknowledged, {len(found)} found")
    if found != [record(number) for number in range(len(found))]:
        raise AssertionError("these are not the records that were written")
    database.acquire()
    database.release()
    return len(found)


def main(url, project, kills):
    chance = random.Random(0)
    count = 0
    for _ in range(int(kills)):
        acknowledged = killed(url, project, count, chance.uniform(0, 0.03))
        count = check(url, project, acknowledged)
    sys.stdout.write(f"{count}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
