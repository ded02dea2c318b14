"""A search as one HTML page that needs nothing else: no network, no files, no scripts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.html import code, duration, element, number, pairs, section, text
from kt_extras.analysis.search_data import SearchData, TrialData, data_of
from kt_extras.analysis.written_file import file_to_write
from kt_extras.arguments import counted
from kt_extras.report import pictures, tables, words
from kt_extras.report.reasons import UNSUCCESSFUL
from kt_extras.report.reproduce import best_model, loading, settings, versions
from kt_extras.report.style import CSS

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def report(search: Any, path: str | os.PathLike[str]) -> Path:
    """Write what a search has found to one HTML page, which may be sent to others.

    Args:
        search: A tuner or an oracle of kt_extras, a `kt_extras.Study`, what `kt_extras.load`
            returns, or its data.
        path: The file, which is replaced; its directory is made if it is not there.

    Returns:
        The path of the file.

    Raises:
        TypeError: `search` or `path` is of another type.
        ValueError: `path` is a directory.
        ModuleNotFoundError: Matplotlib is not installed.
    """
    written, data = file_to_write(path), data_of(search)
    place = getattr(search, "directory", None) if data is not search else None
    place = getattr(search, "project_dir", place)
    storage = getattr(getattr(search, "oracle", search), "storage", None)
    written.write_text(page(data, place, storage), encoding="utf-8")
    return written


def page(search: SearchData, place: Any = None, storage: str | None = None) -> str:
    """Return the page.

    Args:
        search: The search.
        place: The directory of its project.  Defaults to None: not known.
        storage: The URL of its database.  Defaults to None: there is none.
    """
    best = best_first(search)
    sections = {
        "searched": ("What was searched", _searched(search, best)),
        "found": ("What was found", _found(search, best)),
        "hyperparameters": ("Which hyperparameters matter", _hyperparameters(search)),
        "failures": ("What failed", _failures(search)),
        "time": ("Where the time went", _time(search)),
        "reproduce": ("How to reproduce it", _reproduce(search, best, place, storage)),
    }
    body = [
        section(name, heading, *parts) for name, (heading, parts) in sections.items() if any(parts)
    ]
    links = [
        element("li", text("a", heading, href=f"#{name}"))
        for name, (heading, parts) in sections.items()
        if any(parts)
    ]
    head = text("h1", f"Report of {search.name}") + text("p", words.what_was_searched(search))
    nav = element("nav", element("ul", "".join(links)), aria_label="Sections")
    return _document(
        f"Report of {search.name}",
        element("header", head + _cards(search, best) + nav),
        element("main", "\n".join(body)),
        element("footer", text("p", f"Written by kt_extras {versions().get('kt_extras', '')}.")),
    )


def _document(title: str, *parts: str) -> str:
    head = [
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        text("title", title),
        element("style", CSS),
    ]
    body = element("head", "\n".join(head)) + "\n" + element("body", "\n".join(parts))
    return f'<!doctype html>\n<html lang="en">\n{body}\n</html>\n'


def _cards(search: SearchData, best: list[TrialData]) -> str:
    shown: list[tuple[str, str]] = []
    if best:
        found = words.targets(best[0], search)
        shown += [(number(value), name) for name, value in found.items()]
    shown += [
        (f"{len(search.trials):,}", "trials"),
        (f"{sum(trial.epochs for trial in search.trials):,}", "epochs trained"),
        (duration(search.seconds), "time of the search"),
    ]
    items = [element("li", text("strong", value) + text("span", name)) for value, name in shown]
    return element("ul", "".join(items), class_="cards")


def _searched(search: SearchData, best: list[TrialData]) -> list[str]:
    return [pairs({"project": search.name, **settings(search)}), tables.space(search, best)]


def _found(search: SearchData, best: list[TrialData]) -> list[str]:
    parts = [text("p", sentence) for sentence in words.what_was_found(search, best) if sentence]
    if not best:
        return parts
    parts += [pictures.scores(search), tables.best_trials(search, best)]
    return [*parts, pictures.budgets(search)]


def _hyperparameters(search: SearchData) -> list[str]:
    if sum(trial.score is not None for trial in search.trials) < 2:
        return []
    from kt_extras.analysis.advice import advice  # it loads SciPy

    said = advice(search)
    items = element("ul", "".join(text("li", sentence) for sentence in said)) if said else ""
    return [items, pictures.hyperparameters(search)]


def _failures(search: SearchData) -> list[str]:
    found = tables.failures(search)
    if not found:
        return []
    count = sum(trial.state in UNSUCCESSFUL for trial in search.trials)
    sentence = f"{counted(count, 'trial')} of {len(search.trials)} did not succeed."
    return [text("p", sentence), found]


def _time(search: SearchData) -> list[str]:
    if not search.trials:
        return []
    said = f"The search took {duration(search.seconds)}: {words.states(search)}."
    return [
        text("p", said),
        tables.time_by_state(search),
        tables.time_by_worker(search),
        pictures.timeline(search),
    ]


def _reproduce(
    search: SearchData, best: list[TrialData], place: Any, storage: str | None
) -> list[str]:
    where = None if place is None else str(place)
    parts = []
    if where is not None or storage is not None:
        parts = [
            text("p", "The search can be loaded without its model and its data:"),
            code(loading(where, storage, search.name)),
        ]
    if best:
        parts += [text("p", "The model of the best trial:"), code(best_model(best))]
    note = "Installed where this page was written:"
    return [*parts, text("p", note), pairs(versions())]
