"""A store on a disk that fails."""

import errno


class FaultyStore:
    """Fails in `append`, before or after the record was written, when told to.

    Args:
        store: Where the records are.

    Attributes:
        fails: `"before"` or `"after"`; None while it does not.
        lasting: Whether it fails more than once.
        error: Raised.
    """

    def __init__(self, store):
        self.store, self.fails, self.lasting = store, None, False
        self.error = OSError(errno.ENOSPC, "No space left on device")

    def append(self, record, *, sync=False):
        fails = self.fails
        if not self.lasting:
            self.fails = None
        if fails != "before":
            self.store.append(record, sync=sync)
        if fails:
            raise self.error

    def __getattr__(self, name):
        return getattr(self.store, name)


def faulty(oracle):
    """Let the store of an oracle fail when told to; return the store."""
    store = oracle._recorder._store = FaultyStore(oracle._recorder._store)
    return store
