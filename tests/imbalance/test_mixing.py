import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

from kt_extras.imbalance import Mixer, mixed
from kt_extras.imbalance.mixing import METHODS

HAS_LAYERS = hasattr(keras.layers, "MixUp")
needs_layers = pytest.mark.skipif(not HAS_LAYERS, reason="Keras 2 has no MixUp and no CutMix")


def batches(x, y, size=8):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(size)


def images(n=16):
    """Return images of one value each, which is the number of their class."""
    y = np.arange(n) % 4
    return np.ones([n, 6, 6, 1], "float32") * y[:, None, None, None], y


def arrays(data):
    return [np.concatenate(part) for part in zip(*data.as_numpy_iterator(), strict=True)]


@needs_layers
def test_mixup_mixes_labels_as_it_mixes_inputs():
    x, y = arrays(mixed(batches(*images()), "mixup", num_classes=4, alpha=0.4))
    assert y.sum(axis=1) == pytest.approx(np.ones(16))
    assert x.shape == (16, 6, 6, 1)
    assert x.std(axis=(1, 2, 3)) == pytest.approx(np.zeros(16), abs=1e-6)
    assert x.mean(axis=(1, 2, 3)) == pytest.approx(y @ np.arange(4), abs=1e-5)
    assert ((y > 0.01) & (y < 0.99)).any()


@needs_layers
def test_mixup_takes_rows_of_a_table():
    rows = np.random.default_rng(0).normal(size=(12, 5)).astype("float32")
    rows[:, 0] = np.arange(12) % 2
    x, y = arrays(mixed(batches(rows, rows[:, :1]), "mixup", alpha=0.4))
    assert (x.shape, y.shape) == ((12, 5), (12, 1))
    assert x[:, 0] == pytest.approx(y[:, 0], abs=1e-6)


@needs_layers
def test_cutmix_mixes_labels_by_the_area_that_it_pastes():
    big = np.ones([16, 40, 40, 1], "float32") * (np.arange(16) % 2)[:, None, None, None]
    x, y = arrays(mixed(batches(big, np.arange(16) % 2), "cutmix", num_classes=2, alpha=1.0))
    assert set(np.unique(x)) == {0.0, 1.0}
    assert x.mean(axis=(1, 2, 3)) == pytest.approx(y[:, 1], abs=0.06)
    assert ((y > 0.05) & (y < 0.95)).any()


@needs_layers
@pytest.mark.parametrize("method", ["mixup", "cutmix"])
def test_the_same_seed_gives_the_same_mixtures_and_each_epoch_has_its_own(method):
    first, again = (mixed(batches(*images()), method, num_classes=4, seed=3) for _ in range(2))
    epochs = [arrays(first)[0], arrays(first)[0]]
    assert np.array_equal(epochs[0], arrays(again)[0])
    assert not np.array_equal(*epochs)


@needs_layers
def test_multi_label_rows_are_mixed_as_they_are():
    x, _ = images(8)
    labels = np.random.default_rng(0).integers(0, 2, (8, 3))
    _, found = arrays(mixed(batches(x, labels), "mixup", alpha=1.0))
    assert found.shape == (8, 3)
    assert found.sum() > 0


@needs_layers
@pytest.mark.parametrize(
    ("labels", "num_classes", "message"),
    [
        (np.arange(16)[:, None] % 4, None, "labels from 0 to 1 unless `num_classes` is given"),
        (np.arange(16) % 4, 3, "classes from 0 to 2, as `num_classes` says"),
        (np.arange(16) % 4 - 1, 4, "classes from 0 to 3, as `num_classes` says"),
    ],
)
def test_numbers_of_classes_are_not_mixed_as_fractions(labels, num_classes, message):
    data = mixed(batches(images()[0], labels), "mixup", num_classes=num_classes)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        arrays(data)


