"""Hashes of rows: equal for equal rows, in whatever they are held."""

import numpy as np
import pandas
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.evaluation.rows import row_hashes, sampled_hashes

ROWS = [[1, 2], [3, 4], [1, 2]]
X = np.array(ROWS)


@pytest.mark.parametrize(
    "data",
    [
        X.astype("float32"),
        X.astype("uint8"),
        pandas.DataFrame({"a": [1, 3, 1], "b": [2.0, 4.0, 2.0]}),
        pandas.DataFrame({"a": [1, 3, 1], "b": [2, 4, 2]}, dtype=object),
        [X[:, 0], X[:, 1].astype(float)],
        tf.constant(ROWS),
        tf.data.Dataset.from_tensor_slices((X, [0, 1, 0])).batch(2),
    ],
    ids=["float", "byte", "frame", "objects", "list", "tensor", "dataset"],
)
def test_rows_are_the_same_whatever_holds_them(data):
    assert row_hashes(data).tolist() == row_hashes(X).tolist()


def test_rows_are_equal_where_numpy_finds_them_equal():
    x = np.random.default_rng(0).integers(0, 3, (2000, 6))
    _, places = np.unique(x, axis=0, return_inverse=True)
    _, found = np.unique(row_hashes(x), return_inverse=True)
    assert len(set(zip(places.ravel(), found, strict=True))) == places.max() + 1 == found.max() + 1


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=20))
def test_integers_are_told_apart_beyond_float32(values):
    assert len(set(row_hashes(np.array(values)).tolist())) == len(set(values))


@pytest.mark.parametrize("shape", [(50, 40), (50, 20, 30)])
def test_rows_do_not_depend_on_those_beside_them(shape):
    x = np.random.default_rng(0).random(shape)
    assert row_hashes(x)[17] == row_hashes(x[17:18])[0]


def test_missing_values_and_zeros_have_one_hash_each():
    a, b = row_hashes(np.array([[np.nan, -0.0], [-np.nan, 0.0]]))
    c = row_hashes(np.array([[None, 0]], dtype=object))[0]
    assert a == b == c


def test_texts_and_dates_are_rows():
    frame = pandas.DataFrame({"city": ["Oslo", "Rome", "Oslo"], "day": ["2020-01-01"] * 3})
    frame["day"] = pandas.to_datetime(frame["day"])
    a, b, c = row_hashes(frame)
    assert a == c != b


def test_columns_of_a_dictionary_are_sorted_by_name():
    first, second = {"a": X[:, 0], "b": X[:, 1]}, {"b": X[:, 1], "a": X[:, 0]}
    assert row_hashes(first).tolist() == row_hashes(second).tolist()


def test_a_limit_ends_a_dataset_that_repeats():
    dataset = tf.data.Dataset.from_tensor_slices(X).batch(2).repeat()
    assert row_hashes(dataset, limit=5).shape == (5,)


def test_a_sample_is_of_the_rows_themselves():
    hashes, rows = sampled_hashes(X.repeat(100, axis=0), 7)
    assert rows == 300
    assert set(hashes) <= set(row_hashes(X))


def test_what_is_read_once_only_is_refused_and_not_sampled():
    def generator():
        yield X

    with pytest.raises(TypeError, match="Data must be an array"):
        row_hashes(generator())
    assert sampled_hashes(generator(), 5) is None


def test_parts_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"as many in each part, got \[2, 3\] rows"):
        row_hashes([X, X[:2]])
