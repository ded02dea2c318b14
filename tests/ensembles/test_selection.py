"""Selection of models by what they predict: hand-made libraries, and properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kt_extras.ensembles import convex_weights, greedy_selection
from kt_extras.ensembles.soup import greedy_soup, mean_weights

TRUTH = np.array([0.0, 1.0, 2.0, 3.0])


def error(predicted):
    return float(np.mean((predicted - TRUTH) ** 2))


def average(library, counts):
    return np.tensordot(counts / counts.sum(), np.stack(library), 1)


def test_models_whose_errors_cancel_are_chosen_as_often_as_they_must():
    library = [TRUTH + 2.0, TRUTH - 1.0, TRUTH + 5.0]
    counts = greedy_selection(library, error, size=9)
    assert counts.tolist() == [1, 2, 0]  # (2 - 1 - 1) / 3 is 0
    assert error(average(library, counts)) == 0


def test_the_best_of_the_averages_on_the_way_is_taken():
    assert greedy_selection([TRUTH, TRUTH + 1.0], error, size=7).tolist() == [1, 0]


def test_a_bag_begins_with_the_best_models():
    library = [TRUTH + 0.1, TRUTH + 0.2, TRUTH + 0.3]
    losses = []

    def noted(predicted):
        losses.append(error(predicted))
        return losses[-1]

    greedy_selection(library, noted, size=2, start=2)
    assert len(losses) == 5  # three alone, then the best two in their order
    assert losses[-1] == pytest.approx(0.15**2)


def test_a_model_that_predicts_nan_is_never_chosen():
    library = [TRUTH * np.nan, TRUTH + 1.0, TRUTH - 1.0]
    assert greedy_selection(library, error, size=2).tolist() == [0, 1, 1]
    with pytest.raises(ValueError, match="The losses of all 2 models are NaN"):
        greedy_selection([TRUTH * np.nan] * 2, error, size=2)


@given(seed=st.integers(0, 1000), size=st.integers(1, 8))
@settings(max_examples=20)
def test_with_one_bag_no_ensemble_is_worse_than_the_best_model(seed, size):
    rng = np.random.default_rng(seed)
    library = list(TRUTH + rng.normal(size=(5, 4)))
    counts = greedy_selection(library, error, size=size)
    assert 1 <= counts.sum() <= size
    assert error(average(library, counts)) <= min(map(error, library))


def test_bags_leave_out_models_and_repeat_with_their_seed():
    library = list(TRUTH + np.random.default_rng(0).normal(size=(8, 4)))
    one, again, other = (
        greedy_selection(library, error, size=4, bags=5, seed=seed).tolist() for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other
    assert np.sum(np.array(one) > 0) > 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 0}, "`size`"),
        ({"start": 0}, "`start`"),
        ({"bags": 0}, "`bags`"),
        ({"fraction": 1.5}, "`fraction` must be above 0 and at most 1, got 1.5"),
    ],
)
def test_arguments_out_of_range_are_rejected(wrong, message):
    with pytest.raises(ValueError, match=message):
        greedy_selection([TRUTH], error, **{"size": 2, **wrong})


def test_predictions_of_different_shapes_are_rejected():
    with pytest.raises(ValueError, match=r"arrays of one shape .* got the shapes"):
        greedy_selection([TRUTH, TRUTH[:2]], error, size=2)


def test_convex_weights_are_those_of_least_squares_where_these_are_inside():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(3, 50))
    truth = np.array([0.2, 0.5, 0.3]) @ columns

    def squared(weights):
        gap = weights @ columns - truth
        return float(gap @ gap), 2 * columns @ gap

    assert convex_weights(squared, 3) == pytest.approx([0.2, 0.5, 0.3], abs=1e-3)


def test_a_soup_takes_a_model_only_if_the_average_gets_no_worse():
    weights = np.array([1.0, 3.0, -1.0, 0.9])
    asked = []

    def distance(models):
        asked.append(list(models))
        return abs(weights[list(models)].mean() - 0.96)

    assert greedy_soup(4, distance) == [0, 3]
    assert asked[4:] == [[0, 3], [0, 3, 2], [0, 3, 1]]  # from the best to the worst


def test_a_mean_of_weights_leaves_counters_alone():
    parts = [[np.array([1.0], "float32"), np.array([3])], [np.array([2.0], "float32"), np.array(5)]]
    mean = mean_weights(parts)
    assert mean[0] == pytest.approx([1.5])
    assert mean[0].dtype == "float32"
    assert mean[1].tolist() == [3]
