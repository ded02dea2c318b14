"""The pictures: what they show, that nothing is cut off or overlaps, and what they refuse."""

import itertools
import re
import sys
import warnings
from dataclasses import replace

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from kt_extras import plots
from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.search_data import Target
from kt_extras.plots.style import LOOKS, limits
from kt_extras.search import Choice, Float, Space
from tests.plots.made_searches import (
    FLAT,
    all_failed,
    halving,
    made,
    population,
    two_objectives,
    without_trials,
)
from tests.plots.test_data import search_of, trial

SMALL = made(60, workers=3)
DRAWN = {
    "contour": lambda: plots.contour(SMALL, "learning_rate", "optimizer"),
    "curves": lambda: plots.curves(SMALL),
    "empirical_distribution": lambda: plots.empirical_distribution({"a": SMALL, "b": made(20)}),
    "history": lambda: plots.history(SMALL),
    "hypervolume": lambda: plots.hypervolume(two_objectives(40)),
    "importance": lambda: plots.importance(SMALL),
    "lineage": lambda: plots.lineage(population()),
    "parallel_coordinates": lambda: plots.parallel_coordinates(SMALL),
    "pareto_front": lambda: plots.pareto_front(two_objectives(40)),
    "rungs": lambda: plots.rungs(halving(brackets=2)),
    "schedule": lambda: plots.schedule(population()),
    "slice": lambda: plots.slice(SMALL),
    "timeline": lambda: plots.timeline(SMALL),
}
SEVERAL = {"slice", "schedule"}  # have a figure with several axes


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def figure_of(drawn):
    return drawn if isinstance(drawn, Figure) else drawn.figure


def texts_of(figure):
    return " ".join(t.get_text() for t in figure.findobj(matplotlib.text.Text))


def test_every_kind_is_drawn_here():
    assert {*DRAWN, "data"} == set(plots.__all__)


@pytest.mark.parametrize("kind", DRAWN)
def test_nothing_is_cut_off_and_no_tick_labels_overlap(kind):
    figure = figure_of(DRAWN[kind]())
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    whole = figure.bbox
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            shown = [t for t in axis.get_ticklabels() if t.get_text() and t.get_visible()]
            boxes = [t.get_window_extent(renderer) for t in shown if ax.axison]
            low, high = sorted(axis.get_view_interval())
            for text, box in zip(shown, boxes, strict=False):
                at = text.get_position()[0 if axis is ax.xaxis else 1]
                if low <= at <= high:
                    assert box.x0 >= whole.x0 - 1, text
                    assert box.x1 <= whole.x1 + 1, text
            straight = [b for t, b in zip(shown, boxes, strict=False) if not t.get_rotation()]
            pairs = itertools.pairwise(straight)
            assert not any(a.overlaps(b) for a, b in pairs), kind
        title = ax.title.get_window_extent(renderer)
        assert title.y1 <= whole.y1 + 1


@pytest.mark.parametrize("kind", sorted(set(DRAWN) - SEVERAL - {"contour", "pareto_front"}))
def test_a_picture_is_drawn_on_the_given_axes(kind):
    search = {"lineage": population(), "hypervolume": two_objectives(20)}.get(kind, SMALL)
    ax = Figure().add_subplot()
    assert getattr(plots, kind)(search, ax=ax) is ax
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("kind", sorted(SEVERAL))
def test_panels_are_drawn_on_the_given_figure(kind):
    figure = Figure(layout="constrained")
    assert getattr(plots, kind)(population(), figure=figure) is figure
    assert figure.axes


@pytest.mark.parametrize("kind", sorted(set(DRAWN) - SEVERAL - {"contour", "pareto_front"}))
def test_an_empty_search_gives_a_sentence(kind):
    search = without_trials()
    if kind == "hypervolume":
        search = two_objectives(0)
    said = texts_of(figure_of(getattr(plots, kind)(search)))
    assert "No trial has begun yet." in said or "Too few trials" in said


@pytest.mark.parametrize("kind", ["history", "slice", "parallel_coordinates", "curves"])
def test_a_search_that_failed_says_so(kind):
    said = texts_of(figure_of(getattr(plots, kind)(all_failed(5))))
    assert "5 failed" in said or "No trial has reported an epoch" in said


@pytest.mark.parametrize("kind", ["history", "slice", "parallel_coordinates", "curves", "timeline"])
def test_one_trial_is_drawn_without_a_warning(kind):
    drawn = getattr(plots, kind)(made(1, faults=0, pruned=0))
    figure_of(drawn).savefig("one.png")


def test_kinds_that_a_search_lacks_say_what_has_them():
    assert "such as ASHA" in texts_of(plots.rungs(SMALL).figure)
    assert "searches by PBT" in texts_of(plots.lineage(SMALL).figure)


def test_a_log_range_has_a_log_axis():
    ax = plots.contour(SMALL, "learning_rate", "optimizer")
    assert ax.get_xscale() == "log"
    assert [t.get_text() for t in ax.get_yticklabels()] == ["adam", "sgd", "rmsprop"]


