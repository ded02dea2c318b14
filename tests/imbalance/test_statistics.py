import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kt_extras.imbalance import (
    class_statistics,
    effective_numbers,
    entropy,
    gini_coefficient,
    gini_index,
    imbalance_ratio,
)

counts = st.lists(st.integers(0, 1000), min_size=1, max_size=8).filter(any)


@given(counts)
def test_the_entropy_is_that_of_scipy(n):
    assert entropy(n) == pytest.approx(stats.entropy(n), abs=1e-12)


@given(counts)
def test_the_gini_coefficient_is_half_the_relative_mean_difference(n):
    differences = np.abs(np.subtract.outer(n, n)).mean()
    assert gini_coefficient(n) == pytest.approx(differences / (2 * np.mean(n)), abs=1e-12)


@given(counts)
def test_the_gini_index_is_the_chance_that_two_rows_differ(n):
    p = np.array(n) / np.sum(n)
    unequal = np.outer(p, p) * (1 - np.eye(len(p)))
    assert gini_index(n) == pytest.approx(unequal.sum(), abs=1e-12)


@given(st.integers(2, 9), st.integers(1, 50))
def test_equal_classes_are_the_extreme_of_every_number(c, n):
    equal = [n] * c
    assert imbalance_ratio(equal) == 1
    assert gini_index(equal) == pytest.approx(1 - 1 / c)
    assert gini_coefficient(equal) == pytest.approx(0, abs=1e-12)
    assert entropy(equal) == pytest.approx(math.log(c))
    assert entropy(equal, normalised=True) == pytest.approx(1)


def test_one_class_alone_is_the_other_extreme():
    alone = [7, 0, 0]
    assert imbalance_ratio(alone) == math.inf
    assert gini_index(alone) == 0
    assert gini_coefficient(alone) == pytest.approx(2 / 3)
    assert entropy(alone) == 0
    assert entropy([7], normalised=True) == 0


@given(st.lists(st.integers(1, 200), min_size=1, max_size=5), st.floats(0, 0.9999))
def test_the_effective_number_is_the_sum_of_the_powers_of_beta(n, beta):
    expected = [sum(beta**power for power in range(count)) for count in n]
    assert effective_numbers(n, beta=beta) == pytest.approx(np.array(expected), rel=1e-9)


def test_the_effective_number_stays_exact_near_beta_one():
    assert effective_numbers([1000], beta=1 - 1e-12)[0] == pytest.approx(1000, rel=1e-4)
    assert effective_numbers([0, 10**9], beta=0.999).tolist() == pytest.approx([0, 1000])


def test_the_statistics_of_labels_are_those_of_their_counts():
    found = class_statistics([0, 0, 0, 2])
    assert found.counts.tolist() == [3, 0, 1]
    assert found.imbalance_ratio == math.inf
    assert found.gini_index == gini_index([3, 0, 1])
    assert "class 1: 0 (0.0%)" in str(found)


@pytest.mark.parametrize("bad", [[], [[1, 2]], [0, 0], [-1, 2], [1, math.nan]])
def test_counts_without_a_positive_number_are_rejected(bad):
    with pytest.raises(ValueError, match="`counts` must"):
        gini_index(bad)


@pytest.mark.parametrize("beta", [-0.1, 1.0, math.nan])
def test_beta_out_of_its_range_is_rejected(beta):
    with pytest.raises(ValueError, match=r"`beta` must be at least 0 and below 1, got"):
        effective_numbers([1, 2], beta=beta)


def test_entropy_may_be_in_bits():
    counts = [8, 4, 2, 2]
    assert entropy(counts, base=2) == pytest.approx(1.75)  # 1/2 + 2/4 + 3/8 + 3/8
    assert entropy(counts, base=2) * np.log(2) == pytest.approx(entropy(counts))
    assert entropy(counts, base=10, normalised=True) == pytest.approx(1.75 / 2)


@pytest.mark.parametrize("base", [1, 0.5, 0, -2, np.inf, np.nan, "2", True])
def test_a_base_of_no_logarithm_is_refused(base):
    with pytest.raises(ValueError, match="`base` must be a number above 1"):
        entropy([1, 1], base=base)
