"""Parts of a page.  Every text that comes from a search is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from kt_extras.arguments import is_number

_FIGURES = 5  # of a number in a table


def element(tag: str, content: str, **attributes: str) -> str:
    """Return an element around content that is HTML already.

    >>> element("p", "a &amp; b", id="first", class_="note")
    '<p id="first" class="note">a &amp; b</p>'
    """
    named = ((name.rstrip("_").replace("_", "-"), value) for name, value in attributes.items())
    written = "".join(f' {name}="{escape(value)}"' for name, value in named)
    return f"<{tag}{written}>{content}</{tag}>"


def text(tag: str, content: Any, **attributes: str) -> str:
    """Return an element around text, which is escaped.

    >>> text("p", "1 < 2")
    '<p>1 &lt; 2</p>'
    """
    return element(tag, escape(str(content)), **attributes)


def number(value: Any) -> str:
    """Return a value for a reader: numbers in few digits, `-` for nothing.

    >>> number(0.123456789), number(1234567), number(None), number(True), number("relu")
    ('0.12346', '1,234,567', '-', 'True', 'relu')
    """
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if not is_number(value):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:g}"
    return f"{value:.{_FIGURES}g}"


def duration(seconds: float | None) -> str:
    """Return a time in the units of daily life.

    >>> duration(0.25), duration(75), duration(7325), duration(None)
    ('0.25 s', '1 min 15 s', '2 h 2 min', '-')
    """
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours / 24:.1f} days"


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    caption: str,
    numeric: Sequence[str] = (),
) -> str:
    """Return a table whose cells are escaped; one that is wider than the page can be scrolled.

    Args:
        heads: The names of the columns.
        rows: Their cells; the first one names the row.
        caption: What the table shows, for those who hear it.
        numeric: The columns that hold numbers.  Defaults to none.
    """
    right = [{"class_": "number"} if head in numeric else {} for head in heads]
    head = "".join(
        text("th", name, scope="col", **how) for name, how in zip(heads, right, strict=True)
    )
    body = []
    for row in rows:
        cells = [text("th", number(row[0]), scope="row", **right[0])]
        cells += [text("td", number(v), **h) for v, h in zip(row[1:], right[1:], strict=True)]
        body.append(element("tr", "".join(cells)))
    inner = text("caption", caption) + element("thead", element("tr", head))
    whole = element("table", inner + element("tbody", "\n".join(body)))
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def pairs(values: Mapping[str, Any]) -> str:
    """Return names with their values as a list of descriptions."""
    inner = "".join(text("dt", name) + text("dd", number(v)) for name, v in values.items())
    return element("dl", inner)


def code(source: str) -> str:
    """Return code, as it is to be copied."""
    return element("pre", text("code", source), tabindex="0")


def section(name: str, heading: str, *parts: str) -> str:
    """Return a section with its heading, nothing if it has no parts."""
    filled = [part for part in parts if part]
    if not filled:
        return ""
    head = text("h2", heading, id=name)
    return element("section", "\n".join([head, *filled]), aria_labelledby=name)
