"""Records as texts of JSON, so that whatever was written can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Record = dict[str, Any]

MAX_DEPTH = 100  # of lists and objects in each other, far below the limits of parsers


def to_text(record: Mapping[str, Any]) -> str:
    """Return a record as JSON, in ASCII and on one line.

    Args:
        record: Values that JSON can hold.

    Raises:
        ValueError: It holds a NaN, an infinity or itself, or lists and dicts nest too deeply.

    >>> to_text({"kind": "stop", "trial": "0003"})
    '{"kind":"stop","trial":"0003"}'
    """
    try:
        text = json.dumps(record, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        raise _too_deep() from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deeper(record, MAX_DEPTH):
        raise _too_deep()
    return text


def to_record(text: str) -> Record:
    """Return the record that a JSON holds.

    Args:
        text: What `to_text` has returned, perhaps damaged.

    Raises:
        ValueError: It is not the JSON of a record.

    >>> to_record('{"kind":"stop","trial":"0003"}')
    {'kind': 'stop', 'trial': '0003'}
    """
    try:
        record = _DECODER.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from None
    if not isinstance(record, dict):
        raise ValueError("it is not an object of JSON")
    return record


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


def _is_deeper(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, (list, tuple)):
        return False
    return not levels or any(_is_deeper(item, levels - 1) for item in value)


def _too_deep() -> ValueError:
    return ValueError(f"a record must not nest lists and dicts deeper than {MAX_DEPTH} levels")
