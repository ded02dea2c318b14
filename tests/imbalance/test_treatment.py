import sys

import keras
import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

import kt_extras as kte
from kt_extras import losses
from kt_extras.imbalance import Resampler, class_weight_dict, class_weights, sample_weights, space

RNG = np.random.default_rng(0)
BINARY = (np.arange(60) % 6 == 0).astype("int64")
CLASSES = np.repeat([0, 1, 2], [40, 15, 5])
ONE_HOT = np.eye(3)[CLASSES]
LABELS = (RNG.random((60, 3)) < [0.1, 0.5, 0.9]).astype("int64")
HEADS = {
    "binary": BINARY,
    "two": BINARY,
    "sparse": CLASSES,
    "one_hot": ONE_HOT,
    "multi_label": LABELS,
}


def chosen(head="binary", **values):
    hp = keras_tuner.HyperParameters()
    hp.values = values
    outputs = 2 if head == "two" else None
    return space(hp, HEADS[head], outputs=outputs)


def points(head):
    """Return treatments from points of the whole space."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        values = {}
        while True:
            hp = keras_tuner.HyperParameters()
            hp.values = dict(values)
            treatment = space(hp, HEADS[head], outputs=2 if head == "two" else None)
            new = [each for each in hp.space if hp.is_active(each) and each.name not in values]
            if not new:
                break
            values.update({each.name: each.random_sample(int(rng.integers(9999))) for each in new})
        yield values, treatment


@pytest.mark.parametrize("head", HEADS)
def test_an_imbalance_is_never_corrected_twice(head):
    plain = (
        keras.losses.BinaryCrossentropy,
        keras.losses.SparseCategoricalCrossentropy,
        keras.losses.CategoricalCrossentropy,
    )
    focal = (
        keras.losses.BinaryFocalCrossentropy,
        keras.losses.CategoricalFocalCrossentropy,
        losses.SparseFocalCrossentropy,
    )
    seen = set()
    for values, treatment in points(head):
        seen.add(treatment.correction)
        assert treatment.correction == values["correction"]
        neutral = isinstance(treatment.loss, plain + focal)
        corrected = [
            treatment.class_weight is not None,
            treatment.resampler is not None,
            not neutral,
        ]
        assert sum(corrected) == (treatment.correction != "none")
        if treatment.resampler is not None:
            assert isinstance(treatment.loss, plain)
            assert treatment.resampler.method != "none"
    expected = {"none", "weights", "logit_adjustment", "resampling"}
    expected -= {"logit_adjustment"} if head == "binary" else set()
    assert seen == ({"none", "weights", "asymmetric"} if head == "multi_label" else expected)


@pytest.mark.parametrize("head", HEADS)
def test_the_first_trial_corrects_nothing(head):
    treatment = chosen(head)
    assert (treatment.correction, treatment.class_weight, treatment.resampler) == (
        ("none", None, None)
    )


@pytest.mark.parametrize("head", HEADS)
def test_a_loss_without_correction_is_plain_cross_entropy(head):
    y = HEADS[head]
    units = {"binary": 1, "two": 2}.get(head, 3)
    scores = RNG.uniform(0.1, 0.9, (60, units)).astype("float32")
    if head not in ("binary", "multi_label"):
        scores /= scores.sum(axis=1, keepdims=True)
    for _, treatment in points(head):
        assert np.isfinite(float(treatment.loss(y[:, None] if y.ndim == 1 else y, scores)))
    if head in ("binary", "multi_label"):
        p = np.where(y.reshape(60, -1) == 1, scores, 1 - scores)
    else:
        p = scores[np.arange(60), y.argmax(axis=1) if y.ndim == 2 else y]
    plain = float(chosen(head).loss(y[:, None] if y.ndim == 1 else y, scores))
    assert plain == pytest.approx(-np.log(p).mean(), rel=1e-4)


def test_weights_are_those_of_their_scheme():
    found = chosen(
        "sparse", correction="weights", weight_scheme="effective_number", weight_beta=0.9
    )
    expected = class_weights(CLASSES, "effective_number", beta=0.9)
    assert found.class_weight == class_weight_dict(expected)


def test_multi_label_weights_are_in_the_loss_where_each_label_has_its_own():
    found = chosen("multi_label", correction="weights", weight_scheme="inverse_sqrt")
    assert found.class_weight is None
    p = RNG.uniform(0.1, 0.9, LABELS.shape).astype("float32")
    w = sample_weights(LABELS, class_weights(LABELS, "inverse_sqrt"), per_label=True)
    expected = -np.mean(w * np.where(LABELS == 1, np.log(p), np.log(1 - p)))
    assert float(found.loss(LABELS, p)) == pytest.approx(expected, rel=1e-5)


def test_focal_losses_weigh_no_class():
    for head in ("two", "sparse", "one_hot"):
        y = HEADS[head]
        units = 2 if head == "two" else 3
        even = np.full((60, units), 1 / units, "float32")
        found = chosen(head, loss="focal", gamma=1.5)
        expected = (1 - 1 / units) ** 1.5 * np.log(units)
        assert float(found.loss(y, even)) == pytest.approx(expected, rel=1e-4)


def test_logits_are_adjusted_by_the_classes_of_the_labels():
    found = chosen("sparse", correction="logit_adjustment", tau=0.5)
    assert found.loss.get_config()["class_counts"] == [40, 15, 5]
    assert found.loss.get_config()["tau"] == 0.5


def test_treatment_is_the_same_in_build_and_in_fit():
    hp = keras_tuner.HyperParameters()
    hp.values = {"correction": "resampling", "resampling": "smote", "resampling_ratio": 0.5}
    first, again = space(hp, BINARY), space(hp, BINARY)
    x = RNG.normal(size=(60, 2))
    assert np.array_equal(first.resample(x, BINARY)[0], again.resample(x, BINARY)[0])
    assert len({each.name for each in hp.space}) == len(hp.space)


def test_a_data_set_is_weighed_but_not_resampled():
    data = tf.data.Dataset.from_tensor_slices((tf.zeros([60, 2]), ONE_HOT)).batch(16)
    hp = keras_tuner.HyperParameters()
    hp.values = {"correction": "weights"}
    treatment = space(hp, data)
    assert treatment.class_weight == class_weight_dict(class_weights(ONE_HOT))
    assert isinstance(treatment.loss, keras.losses.CategoricalCrossentropy)
    (correction,) = (each for each in hp.space if each.name == "correction")
    assert correction.values == ["none", "weights", "logit_adjustment"]


def test_two_spaces_with_prefixes_are_independent():
    hp = keras_tuner.HyperParameters()
    space(hp, BINARY, prefix="first_")
    space(hp, CLASSES, prefix="second_", methods=["smote"])
    names = [each.name for each in hp.space]
    assert len(set(names)) == len(names)
    assert all(name.startswith(("first_", "second_")) for name in names)


def test_logits_are_taken_where_the_model_puts_them_out():
    for head, y in HEADS.items():
        hp = keras_tuner.HyperParameters()
        treatment = space(hp, y, outputs=2 if head == "two" else None, from_logits=True)
        units = {"binary": 1, "two": 2}.get(head, 3)
        zero = float(treatment.loss(y[:, None] if y.ndim == 1 else y, np.zeros((60, units))))
        binary = head in ("binary", "multi_label")
        assert zero == pytest.approx(np.log(2 if binary else units), rel=1e-4)


class Fraud(keras_tuner.HyperModel):
    def build(self, hp):
        loss = space(hp, BINARY).loss
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
        model.compile(keras.optimizers.SGD(hp.Float("rate", 1e-2, 1e-1)), loss)
        return model

    def fit(self, hp, model, x, y, **arguments):
        return space(hp, y).fit(model, x, y, **arguments)


def test_a_search_trains_with_every_correction():
    x = RNG.normal(size=(60, 2)).astype("float32") + BINARY[:, None]
    tuner = kte.TPE(Fraud(), objective="val_loss", max_trials=3, seed=0, directory="here")
    for correction in ("none", "weights", "resampling"):
        tuner.enqueue({"correction": correction})
    tuner.search(x, BINARY, validation_split=0.2, epochs=1, verbose=0)
    rows = tuner.results()
    assert {row["state"] for row in rows} == {"completed"}
    assert {row["correction"] for row in rows} == {"none", "weights", "resampling"}


def plain_build(declare):
    def build(hp):
        loss = getattr(declare(hp), "loss", "binary_crossentropy")
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
        model.compile("sgd", loss)
        return model

    return build


@pytest.mark.parametrize("tuner", [kte.TPE, keras_tuner.RandomSearch])
@pytest.mark.parametrize(
    ("declare", "cure"),
    [
        (lambda hp: space(hp, BINARY), r"`kte.imbalance.space\(hp, y\).fit\(model"),
        (Resampler, r"`kte.imbalance.Resampler\(hp\).fit\(model"),
    ],
)
def test_what_acts_in_fit_is_refused_in_a_plain_build(tuner, declare, cure):
    rule = f"calls `model.fit` with the arguments of `search` as they are.*returns {cure}"
    with pytest.raises(ValueError, match=rule):
        tuner(plain_build(declare), "val_loss", max_trials=1, directory="here")


class OwnTuner(keras_tuner.RandomSearch):
    def run_trial(self, trial, x, y):
        model = self.hypermodel.build(trial.hyperparameters)
        treatment = space(trial.hyperparameters, y)
        return treatment.fit(model, x, y, verbose=0).history["loss"][-1]


def test_what_acts_in_fit_is_taken_where_the_tuner_trains_by_itself():
    tuner = OwnTuner(plain_build(lambda hp: space(hp, BINARY)), max_trials=1, directory="here")
    tuner.search(RNG.normal(size=(60, 2)), BINARY)
    (trial,) = tuner.oracle.trials.values()
    assert (trial.status, "correction" in trial.hyperparameters.values) == ("COMPLETED", True)


def test_multi_label_corrections_are_in_the_loss_and_need_no_own_fit():
    build = plain_build(lambda hp: space(hp, LABELS))
    tuner = kte.TPE(build, "val_loss", max_trials=1, directory="here")
    assert "correction" in tuner.oracle.get_space().values


def test_resampling_is_left_out_with_a_warning_without_imbalanced_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "imblearn", None)
    hp = keras_tuner.HyperParameters()
    with pytest.warns(UserWarning, match="no resampling, since imbalanced-learn is not installed"):
        space(hp, BINARY)
    space(hp, LABELS)  # which is never resampled
    assert space(hp, BINARY, methods=[]).correction == "none"
    assert {each.name: each for each in hp.space}["correction"].values == ["none", "weights"]
    for declare in (Resampler, lambda hp: space(hp, BINARY, methods=["smote"])):
        with pytest.raises(ModuleNotFoundError, match=r"pip install kt_extras\[imbalance\]"):
            declare(keras_tuner.HyperParameters())
    assert Resampler(hp, methods=["none"]).method == "none"


@pytest.mark.parametrize("correction", ["none", "weights", "resampling"])
def test_a_split_that_takes_all_rows_of_a_class_is_refused(correction):
    y = np.sort(BINARY)
    for labels in (y, np.eye(2)[y], y[:, None]):
        hp = keras_tuner.HyperParameters()
        hp.values = {"correction": correction, "resampling": "random_over"}
        with pytest.raises(ValueError, match=r"last 12 rows.*every row of class 1.*shuffle"):
            space(hp, labels).fit(None, np.zeros((60, 2)), labels, validation_split=0.2)


@pytest.mark.parametrize(
    ("y", "arguments", "message"),
    [
        (np.zeros(5), {}, r"at least two classes .*got \[5\] rows"),
        ([0, 2], {}, r"every class from 0 to the highest, got \[1, 0, 1\] rows"),
        (CLASSES, {"outputs": 1}, "`outputs` must be 3 for these labels of 3 classes, got 1"),
        (BINARY, {"outputs": 3}, "`outputs` must be 1 or 2 for these labels of 2 classes, got 3"),
        (BINARY, {"methods": ["rose"]}, "`methods` must be some of"),
        (BINARY, {"methods": "smote"}, "`methods` must be a list, got 'smote'"),
    ],
)
def test_what_cannot_be_corrected_is_rejected(y, arguments, message):
    with pytest.raises(ValueError, match=message):
        space(keras_tuner.HyperParameters(), y, **arguments)