def test_inactive_trials_are_counted():
    scored = len(SMALL.scored)
    active = sum("momentum" in t.values for t in SMALL.scored)
    assert f"inactive in {scored - active} trials" in texts_of(plots.slice(SMALL, ["momentum"]))


def test_states_differ_in_marker_and_colour():
    assert len({look.marker for look in LOOKS.values()}) == len(LOOKS)
    drawn = ("completed", "pruned", "failed", "infeasible", "paused", "running")
    assert len({LOOKS[state].color for state in drawn}) == len(drawn)


def test_a_maximised_objective_goes_up_and_a_front_says_what_is_better():
    ax = plots.history(SMALL)
    assert ax.get_ylim()[0] < ax.get_ylim()[1]
    front = plots.pareto_front(two_objectives(40))
    assert front.get_xlabel() == "val_accuracy (higher is better)"
    assert front.get_ylabel() == "parameters (lower is better)"


def test_a_score_that_has_diverged_does_not_hide_the_others():
    low, high, beyond = limits([*np.linspace(0, 1, 50), 1e9], 1.0)
    assert (low, high) == pytest.approx((-0.04, 1.04))
    assert beyond == 1
    assert limits([*np.linspace(0, 1, 50), -1e9], -1.0)[:2] == pytest.approx((-0.04, 1.04))


def test_a_good_score_is_never_cut_off():
    assert limits([-1e9, *np.linspace(0, 1, 50)], 1.0)[0] < -1e9


def test_a_thousand_trials_have_a_short_legend_and_points_as_pixels():
    ax = plots.history(made(1000, epochs=3))
    assert len(ax.get_legend().get_texts()) <= 6
    many = [points for points in ax.collections if len(points.get_offsets()) > 100]
    assert len(many) == 2
    assert all(points.get_rasterized() for points in many)


def test_three_objectives_have_colours():
    ax = plots.pareto_front(two_objectives(40, third=True))
    assert len(ax.figure.axes) == 2
    assert "train_seconds" in ax.figure.axes[1].get_ylabel()


def test_names_are_never_read_as_formulas():
    space = Space([Float("cost_$x", 0, 1), Choice("a$b^{", ("$\\frac", "_y"))])
    search = made(0, space, name="$1 & \\no", objective=Target("$loss_", "min"))
    trials = [
        trial(
            n,
            n / 9,
            values={"cost_$x": n / 9, "a$b^{": "$\\frac"},
            objective_values={"$loss_": n / 9},
        )
        for n in range(9)
    ]
    search = replace(search, trials=tuple(trials))
    for kind in ("history", "slice", "parallel_coordinates"):
        figure_of(getattr(plots, kind)(search)).savefig("formula.png")
    plots.empirical_distribution({"_hidden": search, "$x$": search}).figure.savefig("edf.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.contour(search, "cost_$x", "a$b^{").figure.savefig("contour.png")


def test_many_and_long_choices_are_shortened_and_turned():
    options = tuple(f"a_very_long_name_of_a_choice_{i}" for i in range(40))
    space = Space([Choice("kind", options)])
    trials = (trial(i, 1.0 + i, values={"kind": o}) for i, o in enumerate(options))
    figure = plots.slice(search_of(*trials, space=space))
    shown = figure.axes[0].get_xticklabels()
    assert len(shown) <= 24
    assert all(label.get_rotation() == 40 for label in shown)


def test_axes_of_another_kind_are_refused():
    with pytest.raises(TypeError, match=r"`ax` must be a `matplotlib.axes.Axes` or None"):
        plots.history(SMALL, ax=Figure())
    with pytest.raises(TypeError, match=r"`figure` must be a `matplotlib.figure.Figure` or None"):
        plots.slice(SMALL, figure=Figure().add_subplot())


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kt_extras\[plots\]'"):
        plots.history(SMALL)


def test_a_dark_style_of_the_user_holds():
    with matplotlib.style.context("dark_background"):
        ax = plots.history(made(20, FLAT))
        assert ax.lines[0].get_color() == "white"


def test_options_that_are_equal_to_each_other_have_a_place_each():
    space = Space([Choice("act", (None, True, 1)), Float("x", 0, 1)])
    trials = [
        trial(n, n / 10, values={"act": act, "x": n / 6}) for n, act in enumerate([None, True, 1])
    ]
    ax = plots.contour(search_of(*trials, space=space), "x", "act")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["None", "True", "1"]


def test_the_best_curve_of_several_objectives_says_by_which():
    labels = [t.get_text() for t in plots.curves(two_objectives(20)).get_legend().get_texts()]
    assert any(re.fullmatch(r"best by \w+: trial \d+", label) for label in labels)


def test_the_front_marks_the_trial_that_the_weights_prefer():
    search = two_objectives(40)
    weights = {target.name: 1.0 + 20 * n for n, target in enumerate(search.objectives)}
    search = replace(search, weights=weights)
    labels = [t.get_text() for t in plots.pareto_front(search).get_legend().get_texts()]
    assert f"best weighted sum: trial {best_first(search)[0].number}" in labels
