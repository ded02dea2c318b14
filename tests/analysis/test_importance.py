"""Importance finds what matters, also where it is active in some trials only."""

import dataclasses
import time

import numpy as np
import pytest
from scipy.stats import kendalltau

from kt_extras.analysis.importance import importance
from kt_extras.analysis.ped_anova import divergences
from kt_extras.analysis.search_data import SearchData, Target
from kt_extras.search import Choice, Condition, Fixed, Float, Int, Space
from tests.analysis.made_searches import random_search, trial_of

FLAT = Space(
    [
        Choice("act", tuple("abcd")),
        Float("rate", 1e-5, 1e-1, sampling="log"),
        Int("layers", 1, 6),
        Float("drop", 0, 0.8, step=0.1),
        Float("momentum", 0, 1),
    ]
)
BRANCH = Choice("model", ("mlp", "svm"))
OF_MLP = (Condition("model", ("mlp",)),)
CONDITIONAL = Space([BRANCH, Float("rate", 0, 1, conditions=OF_MLP), Float("seed", 0, 1)])
METHODS = ("ped_anova", "fanova")


def flat_loss(point):
    act = {"a": 0.0, "b": 0.5, "c": 1.5, "d": 2.0}[point["act"]]
    return 3 * abs(np.log10(point["rate"]) + 3) + act + 0.2 * abs(point["layers"] - 3)


def conditional_loss(point):
    """Both models are equally good on average, but the rate decides about the first one."""
    return abs(point["rate"] - 0.2) if point["model"] == "mlp" else 0.3


@pytest.mark.parametrize("method", METHODS)
def test_most_important_comes_first_and_all_sum_to_1(method):
    found = importance(random_search(FLAT, flat_loss, 150), method=method)
    assert list(found)[:2] == ["rate", "act"]
    assert set(found) == set(FLAT.names)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["momentum"] < 0.1
    assert sorted(found.values(), reverse=True) == list(found.values())


@pytest.mark.parametrize("method", METHODS)
def test_conditional_hyperparameter_that_a_naive_estimate_misses_is_found(method):
    search = random_search(CONDITIONAL, conditional_loss, 300)
    in_every_trial = set.intersection(*({*trial.values} for trial in search.trials))
    assert "rate" not in in_every_trial  # where a naive estimate looks
    found = importance(search, method=method)
    assert next(iter(found)) == "rate"
    assert found["rate"] > 3 * found["seed"]


def test_conditional_hyperparameter_without_effect_is_not_credited_with_its_branch():
    def loss(point):
        return 0.0 if point["model"] == "mlp" else 1.0

    rng = np.random.default_rng(0)
    search = random_search(CONDITIONAL, lambda p: loss(p) + 0.5 * rng.random(), 400)
    for method in METHODS:
        found = importance(search, method=method)
        assert found["model"] > 5 * found["rate"]


def test_hyperparameter_of_a_rare_branch_counts_as_much_as_the_share_of_its_trials():
    models = Choice("model", tuple("abcdefgh"))
    space = Space(
        [models, Float("rare", 0, 1, conditions=(Condition("model", ("a",)),)), Float("x", 0, 1)]
    )

    def loss(point):
        return point["x"] + 0.1 * point.get("rare", 0.5)

    found = importance(random_search(space, loss, 800))
    assert found["x"] > 10 * found["rare"]


def test_within_variance_is_that_of_the_law_of_total_variance():
    rng = np.random.default_rng(0)
    n, dimension = 4000, Choice("x", tuple("abc"))
    u = (rng.integers(3, size=n) + 0.5) / 3
    u[rng.random(n) < 0.6] = np.nan
    good = rng.random(n) < np.where(u < 0.3, 0.5, 0.1)
    gamma, active = good.mean(), ~np.isnan(u)
    means = np.array([good[u == value].mean() for value in np.unique(u[active])])
    shares = np.array([np.mean(u == value) for value in np.unique(u[active])])
    inner = shares @ (means - shares @ means / shares.sum()) ** 2
    found = divergences(u[:, None], (dimension,), good)[0]
    assert gamma**2 * found == pytest.approx(inner, rel=0.02)


def test_names_of_two_branches_add_up():
    models = Choice("model", ("a", "b"))
    twins = [Int("n", 1, 4, conditions=(Condition("model", ("a",)),))]
    twins.append(Int("n", 100, 200, conditions=(Condition("model", ("b",)),)))
    space = Space([models, *twins, Float("x", 0, 1)])
    search = random_search(space, lambda p: p["n"] / (4 if p["n"] < 9 else 200), 200)
    assert next(iter(importance(search))) == "n"


