"""The projects that a database holds."""

from __future__ import annotations

from kt_extras.storage.address import shown
from kt_extras.storage.backends import backend_for
from kt_extras.storage.schema import is_created, projects
from kt_extras.storage.sql import sa


def project_names(storage: str | sa.URL) -> list[str]:
    """Return the names of the projects in a database that have records, sorted.

    Args:
        storage: Its URL.

    Raises:
        ModuleNotFoundError: SQLAlchemy or the driver is not installed.
        ValueError: The URL is not one of SQLite or PostgreSQL.

    >>> import tempfile
    >>> project_names(f"sqlite:///{tempfile.mkdtemp()}/runs.db")
    []
    """
    backend = backend_for(storage)
    if not backend.exists():
        return []
    with (
        backend.connect() as connection,
        backend.transaction(connection, writing=False, sync=False),
    ):
        if not is_created(connection, shown(backend.url)):
            return []
        query = sa.select(projects.c.name).where(projects.c.records > 0)
        return sorted(connection.scalars(query))
