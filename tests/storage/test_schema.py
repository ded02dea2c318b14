"""`Database` keeps any `QueryTables` up to date, whatever their records mean."""

import pytest

from kt_extras.storage.database import Database
from kt_extras.storage.errors import StorageError
from kt_extras.storage.schema import key_column, project_column
from kt_extras.storage.sql import sa
from tests.storage.queries import rows
from tests.storage.search import search


class KindCounts:
    """Counts the records of each kind: tables of which `kt_extras.storage` knows nothing."""

    counts = sa.Table(
        "kte_kind_counts",
        sa.MetaData(),
        project_column(),
        key_column("kind", sa.Text),
        sa.Column("count", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    tables = (counts,)

    def update(self, connection, project, record):
        own = {"project": project, "kind": record["kind"]}
        here = sa.and_(self.counts.c.project == project, self.counts.c.kind == record["kind"])
        change = sa.update(self.counts).where(here).values(count=self.counts.c.count + 1)
        if not connection.execute(change).rowcount:
            connection.execute(sa.insert(self.counts).values(**own, count=1))


def write(database):
    for record in search():
        database.append(record)


def names_of_tables(url):
    return sorted(
        name for (name,) in rows(url, "SELECT name FROM sqlite_master WHERE type = 'table'")
    )


def test_any_query_tables_are_kept_up_to_date(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    query = "SELECT kind, count FROM kte_kind_counts ORDER BY kind"
    with Database(url, "digits", KindCounts()) as database:
        write(database)
        assert rows(url, query) == [("create", 2), ("end", 2), ("project", 1), ("report", 4)]
        database.cut(2)
        assert rows(url, query) == [("create", 1), ("project", 1)]
        rows(url, "UPDATE kte_kind_counts SET count = 9")
        database.rebuild()
        assert rows(url, query) == [("create", 1), ("project", 1)]
        database.delete()
        assert rows(url, query) == []


def test_database_without_query_tables_holds_records_alone(tmp_path):
    url = f"sqlite:///{tmp_path}/runs.db"
    with Database(url, "digits") as database:
        write(database)
        assert list(database.read()) == search()
        database.cut(2)
        assert list(database.read()) == search()[:2]
        database.delete()
        assert not database.exists()
    assert names_of_tables(url) == ["kte_format", "kte_projects", "kte_records"]


@pytest.mark.parametrize(
    ("made", "given", "message"),
    [
        (KindCounts(), None, r"they are \['kte_kind_counts'\], got \[\]"),
        (None, KindCounts(), r"they are \[\], got \['kte_kind_counts'\]"),
    ],
)
def test_writer_with_other_query_tables_is_refused(tmp_path, made, given, message):
    url = f"sqlite:///{tmp_path}/runs.db"
    with Database(url, "digits", made) as database:
        write(database)
    with Database(url, "digits", given) as database:
        assert list(database.read()) == search()
        changes = (
            lambda: database.append({"kind": "note"}),
            lambda: database.cut(1),
            database.delete,
            database.rebuild,
        )
        for change in changes:
            with pytest.raises(StorageError, match=f"`query_tables` must be those .*{message}"):
                change()
        assert list(database.read()) == search()
