import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.imbalance import checked_costs, cost_matrix, costs_of_weights, weights_of_costs

weights = st.lists(st.floats(0.01, 100), min_size=2, max_size=5)


@given(weights)
def test_weights_become_costs_and_costs_the_same_weights(w):
    assert weights_of_costs(costs_of_weights(w)) == pytest.approx(np.array(w))


@given(weights)
def test_a_decision_that_errs_on_a_class_costs_its_weight(w):
    costs = costs_of_weights(w)
    assert np.diag(costs).tolist() == [0.0] * len(w)
    assert all(costs[true, other] == w[true] for true in range(len(w)) for other in {0, 1} - {true})


def test_costs_that_are_not_given_are_the_default():
    found = cost_matrix({(0, 2): 9.0, (1, 1): 0.5}, 3, default=2.0)
    assert found.tolist() == [[0, 2, 9], [2, 0.5, 2], [2, 2, 0]]


def test_with_two_classes_weighted_errors_are_expected_costs():
    costs = np.array([[1.0, 3.0], [12.0, 2.0]])
    w = weights_of_costs(costs)
    assert w.tolist() == [2.0, 10.0]
    for true, decided in [(0, 1), (1, 0)]:
        assert w[true] == costs[true, decided] - costs[true, true]


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (5.0, r"must have shape \(c, c\) with c at least 2, .*got \(\)"),
        ([[0, 1]], r"got \(1, 2\)"),
        ([[0.0]], r"got \(1, 1\)"),
        ([[0, -1], [1, 0]], "must be finite and at least 0"),
        ([[0, np.nan], [1, 0]], "must be finite and at least 0"),
        ([[2, 1], [1, 0]], "smallest cost of each row on the diagonal"),
        ([[0, 0], [0, 0]], "a mistake that costs more"),
    ],
)
def test_matrices_that_are_not_costs_are_rejected(costs, message):
    with pytest.raises(ValueError, match="`costs` .*" + message):
        checked_costs(costs)


def test_a_matrix_for_another_number_of_classes_is_rejected():
    with pytest.raises(ValueError, match=r"`costs` must have shape \(3, 3\), .*got \(2, 2\)"):
        checked_costs(np.eye(2)[::-1], num_classes=3)


@pytest.mark.parametrize("pair", [(0, 2), (-1, 0), (0,), 1, (1.0, 0)])
def test_a_pair_of_unknown_classes_is_rejected(pair):
    with pytest.raises(ValueError, match=r"pairs \(true class, decision\) of classes from 0 to 1"):
        cost_matrix({pair: 2.0}, 2)


def test_a_matrix_is_rejected_where_a_mapping_is_expected():
    with pytest.raises(ValueError, match=r"`costs` must be a mapping .*got list"):
        cost_matrix([[0, 1], [5, 0]], 2)


def test_costs_of_one_class_are_rejected():
    with pytest.raises(ValueError, match="`num_classes` must be an integer from 2, got 1"):
        cost_matrix({}, 1)
    with pytest.raises(ValueError, match="`weights` must have shape"):
        costs_of_weights([[1.0, 2.0], [1.0, 2.0]])
