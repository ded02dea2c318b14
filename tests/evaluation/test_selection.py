"""What luck adds to the best of many scores, and the race that finds the best."""

import numpy as np
import pytest
from scipy import stats

from kt_extras.evaluation.selection import (
    cross_fitted,
    expected_optimism,
    pooled_variance,
    row_variance,
    survivors,
    t_interval,
)


def test_the_interval_is_that_of_scipy():
    values = np.random.default_rng(0).normal(size=6)
    error = stats.sem(values)
    low, high = stats.t.interval(0.9, 5, values.mean(), error)
    assert t_interval(values, 0.1) == pytest.approx((values.mean(), error, low, high))


def test_a_race_drops_what_a_paired_t_test_rejects():
    losses = np.random.default_rng(1).normal([[0.0], [0.5], [1.0], [2.0]], 0.6, (4, 6))
    best = losses.mean(axis=1).argmin()
    for place, stays in enumerate(survivors(losses, 0.02)):
        if place != best:
            tested = stats.ttest_rel(losses[place], losses[best], alternative="greater")
            assert stays == (tested.pvalue >= 0.02)


def test_nothing_is_dropped_after_one_seed_or_without_a_difference():
    assert survivors(np.array([[0.0], [9.0]]), 0.5).all()
    assert survivors(np.zeros((3, 4)), 0.5).all()


def test_variances_of_seeds_and_rows_are_told_apart():
    generator, found = np.random.default_rng(0), []
    for _ in range(200):
        hard = generator.normal(0, 5, (1, 1, 10))  # rows that are hard for all trials
        rows = generator.normal(0, 2, (5, 1, 10))
        seeds = generator.normal(0, 1, (5, 2, 1)) + generator.normal(0, 1, (5, 2, 10))
        found.append(row_variance(generator.normal(0, 3, (5, 1, 1)) + hard + rows + seeds))
    assert np.mean(found) == pytest.approx(4 / 10, rel=0.1)
    assert pooled_variance([np.array([1.0, 3.0]), np.array([2.0, 2.0])]) == 1.0


@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_the_expected_optimism_is_that_of_the_procedure(spread):
    generator, errors, optimism = np.random.default_rng(0), [], []
    for _ in range(40):
        worth = generator.exponential(spread, 30) if spread else np.zeros(30)
        fixed = worth + generator.normal(0, 1, 30)
        searched = fixed + generator.normal(0, 0.7, 30)
        top = np.argsort(searched)[:5]
        means = fixed[top] + generator.normal(0, 0.7 / np.sqrt(5), 5)
        expected = expected_optimism(
            searched,
            top=5,
            seeds=5,
            seed_variance=0.49,
            rows_variance=1.0,
            generator=generator,
        )
        errors.append(means.min() + expected - worth[top[means.argmin()]])
        optimism.append(worth[top[0]] - searched[top[0]])
    assert abs(np.mean(errors)) < np.mean(optimism) / 5


def test_without_noise_nothing_is_expected():
    rng = np.random.default_rng(0)
    given = {"top": 2, "seeds": 3, "seed_variance": 0.0, "rows_variance": 0.0}
    assert expected_optimism(np.arange(4.0), **given, generator=rng) == 0.0


def test_a_seed_is_not_judged_by_what_chose_it():
    losses = np.array([[0.0, 4.0], [3.0, 3.0]])  # the first is best with seed 0 alone
    assert cross_fitted(losses, np.array([[10.0, 20.0], [30.0, 40.0]])) == (30.0 + 20.0) / 2
