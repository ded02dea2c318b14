"""Counts of rows that parts of the data share."""

import numpy as np

import kt_extras as kte

X = np.arange(40).reshape(20, 2)


def test_shared_rows_are_counted_for_each_pair():
    leaks = kte.count_leaks(X[:10], X[8:14], np.concatenate([X[12:], X[:1], X[:1]]))
    assert leaks.rows == {"train": 10, "validation": 6, "test": 10}
    assert leaks.shared == {
        ("train", "validation"): 2,
        ("train", "test"): 2,
        ("validation", "test"): 2,
    }
    assert leaks.repeated == {"train": 0, "validation": 0, "test": 1}
    assert leaks.total == 6
    assert str(leaks).startswith("2 rows of validation (33.33%) are in train too; ")


def test_parts_without_a_shared_row_have_no_leaks():
    leaks = kte.count_leaks(X[:10], test=X[10:])
    assert leaks.total == 0
    assert str(leaks) == "No part shares a row with another."
