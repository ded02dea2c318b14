import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kt_extras.imbalance import class_counts
from kt_extras.imbalance.labels import checked_labels, single_labels

labels = st.lists(st.integers(0, 4), min_size=1, max_size=30).map(np.array)


@given(labels)
def test_every_kind_of_labels_gives_the_same_counts(y):
    kinds = [y, y.tolist(), y[:, None], y.astype("float32"), np.eye(5)[y], tf.constant(y)]
    expected = np.bincount(y, minlength=5).tolist()
    assert all(class_counts(k, num_classes=5).positives.tolist() == expected for k in kinds)


@given(labels, st.integers(1, 7))
@settings(max_examples=8)
def test_a_data_set_gives_the_counts_of_its_labels_however_it_is_batched(y, size):
    data = tf.data.Dataset.from_tensor_slices((tf.zeros([len(y), 2]), y)).batch(size)
    assert class_counts(data).positives.tolist() == np.bincount(y).tolist()


def test_weights_and_structured_inputs_do_not_change_the_counts():
    x = {"image": tf.zeros([4, 3, 3]), "words": tf.ragged.constant([[1], [2, 3], [], [4]])}
    data = tf.data.Dataset.from_tensor_slices((x, [0, 2, 2, 1], [1.0, 2.0, 3.0, 4.0])).batch(3)
    assert class_counts(data).positives.tolist() == [1, 1, 2]


def test_a_data_set_is_multi_label_if_any_row_of_any_batch_is():
    rows = np.array([[1, 0], [0, 1], [1, 0], [1, 1]])
    data = tf.data.Dataset.from_tensor_slices((tf.zeros([4, 2]), rows)).batch(2)
    counts = class_counts(data)
    assert counts.multi_label
    assert (counts.positives.tolist(), counts.negatives.tolist()) == ([3, 2], [1, 2])


def test_a_matrix_with_one_class_a_row_is_one_hot_by_default():
    rows = np.eye(3)[[0, 1, 1]]
    assert not class_counts(rows).multi_label
    assert class_counts(rows, multi_label=True).multi_label


def test_a_row_without_any_class_makes_a_matrix_multi_label():
    assert class_counts([[0, 0], [1, 0]]).multi_label


def test_a_column_may_be_one_label_of_a_multi_label_problem():
    counts = class_counts([[1], [0], [1]], multi_label=True)
    assert (counts.positives.tolist(), counts.multi_label) == ([2], True)


def test_the_classes_of_rows_are_integers_whatever_the_labels_are():
    assert single_labels(np.eye(3, dtype="float32")[[2, 0]]).tolist() == [2, 0]
    assert single_labels([[1.0], [0.0]]).tolist() == [1, 0]
    assert checked_labels([True, False]).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("y", "arguments", "message"),
    [
        ([], {}, r"`y` must have shape \(n,\), \(n, 1\) or \(n, c\) .*got \(0,\)"),
        (np.zeros([2, 3, 4]), {}, r"`y` must have shape .*got \(2, 3, 4\)"),
        ([0, 1], {"multi_label": True}, r"`y` must have shape \(n, c\) .*got \(2,\)"),
        (["cat", "dog"], {}, "`y` must hold class numbers, .*LabelEncoder"),
        ([0, 0.5], {}, r"`y` must hold class numbers, got 0\.5; .*before they are smoothed"),
        ([0, np.nan], {}, "`y` must hold class numbers, got nan"),
        ([0, -1], {}, "`y` must hold classes from 0, got -1"),
        ([0, 3], {"num_classes": 3}, "classes from 0 to 2, as `num_classes` says, got 3"),
        ([[0, 2]], {}, "must hold zeros and ones, got 2; integer labels"),
        ([[0, 1]], {"num_classes": 3}, "`num_classes` is 3, but `y` has 2 columns"),
        ([[1, 1]], {"multi_label": False}, "`multi_label` is False, but"),
        ([0], {"num_classes": 0}, "`num_classes` must be at least 1, got 0"),
    ],
)
def test_labels_that_are_not_classes_are_rejected(y, arguments, message):
    with pytest.raises(ValueError, match=message):
        class_counts(y, **arguments)


def test_several_classes_a_row_are_rejected_where_one_is_needed():
    with pytest.raises(ValueError, match=r"exactly one class in each row .*class_weights"):
        single_labels([[1, 1], [0, 1]])


def dataset(y, x=None):
    return tf.data.Dataset.from_tensor_slices((tf.zeros([len(y), 4]) if x is None else x, y))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dataset([0, 1]).batch(1).repeat(), r"`dataset` must have an end.*before `repeat\(\)`"),
        (dataset([0, 1]), r"call `batch\(\)` first"),
        (dataset(np.eye(3)), "has 4 rows of `x` and 3 of `y`; call `batch"),
        (dataset([0, 1]).map(lambda x, _: x).batch(1), r"must be a .* of \(x, y\)"),
        (
            dataset([0, 1]).map(lambda x, y: (x, {"a": y})).batch(1),
            "must have one tensor of labels",
        ),
        (dataset([0, 1]).batch(1).take(0), "the data set is empty"),
    ],
)
def test_a_data_set_without_countable_labels_is_rejected(data, message):
    with pytest.raises(ValueError, match=message):
        class_counts(data)
