"""A search and a trial as a notebook shows them."""

from dataclasses import replace

import pytest

from kt_extras.analysis.sparkline import sparkline
from kt_extras.report.notebook import search_html
from tests.plots.made_searches import all_failed, made, two_objectives, without_trials
from tests.report.test_page import EVIL, Outline


def test_a_search_shows_its_best_trials_and_their_progress():
    search = made(30)
    best = max(search.scored, key=lambda t: t.score)
    outline = Outline(search_html(search))
    assert f"{best.score:.5g}" in outline.text
    assert len(outline.all("svg")) == 1
    assert len(outline.all("tr")) == 6


@pytest.mark.parametrize("make", [without_trials, all_failed, lambda: two_objectives(20)])
def test_every_search_is_shown(make):
    assert Outline(search_html(make())).open == []


def test_a_trial_shows_values_metrics_and_its_curve():
    search = made(5, faults=0, pruned=0)
    outline = Outline(search.trials[0]._repr_html_())
    assert "Trial 0, completed, 12 epochs" in outline.text
    assert "val_accuracy by epoch" in outline.text
    assert "learning_rate" in outline.text


def test_a_failed_trial_shows_its_message():
    assert "incompatible with the layer" in Outline(all_failed().trials[0]._repr_html_()).text


def test_names_cannot_become_elements():
    search = made(5, faults=0)
    trial = replace(search.trials[0], values={EVIL: EVIL}, message=EVIL, metrics={EVIL: 1.0})
    search = replace(search, name=EVIL, trials=(trial,))
    for shown in (search_html(search), trial._repr_html_()):
        assert Outline(shown).all("script") == []
        assert EVIL in Outline(shown).text


def test_a_curve_leaves_out_what_is_not_finite_and_stays_small():
    drawn = sparkline([float("nan"), 1.0, float("inf"), *[2.0] * 10_000], label="loss", steps=True)
    assert "lowest 1, highest 2" in drawn
    assert "nan" not in drawn
    assert len(drawn) < 20_000


def test_a_curve_without_values_is_its_label():
    assert sparkline([float("nan")], label="loss") == "<p>loss</p>"
