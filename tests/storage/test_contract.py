"""Every store of the package passes `StoreContract`, and broken ones fail it."""

import pytest

from kt_extras.records.query_tables import SearchTables
from kt_extras.storage.database import Database
from kt_extras.storage.journal import Journal
from kt_extras.testing import StoreContract


class TestJournal(StoreContract):
    def make(self, directory):
        return Journal(directory / "journal.jsonl")


class TestSQLite(StoreContract):
    def make(self, directory):
        return Database(f"sqlite:///{directory}.db", directory.name)


class TestOneFileOfSQLite(StoreContract):
    def make(self, directory):
        url = f"sqlite:///{directory.parent.parent}/shared.db"
        return Database(url, str(directory), SearchTables())

    @pytest.fixture(autouse=True)
    def _in_a_folder_of_its_own(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


class TestPostgreSQL(StoreContract):
    @pytest.fixture(autouse=True)
    def _with_a_server(self, server, monkeypatch):
        self.url = server.url
        monkeypatch.setattr("kt_extras.storage.postgresql._LOCK_SECONDS", 0.0)

    def make(self, directory):
        return Database(self.url, str(directory), SearchTables())


class Reversed(Journal):
    def read(self):
        return reversed(list(super().read()))


class Rereading(Journal):
    def read(self):
        return Journal(self.path).read()

    def news(self):
        return Journal(self.path).read()


class BeginsAnew(Journal):
    def append(self, record, *, sync=False):
        if not self.path.exists():
            Journal(self.path).append(record)
        else:
            super().append(record, sync=sync)


class FollowsAnother(Journal):
    def news(self):
        return iter(())


class Unlocked(Journal):
    def acquire(self):
        pass


class KeptLocked(Journal):
    def release(self):
        pass


class NeverDeleted(Journal):
    def delete(self):
        pass


class LosesAtCompaction(Journal):
    def compact(self, records):
        super().compact([])


@pytest.mark.parametrize(
    ("broken", "law", "message"),
    [
        (Reversed, "records_are_read_in_order_as_they_were_written", "read by the store"),
        (Rereading, "news_are_the_records_after_the_last_one_read", "when nothing was written"),
        (BeginsAnew, "append_raises_after_the_project_was_removed", "before it were removed"),
        (FollowsAnother, "news_raise_after_the_project_was_replaced", "are not there any more"),
        (
            Unlocked,
            "acquire_raises_while_another_writer_has_the_lock",
            "did not raise ProjectInUseError",
        ),
        (KeptLocked, "lock_can_be_acquired_after_release", "`release` did not release the lock"),
        (NeverDeleted, "deleted_project_is_empty", "a deleted project exists"),
        (LosesAtCompaction, "compact_replaces_all_records_or_none", "after `compact`"),
    ],
)
def test_broken_store_fails_its_law(broken, law, message):
    class Broken(StoreContract):
        def make(self, directory):
            return broken(directory / "journal.jsonl")

    with pytest.raises(AssertionError, match=message):
        getattr(Broken(), f"test_{law}")()


def test_make_must_be_overridden():
    with pytest.raises(NotImplementedError, match="`make` must return the store"):
        StoreContract().test_project_exists_from_the_first_append_on()
