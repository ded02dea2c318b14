import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn import over_sampling, under_sampling

from kt_extras.imbalance import resample
from kt_extras.imbalance.resampling import METHODS, READS_INPUTS, WITH_RATIO

OVER = ("random_over", "smote", "borderline_smote", "adasyn", "smote_tomek", "smote_enn")
UNDER = ("random_under", "near_miss", "cluster_centroids")


def clouds(*counts, seed=0, spread=1.0):
    """Return the given number of points of each class, around centres at a distance of 1."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    x = y[:, None] + rng.normal(0, spread, (len(y), 2))
    return x.astype("float32"), y


def rows(x):
    return {tuple(row) for row in np.asarray(x).reshape(len(x), -1).tolist()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("counts", [(40, 9), (8, 50, 15)])
def test_every_method_keeps_all_classes_shapes_and_types(method, counts):
    x, y = clouds(*counts)
    found_x, found_y = resample(x, y, method, ratio=0.8)
    assert (found_x.shape[1:], found_x.dtype, found_y.dtype) == ((2,), x.dtype, y.dtype)
    assert len(found_x) == len(found_y)
    assert set(found_y) == set(y)


@pytest.mark.parametrize("method", ["random_over", "smote", "borderline_smote"])
def test_over_sampling_raises_small_classes_to_a_fraction_of_the_largest(method):
    _, y = resample(*clouds(9, 50, 40), method, ratio=0.5)
    assert np.bincount(y).tolist() == [25, 50, 40]


@pytest.mark.parametrize("method", UNDER)
def test_under_sampling_lowers_large_classes_to_the_wanted_fraction(method):
    _, y = resample(*clouds(9, 50, 12), method, ratio=0.5)
    assert np.bincount(y).tolist() == [9, 18, 12]


@given(
    st.lists(st.integers(3, 30), min_size=2, max_size=4),
    st.floats(0.05, 1.0),
    st.sampled_from(["random_over", "random_under"]),
)
@settings(max_examples=40)
def test_no_class_moves_away_from_the_largest_or_the_smallest(counts, ratio, method):
    before = np.array(counts)
    after = np.bincount(resample(*clouds(*counts), method, ratio=ratio)[1])
    assert (after >= before).all() if method == "random_over" else (after <= before).all()
    assert after.min() >= ratio * after.max() - 1


@pytest.mark.parametrize("method", ["random_over", "random_under", "near_miss", "tomek_links"])
def test_methods_that_select_make_no_rows(method):
    x, y = clouds(30, 8)
    assert rows(resample(x, y, method)[0]) <= rows(x)


@pytest.mark.parametrize("method", ["random_over", "smote", "borderline_smote", "adasyn"])
def test_over_sampling_keeps_the_rows_that_there_are(method):
    x, y = clouds(30, 8)
    assert rows(resample(x, y, method)[0]) >= rows(x)


def test_smote_puts_rows_between_neighbours_of_the_class():
    x = np.array([[0.0, 0.0], [1.0, 2.0]] + [[9.0, 9.0]] * 6, dtype="float32")
    found, y = resample(x, np.array([1, 1] + [0] * 6), "smote")
    rare = found[y == 1]
    assert rare[:, 1] == pytest.approx(2 * rare[:, 0], abs=1e-6)
    assert ((rare[:, 0] >= 0) & (rare[:, 0] <= 1)).all()


@pytest.mark.parametrize(
    ("method", "theirs"),
    [
        ("smote", over_sampling.SMOTE(k_neighbors=4, random_state=3)),
        ("adasyn", over_sampling.ADASYN(n_neighbors=4, random_state=3)),
        ("near_miss", under_sampling.NearMiss(n_neighbors=4)),
        ("tomek_links", under_sampling.TomekLinks()),
    ],
)
def test_the_rows_are_those_of_imbalanced_learn_in_another_order(method, theirs):
    x, y = clouds(30, 8)
    found, labels = resample(x, y, method, k_neighbors=4, seed=3)
    expected, expected_labels = theirs.fit_resample(x, y)
    assert rows(np.column_stack([found, labels])) == rows(
        np.column_stack([expected, expected_labels])
    )


@pytest.mark.parametrize("method", [name for name in METHODS if name != "none"])
def test_the_same_seed_gives_the_same_rows(method):
    data = clouds(30, 8)
    first, again = (resample(*data, method, seed=5) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


@pytest.mark.parametrize("method", ["random_under", "smote"])
def test_another_seed_gives_other_rows(method):
    data = clouds(30, 8)
    assert rows(resample(*data, method, seed=0)[0]) != rows(resample(*data, method, seed=1)[0])


def test_resampled_rows_are_shuffled():
    _, y = resample(*clouds(100, 100, 20), "smote")
    assert len(set(y[-100:])) == 3


@pytest.mark.parametrize("method", ["smote", "random_under", "cluster_centroids"])
def test_images_come_back_as_images(method):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (24, 4, 5, 3), dtype=np.uint8)
    y = np.repeat([0, 1], [18, 6])
    found, labels = resample(x, y, method)
    assert (found.shape[1:], found.dtype) == ((4, 5, 3), np.uint8)
    assert rows(found[labels == 1]) >= rows(x[y == 1])


@pytest.mark.parametrize("shape", ["one_hot", "column", "float"])
def test_labels_come_back_as_they_were(shape):
    x, classes = clouds(20, 6, 9)
    y = {
        "one_hot": np.eye(3, dtype="float32")[classes],
        "column": classes[:, None],
        "float": classes.astype("float32"),
    }[shape]
    for method in ("smote", "random_over"):
        found = resample(x, y, method)[1]
        assert (found.dtype, found.shape[1:]) == (y.dtype, y.shape[1:])
        flat = found.argmax(axis=1) if shape == "one_hot" else found.ravel()
        assert np.bincount(flat.astype(int)).tolist() == [20, 20, 20]


def test_data_are_returned_unchanged_without_resampling():
    x, y = clouds(20, 6)
    for method, ratio in (("none", 1.0), ("smote", 0.1)):
        found = resample(x, y, method, ratio=ratio)
        assert found[0] is x
        assert found[1] is y


@pytest.mark.parametrize("method", ["smote", "borderline_smote", "adasyn", "near_miss"])
def test_a_class_with_few_rows_has_fewer_neighbours(method):
    x, y = clouds(20, 2, spread=2.0)
    assert set(resample(x, y, method, k_neighbors=9)[1]) == {0, 1}


@pytest.mark.parametrize("method", [m for m in OVER if m != "random_over"])
def test_a_class_with_one_row_has_no_neighbours(method):
    with pytest.raises(ValueError, match=f"'{method}' adds to, but class 1 has one; .*random_over"):
        resample(*clouds(20, 1), method)


def test_adasyn_keeps_classes_that_do_not_overlap_as_they_are():
    x, y = clouds(20, 8, spread=0.01)
    with pytest.warns(UserWarning, match="ADASYN adds rows where classes meet"):
        found, labels = resample(x, y, "adasyn", k_neighbors=3)
    assert rows(found) == rows(x)
    assert np.bincount(labels).tolist() == [20, 8]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", READS_INPUTS)
def test_nan_is_rejected_where_inputs_are_compared(method, bad):
    x, y = clouds(20, 8)
    x[[3, 25], 1] = bad
    with pytest.raises(ValueError, match=r"`x` must be finite .*2 of 28 rows have NaN"):
        resample(x, y, method)


@pytest.mark.parametrize("method", ["random_over", "random_under"])
def test_nan_does_not_matter_where_rows_are_drawn(method):
    x, y = clouds(20, 8)
    x[3] = np.nan
    assert len(np.unique(np.bincount(resample(x, y, method)[1]))) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "rose"}, "`method` must be one of none, random_over, .*got 'rose'"),
        ({"ratio": 0.0}, r"`ratio` must be above 0 and at most 1, got 0\.0"),
        ({"ratio": 1.5}, r"`ratio` must be above 0 and at most 1, got 1\.5"),
        ({"k_neighbors": 0}, "`k_neighbors` must be an integer from 1, got 0"),
        ({"k_neighbors": 2.5}, r"`k_neighbors` must be an integer from 1, got 2\.5"),
        ({"x": {"a": np.zeros([10, 2])}}, "`x` must be one array .*got a dict of 1; join"),
        ({"x": [np.zeros([10, 2]), np.zeros([10, 3])]}, "`x` must be one array .*a list of 2"),
        ({"y": np.zeros(10)}, "`y` must have rows of at least two classes"),
        ({"y": np.ones([10, 2])}, "exactly one class in each row"),
        ({"y": np.arange(9) % 2}, "`x` and `y` must have the same number of rows"),
        ({"x": np.array([["a"]] * 10)}, "`x` must be one array of numbers"),
    ],
)
def test_what_cannot_be_resampled_is_rejected(arguments, message):
    usual = {"x": np.zeros([10, 2]), "y": np.arange(10) % 2, "method": "smote"}
    with pytest.raises(ValueError, match=message):
        resample(**{**usual, **arguments})


def test_cleaning_raises_when_it_removes_a_whole_class():
    x = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0)), axis=-1).reshape(-1, 2)
    x = np.concatenate([x, [[0.4, 0.4], [8.6, 8.6]]])
    y = np.repeat([0, 1], [100, 2])
    with pytest.raises(ValueError, match="'smote_enn' has taken every row of class 1 for noise"):
        resample(x, y, "smote_enn", ratio=0.04)


def test_every_method_with_a_ratio_is_over_or_under_sampling():
    assert set(WITH_RATIO) == {*OVER, *UNDER}


def test_without_imbalanced_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "imblearn.over_sampling", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install kt_extras\[imbalance\]"):
        resample(*clouds(8, 2), "random_over")
