"""A process that holds a lock until it is killed: `python -m tests.storage.holder KIND PLACE`."""

import os
import sys
import time

from kt_extras.storage.lock import FileLock


def main(kind, place, project="digits"):
    if kind == "database":
        from kt_extras.storage.database import Database

        lock = Database(place, project)
    else:
        lock = FileLock(place, project)
    lock.acquire()
    forks = kind == "forking-file" or project.startswith("forking")
    child = os.fork() if forks else None
    if not child:  # the child, if there is one, writes the line once both are ready
        sys.stdout.write(f"{os.getpid() if forks else 0}\n")
        sys.stdout.flush()
    time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