def test_values_with_which_training_fails_are_bad():
    search = random_search(FLAT, lambda p: None if p["layers"] > 3 else p["momentum"], 200)
    found = importance(search)
    assert set(list(found)[:2]) == {"layers", "momentum"}


def test_pruned_trials_count_as_worse_than_completed_ones():
    search = random_search(FLAT, lambda p: p["momentum"], 200)
    trials = [
        dataclasses.replace(
            t, state="pruned", score=0.0, objective_values={"val_loss": 0.0}, epochs=1
        )
        if t.values["layers"] > 2
        else t
        for t in search.trials
    ]
    found = importance(dataclasses.replace(search, trials=tuple(trials)))
    assert set(list(found)[:2]) == {"layers", "momentum"}


def test_one_objective_can_be_looked_at_alone():
    search = random_search(FLAT, flat_loss, 200)
    both = (Target("val_loss", "min"), Target("size", "max"))
    trials = [
        dataclasses.replace(
            t, objective_values={**t.objective_values, "size": t.values["momentum"]}
        )
        for t in search.trials
    ]
    search = SearchData("two", FLAT, both, tuple(trials))
    assert next(iter(importance(search, "size"))) == "momentum"
    assert next(iter(importance(search, "val_loss"))) == "rate"
    assert {*list(importance(search))[:2]} == {"rate", "momentum"}
    weighted = dataclasses.replace(search, weights={"val_loss": 0.0, "size": 1.0})
    assert next(iter(importance(weighted))) == "momentum"
    with pytest.raises(ValueError, match="`objective` must be an objective"):
        importance(search, "speed")


def test_infeasible_outcomes_are_behind_feasible_ones():
    search = random_search(FLAT, lambda p: p["momentum"], 200)
    trials = [
        dataclasses.replace(t, violations={"size <= 3": max(0.0, t.values["layers"] - 3.0)})
        for t in search.trials
    ]
    found = importance(dataclasses.replace(search, trials=tuple(trials)))
    assert set(list(found)[:2]) == {"layers", "momentum"}


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_told_where_nothing_can_be(method):
    space = Space([*FLAT.dimensions, Fixed("batch", 32)])
    few = random_search(space, lambda _: 1.0, 3)
    alike = random_search(space, lambda _: 1.0, 60)
    failed = random_search(space, lambda _: None, 60)
    empty = SearchData("empty", space, few.objectives, ())
    running = SearchData("r", space, few.objectives, (trial_of(0, {}, None, "running"),))
    for search in (few, alike, failed, empty, running):
        assert importance(search, method=method) == dict.fromkeys(FLAT.names, 0.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "shap"}, "`method` must be 'ped_anova' or 'fanova', got 'shap'"),
        ({"quantile": 0}, "`quantile` must lie strictly between 0 and 1, got 0"),
        ({"seed": -1}, "`seed`"),
    ],
)
def test_arguments_out_of_range_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        importance(random_search(FLAT, flat_loss, 10), **arguments)


def test_fanova_is_equal_with_the_same_seed():
    search = random_search(FLAT, flat_loss, 60)
    first, again = (importance(search, method="fanova", seed=3) for _ in range(2))
    assert first == again


def test_ten_thousand_trials_take_less_than_a_second_of_processor_time():
    search = random_search(FLAT, flat_loss, 10_000)
    begun = time.process_time()
    importance(search)
    assert time.process_time() - begun < 1.0


def test_order_is_that_of_optuna_in_a_flat_space():
    optuna = pytest.importorskip("optuna")
    axes = {
        "act": optuna.distributions.CategoricalDistribution(list("abcd")),
        "rate": optuna.distributions.FloatDistribution(1e-5, 1e-1, log=True),
        "layers": optuna.distributions.IntDistribution(1, 6),
        "drop": optuna.distributions.FloatDistribution(0, 0.8, step=0.1),
        "momentum": optuna.distributions.FloatDistribution(0, 1),
    }
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    taus = []
    for seed in range(5):
        search = random_search(FLAT, flat_loss, 150, seed)
        study = optuna.create_study()
        for trial in search.trials:
            study.add_trial(
                optuna.trial.create_trial(
                    params=trial.values, distributions=axes, value=trial.score
                )
            )
        ours = importance(search)
        theirs = optuna.importance.get_param_importances(study, evaluator=evaluator)
        taus.append(kendalltau([ours[n] for n in axes], [theirs[n] for n in axes]).statistic)
    assert np.mean(taus) >= 0.8