@needs_layers
@pytest.mark.parametrize("dtype", ["uint8", "float16"])
def test_inputs_of_any_type_become_floats(dtype):
    x, y = images(8)
    data = mixed(batches(x.astype(dtype), y), "mixup", num_classes=4)
    assert [spec.dtype for spec in data.element_spec] == [tf.float32, tf.float32]
    assert [tuple(spec.shape) for spec in data.element_spec] == [(None, 6, 6, 1), (None, 4)]


@needs_layers
def test_a_model_trains_on_mixed_data():
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(4, "softmax")]
    )
    model.compile("sgd", "categorical_crossentropy")
    data = mixed(batches(*images()), "cutmix", num_classes=4)
    assert np.isfinite(model.fit(data, epochs=2, verbose=0, shuffle=False).history["loss"]).all()


def test_data_are_returned_unchanged_without_mixing():
    data = batches(*images())
    assert mixed(data, "none") is data


@pytest.mark.skipif(HAS_LAYERS, reason="Keras 3 has the layers")
def test_mixing_raises_on_keras_2():
    for mix in (
        lambda: mixed(batches(*images()), "mixup", num_classes=4),
        lambda: Mixer(keras_tuner.HyperParameters()),
    ):
        with pytest.raises(NotImplementedError, match=r"`keras.layers.MixUp`, which Keras 3 has"):
            mix()


@needs_layers
def test_method_and_strength_are_hyperparameters():
    hp = keras_tuner.HyperParameters()
    assert (Mixer(hp).method, Mixer(hp).alpha) == ("none", None)
    assert [each.name for each in hp.space] == ["mixing", "mixing_alpha"]
    hp.values = {"mixing": "cutmix", "mixing_alpha": 0.7}
    mixer = Mixer(hp, num_classes=4)
    assert (mixer.method, mixer.alpha) == ("cutmix", 0.7)
    expected = mixed(batches(*images()), "cutmix", alpha=0.7, num_classes=4)
    assert np.array_equal(arrays(mixer.apply(batches(*images())))[0], arrays(expected)[0])


@needs_layers
def test_a_mixer_is_refused_in_a_plain_build():
    rule = r"calls `model.fit` with the arguments of `search`.*kte.imbalance.Mixer\(hp\)"
    with pytest.raises(ValueError, match=rule):
        keras_tuner.RandomSearch(Mixer, "val_loss", max_trials=1, directory="here")


@needs_layers
def test_a_fixed_strength_is_not_a_hyperparameter():
    hp = keras_tuner.HyperParameters()
    assert Mixer(hp, methods=["mixup", "none"], alpha=0.3).alpha == 0.3
    assert [each.name for each in hp.space] == ["mixing"]


@needs_layers
@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (batches(*images()), {}, "`num_classes` must be given for integer labels"),
        (batches(np.ones([4, 3]), [0, 1, 0, 1]), {"method": "cutmix"}, "must give images"),
        (batches(*images()).map(lambda x, y: (x, y, y)), {}, r"must be a .* of \(x, y\)"),
        (batches(*images()).map(lambda x, y: ((x, x), y)), {}, "one tensor of inputs"),
        (batches(*images()).unbatch(), {}, r"call `batch\(\)` first"),
    ],
)
def test_data_that_cannot_be_mixed_are_rejected(data, arguments, message):
    with pytest.raises(ValueError, match=message):
        mixed(data, **{"method": "mixup", **arguments})


@pytest.mark.parametrize(
    ("method", "alpha", "message"),
    [
        ("blend", 0.2, f"`method` must be one of {', '.join(METHODS)}, got 'blend'"),
        ("mixup", 0.0, r"`alpha` must be above 0, .*got 0\.0"),
        ("cutmix", 1.5, r"at most 1 for 'cutmix', got 1\.5"),
    ],
)
def test_arguments_out_of_range_are_rejected(method, alpha, message):
    with pytest.raises(ValueError, match=message):
        mixed(batches(*images()), method, alpha=alpha)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"methods": []}, "`methods` must have one of"),
        ({"methods": ["none"], "alpha": (0.5, 0.1)}, "`alpha` must be a number or a pair"),
    ],
)
def test_invalid_methods_and_ranges_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mixer(keras_tuner.HyperParameters(), **arguments)
