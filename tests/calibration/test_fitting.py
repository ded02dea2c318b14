import keras
import numpy as np
import pytest
import sklearn
from scipy.special import expit, log_softmax, logsumexp, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from kt_extras.calibration import expected_calibration_error, fit_calibration
from kt_extras.calibration.layers import (
    Decision,
    IsotonicCalibration,
    PlattScaling,
    TemperatureScaling,
    VectorScaling,
)

METHODS = ["temperature", "vector", "platt", "isotonic"]


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose inputs are its decision values."""

    def __init__(self, classes):
        self.classes = classes
        self.classes_ = np.arange(classes)

    def fit(self, x, y):
        return self

    def predict(self, x):
        raise NotImplementedError

    def decision_function(self, x):
        return x if self.classes > 2 else x[:, 0]

    def __sklearn_is_fitted__(self):
        return True


def by_scikit_learn(y, z, method, sample_weight=None):
    """Return what scikit-learn makes of logits, one column for each class."""
    given = Given(max(z.shape[1], 2))
    fitted = CalibratedClassifierCV(FrozenEstimator(given), method=method)
    return fitted.fit(z, y, sample_weight=sample_weight).predict_proba(z)


def binary(n=600, seed=0):
    """Return labels, weights, and logits that are too sure and biased."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 1))
    return (rng.random(n) < expit(z[:, 0])).astype(int), rng.random(n), (2.5 * z + 1).astype("f4")


def several(n=900, k=4, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, k)) * 1.5
    y = np.array([rng.choice(k, p=p) for p in softmax(z, axis=1)])
    return y, rng.random(n), (3 * z).astype("f4")


def applied(y, z, method, **how):
    layer = fit_calibration(y, z, method, from_logits=True, **how)
    return np.asarray(layer(z), dtype=np.float64)


@pytest.mark.parametrize(("k", "layer"), [(1, PlattScaling), (2, VectorScaling)])
def test_by_default_a_shifted_mean_is_corrected(k, layer):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4000, 1))
    y = (rng.random((4000, 1)) < expit(z)).astype(int)
    shifted = np.concatenate([np.zeros_like(z), z + 1], axis=1)[:, -k:]  # as class weights do
    found = fit_calibration(y, shifted, from_logits=True)
    assert isinstance(found, layer)
    mended = np.asarray(found(shifted.astype("float32")))[:, -1:]
    assert np.abs(mended - expit(z)).mean() < 0.02


@pytest.mark.parametrize(
    ("distorted", "kind"),
    [
        (lambda z: z, TemperatureScaling),  # of 1: nothing is left to mend
        (lambda z: 3 * z + 2, PlattScaling),
        (lambda z: np.sign(z) * z**2 - 0.7 * z, IsotonicCalibration),
    ],
)
def test_the_best_method_is_the_one_that_unseen_rows_prefer(distorted, kind):
    rng = np.random.default_rng(1)
    z = rng.normal(size=(6000, 1)) * 2
    y = (rng.random((6000, 1)) < expit(z)).astype(int)
    found = fit_calibration(y, distorted(z), "best", from_logits=True)
    assert type(found) is kind


@pytest.mark.parametrize("kinds", [{}, {"multi_label": True}])
def test_the_best_method_is_found_for_several_columns(kinds):
    y, _, z = several(400)
    labels = np.eye(4)[y] if kinds else y
    found = fit_calibration(labels, z, "best", from_logits=True, **kinds)
    plain = fit_calibration(labels, z, None, from_logits=True, **kinds)
    p, before = (np.asarray(layer(z), dtype=float) for layer in (found, plain))
    truth = np.eye(4)[y]
    assert np.sum((p - truth) ** 2) < np.sum((before - truth) ** 2)


def test_the_temperature_of_the_true_logits_is_found():
    y, _, z = several(n=20_000)
    assert fit_calibration(y, z, "temperature", from_logits=True).temperature == pytest.approx(
        3, rel=0.03
    )


# Its weights are used all the same: there is no training to leave them out of.
unworried = pytest.mark.filterwarnings("ignore:Since FrozenEstimator does not appear to accept")


@unworried
@pytest.mark.skipif(
    tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 8), reason="scikit-learn 1.8 has it"
)
@pytest.mark.parametrize("make", [binary, several])
def test_temperature_scaling_is_scikit_learns(make):
    y, w, z = make()
    expected = by_scikit_learn(y, z, "temperature", w)
    ours = applied(y, z, "temperature", sample_weight=w)
    assert ours[:, -1] == pytest.approx(expected[:, -1], abs=1e-4)


