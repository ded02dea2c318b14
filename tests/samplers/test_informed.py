"""Suggestions from priors and earlier searches."""

import numpy as np
import pytest

from kt_extras.samplers import TPE, Distinct, Exhaustive, Random, Sobol
from kt_extras.samplers.informed import Informed
from kt_extras.samplers.past_model import PastModel
from kt_extras.search import Choice, Condition, Float, History, Likely, Space, State, trial_rng
from kt_extras.search.history import ELSEWHERE
from kt_extras.search.past import Past, ranked, values_in
from kt_extras.testing import SamplerContract
from kt_extras.testing.samplers import toy_spaces

SPACE = Space(
    [
        Choice("model", ("mlp", "svm")),
        Float("rate", 1e-4, 1e-1, sampling="log", conditions=(Condition("model", ("mlp",)),)),
        Float("penalty", 0.0, 1.0, conditions=(Condition("model", ("svm",)),)),
        Float("x", 0.0, 1.0),
    ]
)


def loss(point):
    return abs(point["x"] - 0.8) + (0.3 if point["model"] == "svm" else 0.0)


def past_of(space, function, source="old", trials=40):
    """Return a random search of a function as an earlier search."""
    points = [space.decode(trial_rng(7, n).random(len(space))) for n in range(trials)]
    return Past(source, tuple(points), tuple(ranked(np.array([*map(function, points)])).tolist()))


def searched(sampler, space=SPACE, trials=30, function=loss, past=(), seed=0):
    history = History(space)
    history.past = tuple(past)
    for number in range(trials):
        point = sampler.suggest(history, space, trial_rng(seed, number))
        history.finish(history.start(point), State.COMPLETED, function(point))
    return history


class TestInformedByAPrior(SamplerContract):
    def make(self):
        names = ("x", "a", "n", "c", "kind", "rate")
        return Informed(Exhaustive(Distinct(Random())), dict.fromkeys(names, lambda _: 1.0))


@pytest.mark.parametrize("name", toy_spaces())
def test_every_space_is_searched_with_an_earlier_search(name):
    space = toy_spaces()[name]
    past = past_of(space, lambda point: float(len(str(point))))
    sampler = Informed(Exhaustive(Distinct(Random())))
    history = History(space)
    history.past = (past,)
    for number in range(min(8, int(min(space.size, 8)))):
        point = sampler.suggest(history, space, trial_rng(0, number))
        assert point == space.complete(point, np.full(len(space), 0.5))
        assert not history.tried(point)
        history.start(point)


@pytest.mark.parametrize("inner", [Random(), Sobol(), Distinct(TPE())], ids=repr)
def test_without_knowledge_the_suggestions_are_those_of_the_sampler(inner):
    past = [Past("other", ({"y": 1.0},), (0.0,))]
    informed = searched(Informed(inner, {"late": Likely(1.0)}), past=past)
    assert informed.points == searched(inner).points


def test_a_good_prior_helps_and_a_misleading_one_costs_little():
    prior = {"x": Likely(0.75, 0.7), "model": Likely("mlp", 0.7)}
    wrong = {"x": Likely(0.1, 0.7), "model": Likely("svm", 0.7)}
    best = {
        name: np.mean([searched(sampler, trials=20, seed=s).losses.min() for s in range(8)])
        for name, sampler in {
            "none": Random(),
            "good": Informed(Random(), prior),
            "wrong": Informed(Random(), wrong),
        }.items()
    }
    assert best["good"] < 0.6 * best["none"]
    assert best["wrong"] < 1.5 * best["none"]


def test_a_prior_of_a_conditional_value_is_drawn_where_it_is_active():
    def function(point):
        return abs(np.log10(point.get("rate", 1e-2)) + 3.0)

    sampler = Informed(Random(), {"rate": Likely(1e-3, 0.9)})
    history = searched(sampler, trials=40, function=function)
    rates = [point["rate"] for point in history.points if "rate" in point]
    assert np.mean([3e-4 < rate < 3e-3 for rate in rates]) > 0.4  # a third by chance
    assert any(point["model"] == "svm" for point in history.points)


