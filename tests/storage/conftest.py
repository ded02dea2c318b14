"""The databases that the tests run on: SQLite, and PostgreSQL where it is installed."""

import itertools

import pytest

from tests.storage.server import Server, tool

pytest.importorskip("sqlalchemy", reason="the extra `sql` is not installed")

from kt_extras.records.query_tables import SearchTables
from kt_extras.storage.database import Database

_counter = itertools.count()


@pytest.fixture(scope="session")
def server():
    if tool("initdb") is None:
        pytest.skip("PostgreSQL is not installed (the package `postgresql` on Debian)")
    pytest.importorskip("psycopg", reason="the extra `sql` is not installed")
    server = Server()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of a database; on PostgreSQL the tests share it, under different projects."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/runs.db"
    return request.getfixturevalue("server").url


@pytest.fixture
def project():
    return f"project {next(_counter)}"


@pytest.fixture
def connect(url, project):
    """A function that opens a project with the tables of a search; all are closed at the end."""
    opened = []

    def connect(name=project):
        opened.append(Database(url, name, SearchTables()))
        return opened[-1]

    yield connect
    for database in opened:
        database.release()


@pytest.fixture
def database(connect):
    return connect()
