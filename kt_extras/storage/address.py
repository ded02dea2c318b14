"""Where a database is: its URL, checked, and shown without its password."""

from __future__ import annotations

import re
from pathlib import Path

from kt_extras.storage.sql import missing, sa

_EXAMPLES = "such as 'sqlite:///runs.db' or 'postgresql://user:password@host/database'"
_HIDDEN = "***"


def address(storage: str | sa.URL) -> sa.URL:
    """Return the URL of a database of a kind that can hold searches.

    Args:
        storage: As SQLAlchemy writes URLs.  A relative path of an SQLite file counts from the
            current directory; PostgreSQL without a driver is reached through psycopg.

    Raises:
        TypeError: It is no string.
        ValueError: It is no URL, or of another kind of database.

    >>> address("postgresql://ada:secret@db.example/runs").drivername
    'postgresql+psycopg'
    >>> address("mysql://ada:secret@db.example/runs")
    Traceback (most recent call last):
    ValueError: `storage` must be an SQLite or a PostgreSQL database, ... got
    'mysql://ada:***@db.example/runs'.
    """
    if not isinstance(storage, (str, sa.URL)):
        raise TypeError(f"`storage` must be a URL {_EXAMPLES}, got {storage!r}.")
    try:
        url = sa.make_url(storage)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError(
            f"`storage` must be a URL {_EXAMPLES}, got {_masked(str(storage))!r}."
        ) from None
    kind, _, driver = url.drivername.partition("+")
    if kind == "sqlite":
        return _file(url)
    if kind != "postgresql":
        raise ValueError(
            f"`storage` must be an SQLite or a PostgreSQL database, {_EXAMPLES}, got "
            f"{shown(url)!r}."
        )
    return url if driver else url.set(drivername="postgresql+psycopg")


def shown(url: sa.URL) -> str:
    """Return a URL as it may be shown to anybody.

    >>> shown(sa.make_url("postgresql://ada:secret@db/runs?sslpassword=secret"))
    'postgresql://ada:***@db/runs?sslpassword=***'
    """
    return _masked(url.render_as_string(hide_password=True))


def without_secrets(text: str, url: sa.URL) -> str:
    """Return a driver's message without the passwords of the URL."""
    secrets = [url.password, *(v for k, v in url.query.items() if "pass" in k.lower())]
    for secret in secrets:
        if secret:
            text = text.replace(str(secret), _HIDDEN)
    return text


def engine(url: sa.URL, arguments: dict[str, object]) -> sa.Engine:
    """Return an engine that opens a connection when it is asked for one and keeps none.

    Raises:
        ModuleNotFoundError: The driver is not installed.
        ValueError: There is no such driver, or it is an asynchronous one.
    """
    wrong = (
        "`storage` must name a driver that SQLAlchemy knows and that is not asynchronous, got "
        f"{shown(url)!r}."
    )
    try:
        made = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=arguments)
    except ModuleNotFoundError as error:
        raise missing(error.name) from error
    except (sa.exc.ArgumentError, ValueError, TypeError) as error:
        raise ValueError(f"{wrong}  ({without_secrets(str(error), url)})") from None
    if made.dialect.is_async:
        raise ValueError(wrong)
    return made


def _file(url: sa.URL) -> sa.URL:
    """Settle where the file of an SQLite database is."""
    database = url.database or ":memory:"
    if database == ":memory:" or database.startswith("file:") or url.host:
        raise ValueError(
            "`storage` must name a file, such as 'sqlite:///runs.db' (relative) or "
            f"'sqlite:////data/runs.db' (absolute), got {shown(url)!r}."
        )
    return url.set(database=str(Path(database).absolute()))


def _masked(text: str) -> str:
    text = re.sub(r"(://[^:/?#]*:).*@", rf"\1{_HIDDEN}@", text)
    return re.sub(r"(?i)(\w*pass\w*=)[^&]*", rf"\1{_HIDDEN}", text)
