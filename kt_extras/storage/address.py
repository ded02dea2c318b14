"""The URL of a database: parsed, shown without its password, and opened."""

from __future__ import annotations

import re

from kt_extras.storage.sql import missing, sa

EXAMPLES = "such as 'sqlite:///runs.db' or 'postgresql://user:password@host/database'"
_HIDDEN = "***"


def parse(storage: str | sa.URL) -> sa.URL:
    """Return the parsed URL of a database of any kind.

    Args:
        storage: The URL, as SQLAlchemy writes URLs.

    Raises:
        TypeError: `storage` is not a string.
        ValueError: `storage` is not a URL.

    >>> parse("sqlite:///runs.db").database
    'runs.db'
    """
    if not isinstance(storage, (str, sa.URL)):
        raise TypeError(f"`storage` must be a URL {EXAMPLES}, got {storage!r}.")
    try:
        return sa.make_url(storage)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError(
            f"`storage` must be a URL {EXAMPLES}, got {_masked(str(storage))!r}."
        ) from None


def shown(url: sa.URL) -> str:
    """Return a URL with its passwords masked.

    >>> shown(sa.make_url("postgresql://ada:secret@db/runs?sslpassword=secret"))
    'postgresql://ada:***@db/runs?sslpassword=***'
    """
    return _masked(url.render_as_string(hide_password=True))


def without_secrets(text: str, url: sa.URL) -> str:
    """Return the message of a driver with the passwords of the URL masked."""
    secrets = [url.password, *(v for k, v in url.query.items() if "pass" in k.lower())]
    for secret in secrets:
        if secret:
            text = text.replace(str(secret), _HIDDEN)
    return text


def engine(url: sa.URL, arguments: dict[str, object]) -> sa.Engine:
    """Return an engine that opens a connection on demand and pools none.

    Args:
        url: The URL of the database.
        arguments: Arguments for the driver's `connect`.

    Raises:
        ModuleNotFoundError: The driver is not installed.
        ValueError: SQLAlchemy does not know the driver, or it is an asynchronous one.
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


def _masked(text: str) -> str:
    text = re.sub(r"(://[^:/?#]*:).*@", rf"\1{_HIDDEN}@", text)
    return re.sub(r"(?i)(\w*pass\w*=)[^&]*", rf"\1{_HIDDEN}", text)