@unworried
def test_platt_scaling_is_scikit_learns():
    y, w, z = binary()
    expected = by_scikit_learn(y, z, "sigmoid", w)
    assert applied(y, z, "platt", sample_weight=w)[:, 0] == pytest.approx(expected[:, 1], abs=1e-5)


def test_isotonic_calibration_is_scikit_learns():
    y, w, z = binary()
    p = expit(z[:, 0])
    regression = IsotonicRegression(out_of_bounds="clip").fit(p, y, w)
    layer = fit_calibration(y, p[:, None], "isotonic", sample_weight=w)
    elsewhere = np.linspace(0, 1, 333, dtype="f4")
    assert np.asarray(layer(elsewhere[:, None]))[:, 0] == pytest.approx(
        regression.predict(elsewhere), abs=1e-4
    )


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_several_classes_are_fitted_one_against_the_rest_as_in_sklearn(method):
    y, _, z = several()
    log_p = log_softmax(z.astype(float), axis=1)
    odds = log_p - np.log1p(-np.exp(log_p))
    inputs = odds if method == "platt" else np.exp(log_p)
    expected = by_scikit_learn(y, inputs, "sigmoid" if method == "platt" else method)
    assert applied(y, z, method) == pytest.approx(expected, abs=1e-3)


def test_vector_scaling_of_two_sides_is_logistic_regression():
    y, w, z = binary()
    expected = LogisticRegression(C=1e6, tol=1e-8).fit(z, y, w).predict_proba(z)[:, 1]
    ours = applied(y, z, "vector", sample_weight=w)[:, 0]
    assert ours == pytest.approx(expected, abs=0.01)


def test_vector_scaling_finds_the_scale_and_bias_of_each_class():
    y, _, z = several(n=20_000, k=3)
    off = z * np.array([1.0, 2.0, 0.5], "f4") + np.array([0.0, 1.0, -1.0], "f4")
    layer = fit_calibration(y, off, "vector", from_logits=True)
    assert layer.scale == pytest.approx([1 / 3, 1 / 6, 2 / 3], rel=0.05)
    assert np.asarray(layer(off)) == pytest.approx(softmax(z / 3, axis=1), abs=0.03)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [binary, several])
def test_every_method_lowers_the_error_by_half_on_other_rows(make, method):
    y, _, z = make(n=4000)
    fit, rest = slice(0, 2000), slice(2000, None)
    layer = fit_calibration(y[fit], z[fit], method, from_logits=True)
    before = np.asarray(layer.probabilities(z[rest]))
    after = np.asarray(layer(z[rest]))
    error = expected_calibration_error(y[rest], after)
    assert error < 0.5 * expected_calibration_error(y[rest], before)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [binary, several])
def test_probabilities_and_their_logits_are_calibrated_alike(make, method):
    y, _, z = make()
    if method == "vector":  # sees what all logits of a row have in common, which is lost in p
        z = z - logsumexp(z, axis=1, keepdims=True) if z.shape[1] > 1 else z
    p = softmax(z, axis=1) if z.shape[1] > 1 else expit(z)
    layer = fit_calibration(y, p, method)
    assert np.asarray(layer(p)) == pytest.approx(applied(y, z, method), abs=2e-3)


@pytest.mark.parametrize("method", [*METHODS, None])
def test_exclusive_classes_sum_to_1(method):
    y, _, z = several(n=100)
    p = applied(y, z, method)
    assert p.sum(axis=1) == pytest.approx(np.ones(100), abs=1e-5)
    assert p.min() >= 0


