import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from kt_extras.imbalance import (
    class_counts,
    class_weight_dict,
    class_weights,
    effective_numbers,
    sample_weights,
    with_weights,
)

SCHEMES = ("balanced", "inverse_sqrt", "effective_number")
counts = st.lists(st.integers(1, 60), min_size=2, max_size=5)


def labels(n):
    return np.repeat(np.arange(len(n)), n)


def dataset(y, *weights, batch=2):
    return tf.data.Dataset.from_tensor_slices((tf.zeros([len(y), 3]), y, *weights)).batch(batch)


def rows_of(data):
    return np.concatenate([element[2].numpy() for element in data])


@given(counts)
def test_balanced_weights_are_those_of_scikit_learn(n):
    y = labels(n)
    expected = compute_class_weight("balanced", classes=np.unique(y), y=y)
    assert class_weights(y) == pytest.approx(expected)
    assert sample_weights(y, class_weights(y)) == pytest.approx(
        compute_sample_weight("balanced", y)
    )


@given(counts, st.sampled_from(SCHEMES))
def test_the_weights_of_all_rows_have_a_mean_of_one(n, scheme):
    y = labels(n)
    assert sample_weights(y, class_weights(y, scheme)).mean() == pytest.approx(1)


@given(counts)
def test_weights_are_inverse_to_what_their_scheme_counts(n):
    y = labels(n)
    products = class_weights(y, "inverse_sqrt") * np.sqrt(n)
    assert products == pytest.approx(np.full(len(n), products[0]))
    products = class_weights(y, "effective_number", beta=0.9) * effective_numbers(n, beta=0.9)
    assert products == pytest.approx(np.full(len(n), products[0]))


def test_effective_number_goes_from_no_weighting_to_balanced():
    y = labels([50, 3])
    assert class_weights(y, "effective_number", beta=0.0) == pytest.approx(np.ones(2))
    near_one = class_weights(y, "effective_number", beta=1 - 1e-9)
    assert near_one == pytest.approx(class_weights(y), rel=1e-4)


def test_effective_number_weights_equal_a_calculation_by_hand():
    # n = (2, 1), beta = 0.5: effective numbers 1.5 and 1, so weights 2/3 and 1, times 3 / (7/3).
    found = class_weights([0, 0, 1], "effective_number", beta=0.5)
    assert found == pytest.approx(np.array([6 / 7, 9 / 7]))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_labels_of_every_kind_and_counts_give_the_same_weights(scheme):
    y = labels([5, 2, 1])
    expected = class_weights(y, scheme).tolist()
    for given_as in (y[:, None], np.eye(3)[y], dataset(y), dataset(np.eye(3)[y]), class_counts(y)):
        assert class_weights(given_as, scheme).tolist() == expected


def test_each_label_of_multi_label_data_has_its_own_balanced_weights():
    y = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 0]])
    found = class_weights(y)
    each = [compute_class_weight("balanced", classes=np.arange(2), y=column) for column in y.T]
    assert found == pytest.approx(np.array(each))
    assert sample_weights(y, found, per_label=True).mean(axis=0) == pytest.approx(np.ones(3))


def test_a_class_without_examples_has_the_weight_absent():
    assert class_weights([0, 2], num_classes=4, absent=0.0).tolist() == [1, 0, 1, 0]
    rows = [[1, 0, 1], [0, 0, 1]]
    found = class_weights(rows, multi_label=True, absent=1.0)
    assert found.tolist() == [[1, 1], [1, 1], [1, 1]]


def test_keras_weighs_rows_by_the_dictionary_as_by_the_sample_weights():
    y = labels([6, 2])
    x = np.linspace(-1, 1, 8, dtype="float32")[:, None]
    weights = class_weights(y)
    losses = []
    for arguments in (
        {"class_weight": class_weight_dict(weights)},
        {"sample_weight": sample_weights(y, weights)},
    ):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
        model.compile("sgd", "binary_crossentropy")
        model.set_weights([np.ones([1, 1]), np.zeros(1)])
        losses.append(model.fit(x, y, verbose=0, batch_size=8, **arguments).history["loss"])
    assert losses[0] == pytest.approx(losses[1])


