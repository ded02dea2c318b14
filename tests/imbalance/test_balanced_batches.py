import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kt_extras.imbalance import BalancedBatches
from kt_extras.imbalance.balanced_batches import apportion

Y = np.repeat([0, 1], [90, 10])
X = np.arange(100)[:, None]


def epoch(batches):
    """Return the rows of an epoch by their number in `X`, and go on to the next."""
    found = np.concatenate([batch[0][:, 0] for batch in list(batches)])
    batches.on_epoch_end()
    return found


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=4),
    st.floats(0.01, 1.0),
    st.integers(1, 40),
    st.integers(0, 3),
)
@settings(max_examples=60)
def test_every_class_has_its_fraction_of_every_batch(counts, ratio, batch_size, seed):
    y = np.repeat(np.arange(len(counts)), counts)
    batches = BalancedBatches(np.zeros(len(y)), y, batch_size, ratio=ratio, seed=seed)
    wanted = np.maximum(counts, ratio * max(counts))
    wanted = wanted / wanted.sum()
    c = len(counts)
    for _, labels in list(batches):
        found = np.bincount(labels, minlength=c)
        assert (
            np.abs(found - wanted * len(labels)) <= 1 + c * wanted + c / len(y) * batch_size
        ).all()
    total = np.bincount(np.concatenate([labels for _, labels in list(batches)]), minlength=c)
    assert (np.abs(total - wanted * len(y)) < 1).all()


def test_equal_fractions_are_kept_to_within_a_row_or_two():
    for _, labels in list(BalancedBatches(X, Y, 20)):
        assert abs(labels.sum() - 10) <= 1


def test_the_rows_of_a_class_are_used_as_evenly_as_can_be():
    used = np.bincount(epoch(BalancedBatches(X, Y, 32)), minlength=100)
    assert used[:90].max() == 1
    assert set(used[90:]) == {5}
    used = np.bincount(epoch(BalancedBatches(X, Y, 32, epoch_size=34)), minlength=100)
    assert used.max() == 2
    assert used[90:].min() == 1


def test_rows_are_drawn_again_for_each_epoch():
    batches = BalancedBatches(X, Y, 32)
    epochs = [set(epoch(batches)) for _ in range(8)]
    assert len({frozenset(rows) for rows in epochs}) == 8
    assert len(set().union(*epochs)) > 95


def test_the_same_seed_gives_the_same_epochs_and_another_seed_others():
    first, again, other = (BalancedBatches(X, Y, 32, seed=seed) for seed in (0, 0, 1))
    for _ in range(2):
        rows = epoch(first)
        assert np.array_equal(rows, epoch(again))
        assert not np.array_equal(rows, epoch(other))


def test_a_resumed_training_goes_on_with_the_epoch_it_has_come_to():
    straight, resumed = BalancedBatches(X, Y, 32), BalancedBatches(X, Y, 32, first_epoch=2)
    rows = [epoch(straight) for _ in range(3)]
    assert np.array_equal(rows[2], epoch(resumed))


def test_the_last_partial_batch_is_kept():
    batches = BalancedBatches(X, Y, 32)
    assert [len(x) for x, _ in list(batches)] == [32, 32, 32, 4]
    assert len(batches) == math.ceil(100 / 32)


def test_a_batch_is_the_same_however_often_it_is_asked_for():
    batches = BalancedBatches(X, Y, 32)
    assert np.array_equal(batches[1][0], batches[1][0])


def test_fractions_may_be_given_for_each_class():
    batches = BalancedBatches(X, Y, 10, ratio={0: 4, 1: 1})
    assert [int(y.sum()) for _, y in list(batches)] == [2] * 10


def test_a_ratio_raises_what_is_below_it_and_nothing_else():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    found = np.concatenate([labels for _, labels in list(BalancedBatches(y, y, 10, ratio=0.5))])
    assert np.bincount(found).tolist() == [50, 25, 25]


def test_inputs_of_any_structure_labels_and_weights_stay_together():
    x = {"number": X, "pair": (X[:, 0], -X)}
    one_hot = np.eye(2)[Y]
    batches = BalancedBatches(x, one_hot, 16, sample_weight=X[:, 0] / 100)
    for found, y, weight in list(batches):
        rows = found["number"][:, 0]
        assert np.array_equal(found["pair"][0], rows)
        assert np.array_equal(found["pair"][1][:, 0], -rows)
        assert np.array_equal(y, one_hot[rows])
        assert np.array_equal(weight, rows / 100)


def test_labels_may_be_a_list():
    batches = BalancedBatches(X, Y.tolist(), 20, sample_weight=[1.0] * 100)
    assert [len(part) for part in batches[0]] == [20, 20, 20]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(0, 200))
def test_apportioned_parts_are_whole_and_within_one_of_their_fractions(parts, total):
    fractions = np.array(parts) / sum(parts)
    found = apportion(fractions, total)
    assert found.sum() == total
    assert (np.abs(found - fractions * total) < 1 + 1e-9).all()


def test_keras_trains_on_every_batch_and_draws_again_each_epoch():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    batches = BalancedBatches(X / 100.0, Y, 32)
    assert batches.epoch == 0
    history = model.fit(batches, epochs=3, verbose=0, shuffle=False)
    assert len(history.history["loss"]) == 3
    assert int(np.asarray(model.optimizer.iterations)) == 12
    assert batches.epoch == 3
    model.fit(batches, epochs=4, initial_epoch=3, verbose=0, shuffle=False)
    assert batches.epoch == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": np.zeros(100)}, "`y` must have rows of at least two classes"),
        ({"y": np.ones([100, 2])}, "exactly one class in each row"),
        ({"y": Y[:50]}, r"the same number of rows, got \[50, 100\]"),
        ({"sample_weight": np.ones(3)}, r"the same number of rows, got \[3, 100\]"),
        ({"batch_size": 0}, "`batch_size` must be an integer from 1, got 0"),
        ({"batch_size": 32.5}, r"`batch_size` must be an integer from 1, got 32\.5"),
        ({"epoch_size": 0}, "`epoch_size` must be an integer from 1, got 0"),
        ({"epoch_size": 100.0}, r"`epoch_size` must be an integer from 1, got 100\.0"),
        ({"ratio": 0.0}, r"`ratio` must be above 0 and at most 1, or a mapping .*got 0\.0"),
        ({"ratio": {0: 1.0}}, r"a fraction for each of the classes \[0, 1\], got \[0\]"),
        ({"ratio": {0: 1.0, 1: 0.0}}, "`ratio` must have fractions above 0"),
    ],
)
def test_what_cannot_be_balanced_is_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        BalancedBatches(**{"x": X, "y": Y, **arguments})


def test_an_index_after_the_last_batch_raises():
    with pytest.raises(IndexError, match="There are 4 batches, and none has number 4"):
        BalancedBatches(X, Y, 32)[4]