def test_without_a_method_probabilities_stay_as_they_are():
    y, _, z = several(n=100)
    assert applied(y, z, None) == pytest.approx(softmax(z, axis=1), abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_each_label_is_calibrated_by_itself(method):
    parts = [binary(seed=seed) for seed in range(3)]
    y, z = (np.column_stack([part[i] for part in parts]) for i in (0, 2))
    together = applied(y, z, method, multi_label=True)
    for k, (labels, _, column) in enumerate(parts):
        alone = applied(labels, column, method)
        assert together[:, k] == pytest.approx(alone[:, 0], abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_label_or_class_without_a_row_stays_finite(method):
    y, _, z = several(n=300)
    nobody = np.zeros((300, 1), int)
    labels = np.hstack([(y == 0)[:, None], nobody])
    p = applied(labels, z[:, :2], method, multi_label=True)
    assert np.isfinite(p).all()
    if method != "vector":  # which has a prior for that
        assert p[:, 1] == pytest.approx(expit(z[:, 1]), abs=1e-5)
    p = applied(np.where(y == 3, 0, y), z, method)
    assert np.isfinite(p).all()


@pytest.mark.parametrize("method", METHODS)
def test_separable_classes_give_finite_scales(method):
    z = np.linspace(-3, 3, 20, dtype="f4")[:, None]
    p = applied((z[:, 0] > 0).astype(int), z, method)
    assert np.isfinite(p).all()
    assert ((p[:, 0] > 0.5) == (z[:, 0] > 0)).all()


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_extreme_outputs_stay_finite(method, from_logits):
    y, _, z = several(n=200)
    layer = fit_calibration(
        y, softmax(z, axis=1) if not from_logits else z, method, from_logits=from_logits
    )
    extreme = np.array([[1e4, -1e4, 0, 0], [0, 0, 0, 0]], "f4")
    outputs = extreme if from_logits else np.array([[1, 0, 0, 0], [0.25] * 4], "f4")
    p = np.asarray(layer(outputs))
    assert np.isfinite(p).all()
    assert p.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_is_restored_from_its_configuration(method):
    y, _, z = several(n=200)
    layer = fit_calibration(y, z, method, from_logits=True)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is type(layer)
    assert np.asarray(again(z)).tolist() == np.asarray(layer(z)).tolist()


def test_layers_compute_in_single_precision_under_any_policy():
    before = keras.mixed_precision.global_policy().name if hasattr(keras, "mixed_precision") else ""
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        layer = TemperatureScaling(1.0, exclusive=False)
        assert layer(np.array([[1e-6]], "float16")).dtype == "float32"
    finally:
        keras.mixed_precision.set_global_policy(before or "float32")


@pytest.mark.parametrize(
    ("y", "outputs", "arguments", "message"),
    [
        ([0, 1], [[0.1], [np.nan]], {}, "`outputs` must be finite, got 1 NaN"),
        ([1, 1], [[0.1], [0.2]], {}, "`y_true` must hold more than one class"),
        ([0, 2], [[0.1], [0.2]], {}, "`y_true` must hold classes from 0 to 1, got 2"),
        ([0, 1], [[[0.1]], [[0.2]]], {}, r"`outputs` must have shape .* got \(2, 1, 1\)"),
        ([0, 1], [[0.1, 0.2, 0.7]] * 2, {"from_logits": True}, "`from_logits` is true, but all"),
        ([0, 1], [[0.1], [1.2]], {}, r"`outputs` must lie in \[0, 1\] unless `from_logits=True`"),
        ([0, 1], [[0.1, 0.2, 0.2]] * 2, {}, r"must lie in \[0, 1\] and sum to 1 in each row"),
        (
            [0, 1],
            [[0.1], [0.2]],
            {"method": "beta"},
            "`method` must be one of 'auto', 'best', 'temperature'",
        ),
    ],
)
def test_bad_input_is_rejected(y, outputs, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_calibration(y, outputs, **arguments)


def test_single_logits_that_all_lie_between_0_and_1_get_a_warning():
    with pytest.warns(UserWarning, match=r"`from_logits` is true, and all outputs lie in \[0, 1\]"):
        layer = fit_calibration([0, 1, 0, 1], [[0.1], [0.9], [0.2], [0.8]], from_logits=True)
    assert 0 < float(np.asarray(layer(np.array([[0.5]])))[0, 0]) < 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TemperatureScaling(0.0, exclusive=True), "`temperature` must be above 0"),
        (lambda: IsotonicCalibration([[0, 1]], [[0]], exclusive=True), "`x` and `y` must hold"),
        (lambda: Decision([0.0, 1.0, 1.0]), "`thresholds` of exclusive classes must be above 0"),
    ],
)
def test_layers_reject_arguments_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("method", [*METHODS, "auto", None])
@pytest.mark.parametrize("from_logits", [False, True])
def test_scores_of_one_dimension_are_calibrated_as_one_column(method, from_logits):
    rng = np.random.default_rng(0)
    z = rng.normal(size=200).astype("float32")
    y = rng.random(200) < expit(2 * z)
    outputs = z if from_logits else expit(z)
    found = fit_calibration(y, outputs, method, from_logits=from_logits)
    column = fit_calibration(y, outputs[:, None], method, from_logits=from_logits)
    assert found.get_config() == {**column.get_config(), "name": found.name}
    assert found(outputs).numpy() == pytest.approx(column(outputs[:, None]).numpy()[:, 0])


def test_scores_of_one_dimension_are_no_labels_of_a_multi_label_problem():
    with pytest.raises(ValueError, match=r"`outputs` must have shape \(n, k\)"):
        fit_calibration([[0], [1]], [0.2, 0.8], multi_label=True)
