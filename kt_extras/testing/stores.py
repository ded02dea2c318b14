"""Tests of the requirements of stores of records, to inherit for a store of your own."""

from __future__ import annotations

import contextlib
import copy
import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kt_extras.storage.lock import ProjectInUseError
from kt_extras.storage.store import Store

Record = dict[str, Any]


class StoreContract:
    """Base class of tests of a store: override `make` to open it.

    Each test method checks one requirement of the protocol and raises `AssertionError` if it is not
    met.

    >>> from kt_extras.storage import Journal
    >>> class TestJournal(StoreContract):
    ...     def make(self, directory):
    ...         return Journal(directory / "journal.jsonl")
    >>> TestJournal().test_records_are_read_in_order_as_they_were_written()
    """

    def make(self, directory: Path) -> Store:
        """Return the store to test; called again to open the same project a second time.

        Args:
            directory: The directory of the project, which names it: another directory is another
                project. It does not exist at the first call.
        """
        raise NotImplementedError("`make` must return the store to test; override it.")

    def test_project_exists_from_the_first_append_on(self) -> None:
        with self._project() as connect:
            store = connect()
            assert not store.exists(), "a project without records exists"
            store.append(_note(0))
            assert store.exists(), "a project with a record does not exist"
            store.release()
            assert connect().exists(), "a project with a record does not exist when reopened"

    def test_read_raises_for_a_project_without_records(self) -> None:
        with self._project() as connect:
            assert _raised(lambda: list(connect().read()), FileNotFoundError), (
                "`read` of a project without records did not raise FileNotFoundError"
            )

    def test_records_are_read_in_order_as_they_were_written(self) -> None:
        with self._project() as connect:
            store, records = connect(), [*map(_note, range(12)), *odd_records()]
            for number, record in enumerate(records):
                store.append(record, sync=number % 3 == 0)
            _check_equal(store.read(), records, what="read by the store that wrote them")
            _check_equal(store.read(), records, what="read a second time")
            store.release()
            _check_equal(connect().read(), records, what="read after the project was reopened")

    def test_project_is_unchanged_when_a_record_is_changed_after_append(self) -> None:
        with self._project() as connect:
            store, record = connect(), {"kind": "note", "values": {"units": 8}}
            store.append(record)
            before = copy.deepcopy(record)
            record["values"] = {}
            _check_equal(store.read(), [before], what="the record was changed after `append`")

    def test_append_raises_for_values_that_json_cannot_hold(self) -> None:
        with self._project() as connect:
            store = connect()
            store.append(_note(0))
            for value in (float("nan"), float("inf")):
                record = {"kind": "note", "value": value}
                raised = _raised(functools.partial(store.append, record), ValueError)
                assert raised, f"`append` of {value} did not raise ValueError"
            _check_equal(store.read(), [_note(0)], what="after `append` raised")

    def test_append_raises_for_values_that_could_not_be_read_again(self) -> None:
        with self._project() as connect:
            store, deep = connect(), _note(0)
            store.append(_note(0))
            for _ in range(100_000):
                deep = {"nest": deep}
            assert _raised(lambda: store.append(deep), ValueError), (
                "`append` of a record that nests too deeply to be read did not raise ValueError"
            )
            store.append(_note(1))
            _check_equal(connect().read(), map(_note, range(2)), what="after `append` raised")

    def test_news_are_the_records_after_the_last_one_read(self) -> None:
        with self._project() as connect:
            writer, reader = connect(), connect()
            for number in range(3):
                writer.append(_note(number))
            _check_equal(reader.read(), map(_note, range(3)), what="the records so far")
            _check_equal(reader.news(), [], what="news when nothing was written since")
            for number in range(3, 5):
                writer.append(_note(number))
            _check_equal(reader.news(), map(_note, (3, 4)), what="news after 2 appends")
            _check_equal(writer.news(), [], what="news of a store's own appends")

    def test_another_session_continues_the_project(self) -> None:
        with self._project() as connect:
            for number in range(3):
                store = connect()
                if store.exists():
                    _check_equal(store.read(), map(_note, range(number)), what="when reopened")
                store.acquire()
                store.append(_note(number))
                store.release()

    def test_acquire_raises_while_another_writer_has_the_lock(self) -> None:
        with self._project() as connect:
            first, second = connect(), connect()
            first.acquire()
            first.acquire()  # has no effect, as it has the lock
            assert _raised(second.acquire, ProjectInUseError), (
                "a second `acquire` of the same project did not raise ProjectInUseError"
            )
            first.append(_note(0))
            _check_equal(second.read(), [_note(0)], what="read while another one writes")

    def test_lock_can_be_acquired_after_release(self) -> None:
        with self._project() as connect:
            first, second = connect(), connect()
            first.acquire()
            first.append(_note(0))
            first.release()
            first.release()  # has no effect
            assert not _raised(second.acquire, ProjectInUseError), (
                "`release` did not release the lock"
            )
            assert _raised(first.acquire, ProjectInUseError), "the second holder has no lock"

    def test_append_raises_after_another_writer_appended(self) -> None:
        with self._project() as connect:
            first, second = connect(), connect()
            first.append(_note(0))
            list(second.read())
            second.append(_note(1))
            assert _raised(lambda: first.append(_note(2)), ProjectInUseError), (
                "`append` after another one's `append` did not raise ProjectInUseError"
            )
            _check_equal(second.read(), map(_note, range(2)), what="after `append` raised")

    def test_append_raises_after_the_project_was_removed(self) -> None:
        with self._project() as connect:
            first, second = connect(), connect()
            first.append(_note(0))
            second.delete()
            assert _raised(lambda: first.append(_note(1)), Exception), (
                "`append` did not raise, though the records before it were removed"
            )
            assert not connect().exists(), "`append` to a removed project began another one"

    def test_news_raise_after_the_project_was_replaced(self) -> None:
        with self._project() as connect:
            first, second = connect(), connect()
            for number in range(2):
                first.append(_note(number))
            second.delete()
            for number in range(3, 6):
                second.append(_note(number))
            assert _raised(lambda: list(first.news()), Exception), (
                "`news` did not raise, though the records that were read are not there any more"
            )

    def test_deleted_project_is_empty(self) -> None:
        with self._project() as connect:
            store = connect()
            store.delete()
            assert not store.exists(), "`delete` of a project without records created it"
            for number in range(3):
                store.append(_note(number))
            store.compact([_note(9)])
            store.delete()
            assert not store.exists(), "a deleted project exists"
            store.append(_note(7))
            _check_equal(store.read(), [_note(7)], what="after the project was deleted")

    def test_projects_have_separate_records_and_locks(self) -> None:
        with self._project("one") as one, self._project("other") as other:
            stores = one(), other()
            for number, store in enumerate(stores):
                store.acquire()
                store.append(_note(number))
            for number, store in enumerate(stores):
                _check_equal(store.read(), [_note(number)], what="2 projects side by side")
            stores[0].delete()
            assert stores[1].exists(), "`delete` removed another project"

    def test_compact_replaces_all_records_or_none(self) -> None:
        with self._project() as connect:
            store, before = connect(), [_note(number) for number in range(5)]
            for record in before:
                store.append(record)
            assert isinstance(store.outgrown(), bool), "`outgrown` did not return a bool"
            store.compact([{"kind": "note", "all": 5}])
            _check_equal(store.news(), [], what="news after `compact`")
            store.append(_note(5))
            store.release()
            reopened = connect()
            first, *rest = reopened.read()
            kept = [first, *rest] == [*before, _note(5)]
            replaced = [first, *rest] == [{"kind": "note", "all": 5}, _note(5)]
            assert kept or replaced, f"after `compact` and 1 append, read {[first, *rest]}"
            reopened.append(_note(6))
            _check_equal(reopened.news(), [], what="news after an append to a compacted project")

    @contextlib.contextmanager
    def _project(self, name: str = "project") -> Iterator[Callable[[], Store]]:
        """Yield a function that opens one new project; the stores are released at the end."""
        stores: list[Store] = []
        with tempfile.TemporaryDirectory() as folder:

            def connect() -> Store:
                stores.append(self.make(Path(folder, name)))
                return stores[-1]

            try:
                yield connect
            finally:
                for store in stores:
                    store.release()


def odd_records() -> list[Record]:
    """Return records with values that are easily changed by serialisation.

    >>> all(isinstance(record, dict) for record in odd_records())
    True
    """
    return [
        {"kind": "note", "x": 0.1 + 0.2, "tiny": 5e-324, "huge": 2**70, "zero": -0.0},
        {"kind": "note", "text": 'é\u2028\n\r\t"\\ \0 \ud800', "empty": ""},
        {"kind": "note", "nothing": None, "yes": True, "nest": {"a": [1, [], {}, "b"]}, "": 0},
    ]


def _note(number: int) -> Record:
    return {"kind": "note", "n": number}


def _check_equal(found: Iterator[Record], expected: Any, *, what: str) -> None:
    found_list, expected_list = list(found), list(expected)
    same = repr(found_list) == repr(expected_list)  # compares -0.0 and the order of keys, too
    assert same, f"{what}: expected {expected_list}, got {found_list}"


def _raised(call: Callable[[], object], error: type[Exception]) -> bool:
    """Return whether a call raises an error of a class."""
    try:
        call()
    except error:
        return True
    return False