def test_keras_weighs_each_label_exactly_on_an_axis_of_its_own():
    rng = np.random.default_rng(0)
    p, y = rng.uniform(0.1, 0.9, (6, 3)), rng.integers(0, 2, (6, 3))
    w = sample_weights(y, class_weights(y, multi_label=True), per_label=True)
    by_hand = -np.mean(w * (y * np.log(p) + (1 - y) * np.log(1 - p)))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Reshape((3, 1))])
    model.compile("sgd", "binary_crossentropy")
    found = model.evaluate(p, y[..., None], sample_weight=w, verbose=0)
    assert found == pytest.approx(by_hand, rel=1e-5)


def test_a_data_set_gets_the_weights_of_its_rows():
    y, weights = labels([3, 2]), [0.5, 3.0]
    expected = sample_weights(y, weights).tolist()
    for given_as in (y, y[:, None], np.eye(2)[y], y.astype("float32")):
        assert rows_of(with_weights(dataset(given_as), weights)).tolist() == expected


def test_weights_that_a_data_set_has_are_multiplied():
    given_weights = [1.0, 2.0, 3.0]
    for shape in (np.array(given_weights), np.array(given_weights)[:, None]):
        data = with_weights(dataset([0, 1, 1], shape), [0.5, 4.0])
        assert rows_of(data).tolist() == [0.5, 8.0, 12.0]


def test_multi_label_rows_of_a_data_set_weigh_the_mean_of_their_labels():
    y = np.array([[1, 0], [1, 1], [0, 1]])
    weights = class_weights(y)
    found = rows_of(with_weights(dataset(y), weights))
    assert found == pytest.approx(sample_weights(y, weights))


def test_smoothed_labels_mix_the_weights():
    data = dataset(np.array([[0.9, 0.1], [0.5, 0.5]]))
    assert rows_of(with_weights(data, [1.0, 3.0])) == pytest.approx([1.2, 2.0])


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_smoothed_and_mixed_binary_labels_mix_the_weights(shape):
    y = np.array([0.0, 0.97, 1.0, 0.25], "float32").reshape(shape)
    found = rows_of(with_weights(dataset(y), [0.5, 4.0]))
    assert found == pytest.approx([0.5, 3.895, 4.0, 1.375])


@pytest.mark.parametrize("labels", [[0.0, 1.5], [2.0, -0.5]])
@pytest.mark.parametrize("weights", [[0.5, 4.0], [0.5, 1.0, 2.0]])
def test_labels_between_classes_are_refused(labels, weights):
    with pytest.raises(tf.errors.InvalidArgumentError, match="`dataset` must hold classes from 0"):
        rows_of(with_weights(dataset(np.array(labels, "float32")), weights))


def test_a_weighted_data_set_trains_as_arrays_with_class_weights_do():
    y = labels([6, 2]).astype("float32")
    x = np.linspace(-1, 1, 8, dtype="float32")[:, None]
    weights = class_weights(y)
    found = []
    for arguments in (
        {"x": x, "y": y, "class_weight": class_weight_dict(weights)},
        {"x": with_weights(tf.data.Dataset.from_tensor_slices((x, y)).batch(8), weights)},
    ):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy")
        model.set_weights([np.ones([1, 1]), np.zeros(1)])
        model.fit(**arguments, epochs=2, verbose=0, batch_size=None if len(arguments) == 1 else 8)
        found.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_label_out_of_range_raises_while_the_data_set_is_read():
    with pytest.raises(tf.errors.InvalidArgumentError, match="classes from 0 to 1"):
        rows_of(with_weights(dataset([0, 5]), [1.0, 2.0]))