def test_what_earlier_searches_agree_on_comes_first():
    pasts = [past_of(SPACE, loss, f"old {n}") for n in range(3)]
    history = searched(Informed(Random()), trials=1, past=pasts)
    assert history.losses[0] < 0.2  # a random point in ten


def test_a_misleading_earlier_search_is_given_up():
    wrong = past_of(SPACE, lambda point: -loss(point))
    history = searched(Informed(Random()), trials=60, past=[wrong])
    taken = [point in wrong.points for point in history.points]
    assert taken[0]
    assert sum(taken[20:]) == 0


def test_what_an_earlier_search_does_not_have_is_filled_by_the_sampler():
    past = Past("old", ({"x": 0.5},), (0.0,))
    first = searched(Informed(Sobol()), trials=1, past=[past]).points[0]
    plain = searched(Sobol(), trials=1).points[0]
    assert first == {**plain, "x": 0.5}


def test_trials_from_elsewhere_do_not_take_the_place_of_the_first():
    history = History(SPACE)
    history.past = (Past("old", ({"x": 0.25, "model": "svm", "penalty": 0.5},), (0.0,)),)
    number = history.start({"model": "mlp", "rate": 0.01, "x": 0.5}, ELSEWHERE)
    history.finish(number, State.COMPLETED, 1.0)
    point = Informed(Random()).suggest(history, SPACE, trial_rng(0, 1))
    assert point == {"model": "svm", "penalty": 0.5, "x": 0.25}


def test_the_best_of_each_source_is_tried_whatever_was_before_it():
    history = History(SPACE)
    history.past = (Past("old", ({"x": 0.25, "model": "svm", "penalty": 0.5},), (0.0,)),)
    for number in range(4):  # enqueued, say, and the last one failed
        trial = history.start({"model": "mlp", "rate": 0.01, "x": number / 10})
        failed = number == 3
        history.finish(
            trial, State.INFEASIBLE if failed else State.COMPLETED, np.inf if failed else 1.0
        )
    sampler = Informed(Random(), {"x": Likely(0.75)})
    suggested = []
    for number in (4, 5):
        suggested.append(sampler.suggest(history, SPACE, trial_rng(0, number)))
        history.start(suggested[-1])
    assert suggested[0] == {"model": "svm", "penalty": 0.5, "x": 0.25}
    assert suggested[1]["x"] == pytest.approx(0.75, abs=1e-3)


def test_what_is_most_likely_is_not_repeated_when_it_was_enqueued():
    history = History(SPACE)
    history.start({"model": "mlp", "rate": 0.01, "x": 0.7505})
    xs = [p["x"] for p in searched(Informed(Random(), {"x": Likely(0.7505)}), trials=8).points]
    assert xs.count(0.7505) == 1
    point = Informed(Random(), {"x": Likely(0.7505)}).suggest(history, SPACE, trial_rng(0, 1))
    assert point["x"] != 0.7505


def test_failed_trials_are_not_good_ones_however_many_they_are():
    space = Space([Float("x", 0.0, 1.0)])
    points = tuple({"x": x} for x in (0.5, 0.6, 0.1, 0.2, 0.3, 0.4, 0.7, 0.8, 0.9, 1.0))
    model = PastModel([Past("old", points, (0.0, 1 / 9, *[1.0] * 8))], space)
    assert model.best(0.25)[:, 0].tolist() == [0.5, 0.6]


def test_predicted_ranks_follow_the_earlier_trials():
    past = past_of(SPACE, loss, trials=60)
    model = PastModel([past], SPACE)
    points = [SPACE.decode(trial_rng(9, n).random(4)) for n in range(60)]
    predicted = model.ranks(np.array([SPACE.encode(point) for point in points]))[0]
    assert np.corrcoef(predicted, [loss(point) for point in points])[0, 1] > 0.9


def test_values_of_inactive_hyperparameters_are_not_taken_over():
    assert values_in(SPACE, {"model": "svm", "rate": 0.01, "x": 2.0}) == {"model": "svm", "x": 1.0}
