"""Advice is given where the trials support it, and only there."""

import math
from dataclasses import replace

import numpy as np

from kt_extras.analysis.advice import _text, advice
from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.search_data import Target
from kt_extras.search import Choice, Condition, Float, Int, Space
from tests.analysis.made_searches import random_search

SPACE = Space(
    [
        Choice("act", ("relu", "tanh", "elu")),
        Float("rate", 1e-4, 1e-2, sampling="log"),
        Int("units", 16, 64),
        Float("momentum", 0, 0.9),
    ]
)


def about(sentences, name):
    return [sentence for sentence in sentences if f"`{name}`" in sentence]


def test_range_is_widened_on_its_own_scale_at_the_edge_with_the_best_value():
    sentences = advice(random_search(SPACE, lambda p: -math.log10(p["rate"]), 100))
    (sentence,) = about(sentences, "rate")
    assert sentence.startswith("Widen `rate` upwards, say to 0.1: the best value, 0.0")
    assert "of all 100" in sentence


def test_lower_edge_of_integers_is_widened_to_an_integer():
    (sentence,) = about(advice(random_search(SPACE, lambda p: p["units"], 100)), "units")
    assert sentence.startswith("Widen `units` downwards, say to 1: ")


def test_fraction_is_widened_to_below_1():
    (sentence,) = about(advice(random_search(SPACE, lambda p: -p["momentum"], 100)), "momentum")
    assert sentence.startswith("Widen `momentum` upwards, say to 0.95: ")


def test_range_is_left_where_the_best_value_is_inside():
    sentences = advice(random_search(SPACE, lambda p: abs(math.log10(p["rate"]) + 3), 100))
    assert about(sentences, "rate") == []


def test_hyperparameters_without_effect_are_fixed_at_the_best_value():
    search = random_search(SPACE, lambda p: abs(math.log10(p["rate"]) + 3), 200)
    best = min(search.trials, key=lambda trial: trial.score)
    fixed = [s for s in advice(search) if s.startswith("Fix ")]
    assert len(fixed) >= 2
    assert not about(fixed, "rate")
    units = about(fixed, "units")
    assert not units or f"say at {best.values['units']} " in units[0]


def test_fixed_values_are_those_of_the_trial_that_is_shown_as_the_best():
    search = random_search(SPACE, lambda p: abs(math.log10(p["rate"]) + 3), 200, seed=2)
    both = (Target("val_loss", "min"), Target("units", "max"))
    trials = [
        replace(t, metrics=m, objective_values=m) for t in search.trials for m in [_with_units(t)]
    ]
    search = replace(search, objectives=both, trials=tuple(trials))
    best = best_first(search)[0].values
    fixed = [s for s in advice(search) if s.startswith("Fix ")]
    assert fixed
    for sentence in fixed:
        name = sentence.split("`")[1]
        assert f"say at {_text(best[name])} as in the best trial" in sentence


def _with_units(trial):
    return {"val_loss": trial.score, "units": float(trial.values["units"])}


def test_parents_of_conditional_hyperparameters_are_not_fixed():
    relu = (Condition("act", ("relu",)),)
    space = Space([SPACE.dimensions[0], Float("slope", 0, 1, conditions=relu), Float("x", 0, 1)])
    sentences = advice(random_search(space, lambda p: p["x"], 300))
    assert not [s for s in about(sentences, "act") if s.startswith("Fix ")]


def test_option_that_is_never_among_the_best_is_left_out():
    (sentence, *_) = about(
        advice(random_search(SPACE, lambda p: (p["act"] == "elu") + p["momentum"], 100)), "act"
    )
    assert sentence.startswith("Leave 'elu' out of `act`: none of its ")


def test_value_with_most_failures_is_named():
    search = random_search(SPACE, lambda p: None if p["act"] == "tanh" else p["momentum"], 60)
    n = sum(trial.state == "infeasible" for trial in search.trials)
    expected = f"Most failures have `act` = 'tanh': {n} of {n} failed trials, and {n} of the {n}"
    assert any(s.startswith(expected) for s in about(advice(search), "act"))


def test_outer_quarter_of_a_range_with_most_failures_is_named():
    search = random_search(SPACE, lambda p: None if p["units"] > 55 else 1.0, 100)
    assert any(s.startswith("Most failures have `units` of at least 52: ") for s in advice(search))


def test_few_trials_and_no_trials_get_no_advice():
    assert advice(random_search(SPACE, lambda p: p["units"], 19)) == []
    assert advice(random_search(SPACE, lambda p: p["units"], 0)) == []
    assert advice(random_search(SPACE, lambda _: None, 60)) == []
    assert advice(random_search(SPACE, lambda _: 1.0, 60)) == []


def test_noise_hardly_ever_gets_advice():
    spoken = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        spoken += bool(advice(random_search(SPACE, lambda _, rng=rng: rng.random(), 100, seed)))
    assert spoken <= 1