@pytest.mark.parametrize(
    ("y", "arguments", "message"),
    [
        ([0, 1], {"scheme": "best"}, "`scheme` must be one of balanced, .*got 'best'"),
        ([0, 1], {"absent": -1.0}, r"`absent` must be a finite weight, at least 0, got -1\.0"),
        ([0, 0], {}, "at least two classes, got one class only"),
        ([0, 2], {}, "class 1 has no example; `absent`"),
        ([[1, 1], [0, 1]], {}, "class 1 has no row without it; `absent`"),
        ([0, 1], {"scheme": "effective_number", "beta": 1.0}, "`beta` must be"),
    ],
)
def test_labels_that_give_no_weights_are_rejected(y, arguments, message):
    with pytest.raises(ValueError, match=message):
        class_weights(y, **arguments)


@pytest.mark.parametrize("bad", [[], 1.0, [[1.0, 2.0, 3.0]], [1.0, -1.0], [np.nan, 1.0], [0.0]])
def test_numbers_that_are_not_weights_are_rejected(bad):
    for use in (class_weight_dict, lambda w: sample_weights([0], w)):
        with pytest.raises(ValueError, match="`weights` must"):
            use(bad)


def test_multi_label_weights_are_rejected_for_class_weight_of_keras():
    with pytest.raises(ValueError, match="one class a row; use `sample_weights`"):
        class_weight_dict([[1.0, 2.0], [1.0, 3.0]])


@pytest.mark.parametrize(
    ("y", "weights", "arguments", "message"),
    [
        ([0, 2], [1.0, 2.0], {}, "classes from 0 to 1"),
        ([[0, 1, 0]], [1.0, 2.0], {}, "`y` has 3 columns"),
        ([0, 1], [1.0, 2.0], {"per_label": True}, "`per_label` needs `weights` of shape"),
        ([0, 1], [[1.0, 2.0]], {}, r"`y` must have shape \(n, c\)"),
    ],
)
def test_labels_and_weights_that_do_not_belong_together_are_rejected(
    y, weights, arguments, message
):
    with pytest.raises(ValueError, match=message):
        sample_weights(y, weights, **arguments)


@pytest.mark.parametrize(
    ("y", "weights"),
    [([[1, 0, 0]], [1.0, 2.0]), ([0, 1], [[1.0, 2.0], [1.0, 2.0]])],
)
def test_a_data_set_and_weights_that_do_not_belong_together_are_rejected(y, weights):
    with pytest.raises(ValueError, match=r"`weights` has shape .* and needs labels with 2 columns"):
        with_weights(dataset(np.array(y)), weights)


@pytest.mark.parametrize("row", [[0, 0, 0], [1, 1, 0]])
def test_a_row_without_exactly_one_class_is_refused_as_the_losses_do(row):
    y, weights = [row, [0, 0, 1]], [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="none or several in 1 of 2 rows, first in row 0"):
        sample_weights(y, weights)
    with pytest.raises(tf.errors.InvalidArgumentError, match="rows of exactly one class"):
        rows_of(with_weights(dataset(np.array(y)), weights))
    assert rows_of(with_weights(dataset(np.array(y), [0.0, 2.0]), weights)).tolist() == [0.0, 6.0]


def test_labels_of_rows_without_weight_are_not_looked_at():
    data = with_weights(dataset([0, -1, 255, 1], [1.0, 0.0, 0.0, 1.0]), [2.0, 3.0])
    assert rows_of(data).tolist() == [2.0, 0.0, 0.0, 3.0]


def test_smoothed_labels_of_half_precision_are_weighed():
    y = np.array([[0.9, 0.05, 0.05], [0.1, 0.2, 0.7]], "float16")
    assert rows_of(with_weights(dataset(y), [1.0, 2.0, 3.0])) == pytest.approx(
        [1.15, 2.6], rel=0.002
    )
