"""A Griffe extension for two habits of this project's docstrings.

Griffe recognises doctests under an "Examples:" heading only.  In this project they end a docstring
without a heading, and Markdown would show `>>>` as a quotation.  It also expects the names of an
item of "Args:" on one line.
"""

import re

import griffe

# The beginning of a list of names in "Args:" that goes on in the next line.
NAMES = re.compile(r"^( +)((?:`?\w+`?, )*`?\w+`?,)\n +(?=[\w`])", flags=re.MULTILINE)


class DoctestFences(griffe.Extension):
    """Puts doctests between code fences, and lists of names on one line."""

    def on_object(self, *, obj, **kwargs):  # noqa: ARG002 - Griffe passes more
        """Change the docstring of an object as soon as it is read."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(joined(obj.docstring.value))


def joined(text):
    """Return a docstring with each list of names on one line."""
    while (shorter := NAMES.sub(r"\1\2 ", text)) != text:
        text = shorter
    return text


def fenced(text):
    """Return a docstring with fences around its doctests."""
    lines, inside = [], False
    for line in text.splitlines():
        if not inside and line.startswith(">>>"):
            lines += ["```pycon"]
            inside = True
        elif inside and not line.strip():
            lines += ["```"]
            inside = False
        lines.append(line)
    return "\n".join([*lines, "```"] if inside else lines)
