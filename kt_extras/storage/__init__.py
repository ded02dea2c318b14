"""Where the records of a search are kept: a journal, or a database of SQLite or PostgreSQL."""

from kt_extras.storage.errors import DamagedRecordError, StorageError
from kt_extras.storage.journal import DamagedJournalError, Journal
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
