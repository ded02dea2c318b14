"""The URL of a database: parsed, shown without its password, and opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from kt_extras.storage.sql import missing, sa

EXAMPLES = "such as 'sqlite:///runs.db' or 'postgresql://user:password@host/database'"
_HIDDEN = "***"
_STAND_IN = "kte-hidden"  # until the URL is rendered, which would quote the asterisks
_SECRET = re.compile("pass|pwd|secret|token", re.IGNORECASE)


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
        plain = storage is None or isinstance(storage, (int, float))
        got = repr(storage) if plain else f"a {type(storage).__name__}"  # which may hold a password
        raise TypeError(f"`storage` must be a URL {EXAMPLES}, as a text, got {got}.")
    try:
        return sa.make_url(storage)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError(
            f"`storage` must be a URL {EXAMPLES}, got {_beginning(str(storage))!r}."
        ) from None


def shown(url: sa.URL) -> str:
    """Return a URL with its passwords masked.

    >>> shown(sa.make_url("postgresql://ada:secret@db/runs?sslpassword=secret"))
    'postgresql://ada:***@db/runs?sslpassword=***'
    """
    parts = {name: getattr(url, name) for name in ("username", "host", "database", "password")}
    for secret in _secrets(url):
        parts = {name: part and part.replace(secret, _STAND_IN) for name, part in parts.items()}
    hidden = {
        name: _STAND_IN if _is_secret(name, value) else value for name, value in url.query.items()
    }
    text = url.set(**parts, query=hidden).render_as_string(hide_password=False)
    return text.replace(_STAND_IN, _HIDDEN)


def without_secrets(text: str, url: sa.URL) -> str:
    """Return the message of a driver with the passwords of the URL masked."""
    secrets = {form for s in _secrets(url) for form in (s, quote(s), quote(s, ""), quote_plus(s))}
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
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


def _secrets(url: sa.URL) -> Iterator[str]:
    """Yield what nobody must see, also where a slip has put it into another part of the URL."""
    found = [url.password, (url.username or "").partition(":")[2]]
    found += [(url.host or "").rpartition("@")[0], _before_at(url)]
    if _is_secret("", str(url.password)):  # its `@` was taken for the one before the host
        found.append(url.host)
    for name, value in url.query.items():
        if _is_secret(name, value):
            found += [value] if isinstance(value, str) else value
    yield from (str(secret) for secret in found if secret)


def _before_at(url: sa.URL) -> str:
    """Return what looks like a password in the name of the database: there is a slash too many."""
    inner = r"[^/\\]*" if url.get_backend_name() == "sqlite" else ".*"  # a file may be C:/a@b.db
    match = re.search(f"(?s):({inner})@", url.database or "")
    return match[1] if match else ""


def _is_secret(name: str, value: str | tuple[str, ...]) -> bool:
    values = [value] if isinstance(value, str) else value
    return _SECRET.search(name) is not None or any(map(re.compile(r"(?i)pass\w*=").search, values))


def _beginning(text: str) -> str:
    """Return a text that is no URL, without what may be a password."""
    scheme, rest = re.findall(r"(?s)^([\w+.-]*:?[/\\]*)(.*)$", text)[0]
    if re.search("[@:=]", rest) or (rest and ":" in scheme and not scheme.endswith(("/", "\\"))):
        return f"{scheme}{_HIDDEN}"
    return text
