import math

import numpy as np
import pytest

from kt_extras.schedulers import Population
from kt_extras.schedulers.population_bandit import Intervals, chosen
from kt_extras.search import Boolean, Choice, Condition, Float, History, Int, Space, State
from kt_extras.testing.schedulers import SimulatedSearch
from tests.schedulers.searches import by_number

RATE = Float("rate", 0.0, 1.0)
SPACE = Space([RATE])


def history_of_curves(space, members):
    """Return a history of members that are paused, by their points and losses."""
    history = History(space)
    for point, losses in members:
        number = history.start(point)
        for step, loss in enumerate(losses):
            history.report(number, step, loss)
        history.finish(number, State.PAUSED, min(losses))
    return history


def four(space=SPACE, **values):
    """Return members of which the loss falls most at a rate of .7."""
    members = []
    for rate in (0.1, 0.4, 0.7, 1.0):
        gain = 1 - abs(rate - 0.7)
        members.append(({"rate": rate, **values}, [5 - epoch * gain for epoch in range(1, 5)]))
    return history_of_curves(space, members)


def choose(history, parent=2, epoch=4, mutable=None, seed=0):
    rng = np.random.default_rng(seed)
    return chosen(history, parent, epoch, interval=2, best=0.25, mutable=mutable, rng=rng)


def test_gains_are_differences_of_losses_between_comparisons():
    known = Intervals.of(history_of_curves(Space([RATE]), [({"rate": 0.5}, [5, 4, 3, 1])]), 2, 0.25)
    assert known.begins.tolist() == [0, 2]
    assert known.gains.tolist() == [-4, 3]


def test_loss_before_is_that_of_the_best_when_a_member_has_taken_over():
    history = four()
    history.change(0, 2, {"rate": 0.9})
    known = Intervals.of(history, 2, 0.25)
    at = (known.begins == 2) & (known.unit[:, 0] == 0.9)
    assert known.gains[at] == pytest.approx([(5 - 2 * 1.0) - (5 - 4 * 0.4)])


def test_gain_is_the_worst_when_a_member_has_diverged():
    members = [({"rate": rate}, [3, loss]) for rate, loss in [(0.1, 2), (0.5, 1), (0.9, math.inf)]]
    scores = Intervals.of(history_of_curves(Space([RATE]), members), 2, 0.25).scores()
    assert scores[2] == scores[0] < scores[1]


def test_interval_has_no_gain_when_it_is_being_trained():
    history = four()
    history.resume(1)
    known = Intervals.of(history, 2, 0.25)
    assert known.begins[np.isnan(known.gains)].tolist() == [4]


def test_latest_intervals_are_the_same_when_earlier_ones_are_left_out():
    history, rng = four(), np.random.default_rng(0)
    for number in range(4):
        for step in range(4, 30):
            history.report(number, step, float(rng.random()))
        history.change(number, 8 + 2 * number, {"rate": 0.3})
    history.resume(history.start({"rate": 0.6}))  # it runs in an interval that began early
    all_of_them = Intervals.of(history, 2, 0.25)
    known = Intervals.of(history, 2, 0.25, enough=10)
    kept = (all_of_them.begins >= 24) | np.isnan(all_of_them.gains)
    assert known.begins.tolist() == all_of_them.begins[kept].tolist()
    assert np.array_equal(known.gains, all_of_them.gains[kept], equal_nan=True)
    assert np.array_equal(known.unit, all_of_them.unit[kept])


def test_chosen_value_is_near_the_one_that_has_gained_most():
    rates = [choose(four(), seed=seed)["rate"] for seed in range(5)]
    assert all(0.45 < rate < 0.95 for rate in rates)


def test_chosen_value_follows_the_best_when_it_changes_with_time():
    space = Space([RATE])
    members = []
    for rate in np.linspace(0, 1, 8).tolist():
        early, late = 1 - abs(rate - 0.9), 1 - abs(rate - 0.1)
        losses = 20 - np.cumsum([early] * 2 + [(early + late) / 2] * 2 + [late] * 4)
        members.append(({"rate": rate}, losses.tolist()))
    history = history_of_curves(space, members)
    assert choose(history, parent=0, epoch=8)["rate"] < 0.5


@pytest.mark.parametrize("space", [Space([RATE]), Space([Choice("rate", (0.1, 0.4, 0.7, 1.0))])])
def test_points_differ_when_members_take_over_at_the_same_comparison(space):
    history = four(space)
    first = choose(history)
    history.change(0, 4, first)
    history.resume(0)
    second = choose(history)
    assert first["rate"] != 0.7
    assert second["rate"] not in {0.7, first["rate"]}


def test_values_are_those_of_the_parent_when_they_are_not_mutable():
    space = Space([RATE, Int("units", 1, 9), Choice("kind", ("a", "b"))])
    point = choose(four(space, units=4, kind="b"), mutable=("rate",))
    assert (point["units"], point["kind"]) == (4, "b")
    assert point["rate"] != 0.7


def test_point_is_that_of_the_parent_when_nothing_is_mutable():
    assert choose(four(), mutable=()) == {"rate": 0.7}


def test_a_choice_is_learned():
    space = Space([Choice("kind", ("a", "b", "c")), Float("other", 0, 1)])
    members = []
    for number in range(9):
        kind = "abc"[number % 3]
        gain = 2.0 if kind == "b" else 1.0
        point = {"kind": kind, "other": number / 9}
        members.append((point, [9 - gain * epoch for epoch in range(1, 5)]))
    history = history_of_curves(space, members)
    assert [choose(history, parent=0, seed=seed)["kind"] for seed in range(5)] == ["b"] * 5


def test_values_are_added_or_removed_when_a_branch_changes():
    decay = Float("decay", 0, 1, conditions=(Condition("decays", (True,)),))
    space = Space([Boolean("decays"), decay])
    members = [({"decays": False}, [3, 2, 1, 0]), ({"decays": True, "decay": 0.5}, [3, 3, 3, 3])]
    points = [choose(history_of_curves(space, members), 0, seed=seed) for seed in range(9)]
    assert all(("decay" in point) == point["decays"] for point in points)


def test_points_are_chosen_when_all_members_have_diverged():
    members = [({"rate": rate}, [math.inf] * 4) for rate in (0.2, 0.8)]
    assert 0 <= choose(history_of_curves(Space([RATE]), members), 0)["rate"] <= 1


def test_takeovers_are_those_of_perturbation_but_for_the_points():
    searches = [
        SimulatedSearch(Population(6, 6, 2, explore=explore), loss=by_number, workers=6).run()
        for explore in ("perturb", "pb2")
    ]
    taken = [
        [(s.number, s.parent) for s in steps[6:] if s.parent is not None] for steps in searches
    ]
    assert taken[0] == taken[1]
    assert searches[0] != searches[1]
