"""Lets a search go on when the files of TensorBoard cannot be written: they only show it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_warned: set[str] = set()  # directories


@contextmanager
def tolerated(log_dir: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an error of a disk into a warning, once for each directory of TensorBoard.

    Args:
        log_dir: The directory in which the block writes.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     with tolerated("full-disk"):
    ...         raise OSError(28, "No space left on device")
    >>> str(caught[0].message).partition(":")[0]
    'TensorBoard may not show all of the search, since full-disk cannot be written'
    """
    try:
        yield
    except Exception as error:
        if not _is_of_files(error):
            raise
        where = os.fspath(log_dir)
        known = where if "://" in where else os.path.abspath(where)
        if known not in _warned:
            _warned.add(known)
            warnings.warn(
                f"TensorBoard may not show all of the search, since {where} cannot be written: "
                f"{error}.  The search goes on.",
                stacklevel=3,
            )


def _is_of_files(error: Exception) -> bool:
    if isinstance(error, OSError):
        return True
    from tensorflow import errors  # it takes seconds to load

    # Others, such as `InvalidArgumentError`, are of what was to be written.
    kinds = (
        errors.DataLossError,
        errors.FailedPreconditionError,
        errors.NotFoundError,
        errors.PermissionDeniedError,
        errors.ResourceExhaustedError,
        errors.UnavailableError,
        errors.UnknownError,
    )
    return isinstance(error, kinds)
