"""The records of a search on disk: in a journal, or in a database of SQLite or PostgreSQL."""

from kt_extras.storage.errors import DamagedJournalError, DamagedRecordError, StorageError
from kt_extras.storage.journal import Journal
from kt_extras.storage.lock import ProjectInUseError
from kt_extras.storage.store import Store, open_store

__all__ = [
    "DamagedJournalError",
    "DamagedRecordError",
    "Journal",
    "ProjectInUseError",
    "StorageError",
    "Store",
    "open_store",
]
