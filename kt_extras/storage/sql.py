"""SQLAlchemy, which is optional: the modules of databases import it from here."""

from __future__ import annotations

__all__ = ["missing", "sa"]


def missing(module: str | None) -> ModuleNotFoundError:
    """Return the error that says how to install a module that a database needs.

    >>> missing("psycopg").msg
    '`storage` needs the module `psycopg` for this URL; run `pip install kt_extras[sql]`.'
    """
    return ModuleNotFoundError(
        f"`storage` needs the module `{module}` for this URL; run `pip install kt_extras[sql]`.",
        name=module,
    )


try:
    import sqlalchemy as sa
except ModuleNotFoundError as error:
    if error.name != "sqlalchemy":  # a broken installation is not a missing one
        raise
    raise missing(error.name) from error
