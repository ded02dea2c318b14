"""The databases of `tests/storage`, for the tables that are derived from events."""

import importlib.util

if importlib.util.find_spec("sqlalchemy") is not None:  # the extra `sql`
    from tests.storage.conftest import connect, database, project, server, url

    __all__ = ["connect", "database", "project", "server", "url"]
