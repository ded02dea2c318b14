"""A process that writes a search: `python -m tests.storage.writer URL PROJECT COUNT`."""

import sys

from kt_extras.records.query_tables import SearchTables
from kt_extras.storage.database import Database
from tests.storage.kills import record


def main(url, project, count):
    with Database(url, project, SearchTables()) as database:
        for number in range(int(count)):
            database.append(record(number), sync=number % 5 == 4)
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
