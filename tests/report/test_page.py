"""The page about a search: what it says, that it needs nothing else, that names cannot break it."""

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from kt_extras.analysis.search_data import Target
from kt_extras.report.page import page, report
from kt_extras.report.reasons import reasons
from kt_extras.report.reproduce import best_model
from kt_extras.search import Choice, Space
from tests.plots.made_searches import (
    all_failed,
    halving,
    made,
    population,
    two_objectives,
    without_trials,
)
from tests.plots.test_data import search_of, trial

EVIL = "<script>alert(1)</script>\"'&"
VOID = {"meta", "link", "br", "img", "hr"}


class Outline(HTMLParser):
    """Notes the elements of a page, and whether each is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data if self.open[-1:] != ["style"] else ""

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def small():
    return page(made(60, workers=2))


def test_the_page_is_well_formed_and_has_each_name_once(small):
    outline = Outline(small)
    assert outline.open == []
    names = [attributes["id"] for _, attributes in outline.elements if "id" in attributes]
    assert len(names) == len(set(names))
    for svg in re.findall(r"<svg.*?</svg>", small, flags=re.S):
        ElementTree.fromstring(svg)


def test_the_page_needs_no_network_and_has_no_scripts(small):
    outline = Outline(small)
    assert outline.all("script") == outline.all("link") == []
    for tag, attributes in outline.elements:
        for name, value in attributes.items():
            if name in {"src", "href", "xlink:href"}:
                assert value.startswith(("#", "data:")), (tag, value)
    assert not re.search(r"url\((?!#)", small)


def test_references_within_pictures_lead_somewhere(small):
    names = set(re.findall(r'\bid="([^"]+)"', small))
    assert set(re.findall(r'href="#([^"]+)"', small)) <= names
    assert set(re.findall(r"url\(#([^)]+)\)", small)) <= names


def test_each_picture_is_described_and_each_table_has_heads(small):
    outline = Outline(small)
    assert len(outline.all("svg")) == len(outline.all("figure")) >= 6
    assert all(attributes["role"] == "img" for attributes in outline.all("svg"))
    assert small.count("<title>") == 1 + len(outline.all("svg"))
    assert all("scope" in attributes for attributes in outline.all("th"))
    assert len(outline.all("caption")) == len(outline.all("table"))


def test_headings_go_down_by_one_level(small):
    levels = [int(tag[1]) for tag, _ in Outline(small).elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_the_page_says_what_was_searched_found_and_failed(small):
    search = made(60, workers=2)
    best = max(search.scored, key=lambda t: t.score)
    text = Outline(small).text
    assert f"The best is trial {best.number} with val_accuracy {best.score:.5g}." in text
    for said in (
        "The search looked for high val_accuracy over 7 hyperparameters.",
        "0.0001 to 0.1, log",
        "optimizer is sgd",
        "out of memory",
        "worker_1",
        "The model of the best trial:",
        repr(best.values["learning_rate"]),
    ):
        assert said in text, said


def test_pictures_have_the_colours_of_the_page(small):
    assert "currentColor" in small
    assert "prefers-color-scheme: dark" in small
    assert "#010203" not in small


def test_names_and_messages_cannot_become_elements():
    space = Space([Choice(EVIL, (EVIL, "b"))])
    trials = [
        trial(n, n / 9, values={EVIL: EVIL if n % 2 else "b"}, objective_values={EVIL: n / 9})
        for n in range(8)
    ]
    trials = [replace(t, worker=EVIL, metrics={EVIL: 1.0, "m" + EVIL: 2.0}) for t in trials]
    trials += [trial(8, state="failed", message=EVIL)]
    goals = (Target(EVIL, "min"),)
    search = search_of(*trials, space=space, objectives=goals, model=EVIL)
    text = page(replace(search, name=EVIL), place=EVIL)
    outline = Outline(text)
    assert outline.all("script") == []
    assert outline.text.count(EVIL) > 10


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(without_trials, id="empty"),
        pytest.param(all_failed, id="failed"),
        pytest.param(lambda: made(1, faults=0), id="one"),
        pytest.param(population, id="population", marks=pytest.mark.slow),
        pytest.param(lambda: halving(30), id="halving", marks=pytest.mark.slow),
    ],
)
def test_every_kind_of_search_has_a_page(make):
    assert Outline(page(make())).open == []


def test_a_search_without_trials_says_so():
    text = Outline(page(without_trials())).text
    assert "No trial has begun yet." in text
    assert "What failed" not in text


@pytest.mark.slow
def test_several_objectives_have_a_front_and_a_compromise():
    text = Outline(page(two_objectives(40))).text
    assert "A good compromise is trial" in text
    assert "meet the constraints" in text
    assert "on the front" in text


def test_messages_that_differ_in_numbers_are_one_reason():
    messages = ["no memory for 12 MB", "no memory for 3,500 MB", "\nValueError: no\n  at 3", None]
    trials = [trial(n, state="failed", message=m) for n, m in enumerate(messages)]
    found = reasons(search_of(*trials))
    assert [(len(r.trials), r.line) for r in found] == [
        (2, "no memory for 12 MB"),
        (1, "ValueError: no"),
        (1, "no message"),
    ]


@pytest.mark.slow  # loads TensorFlow
def test_the_code_of_the_best_trial_builds_its_model():
    import keras_tuner

    built = {}

    def build_model(hp):
        built["units"] = hp.Int("units", 1, 64)
        built["act"] = hp.Choice("act", ["relu", "tanh"])

    source = best_model([trial(0, 1.0, values={"units": 48, "act": "tanh"})])
    exec(source, {"build_model": build_model, "keras_tuner": keras_tuner})
    assert built == {"units": 48, "act": "tanh"}


def test_the_password_of_a_database_is_not_on_the_page():
    pytest.importorskip("sqlalchemy")
    text = page(without_trials(), "digits", "postgresql://ada:s3cret@host/runs")
    assert "s3cret" not in text
    assert "postgresql://ada:***@host/runs" in text


def test_a_search_without_records_is_not_said_to_be_loaded():
    assert "kte.load" not in page(without_trials())


def test_the_file_is_written_with_its_directory(tmp_path):
    written = report(without_trials(), tmp_path / "new" / "report.html")
    assert written.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_what_is_no_path_is_refused():
    with pytest.raises(TypeError, match="`path` must be the path of a file, got 3"):
        report(without_trials(), 3)
