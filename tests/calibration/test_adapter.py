import importlib.util

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from kt_extras.calibration import TrainedClassifier, fit_calibration, fit_thresholds
from tests.calibration.test_calibrate import Y3, X, Y, ask, model

unworried = pytest.mark.filterwarnings("ignore:Since FrozenEstimator does not appear to accept")


def needs(package):
    return pytest.mark.skipif(
        importlib.util.find_spec(package) is None, reason=f"{package} is not installed"
    )


def test_a_model_predicts_as_a_classifier():
    classifier = TrainedClassifier(model(), classes=["no", "yes"])
    p = ask(model())[:, 0]
    assert classifier.predict_proba(X) == pytest.approx(np.column_stack([1 - p, p]), abs=1e-6)
    assert (classifier.predict(X) == np.where(p > 0.5, "yes", "no")).all()
    assert 1 / (1 + np.exp(-classifier.decision_function(X))) == pytest.approx(p, abs=1e-6)
    assert classifier.score(X, np.where(Y, "yes", "no")) == np.mean((p > 0.5) == Y)


@pytest.mark.parametrize("units", [1, 2, 3])
def test_logits_and_probabilities_give_the_same_predictions(units):
    activation = "sigmoid" if units == 1 else "softmax"
    linear = model.__wrapped__(units, activation)
    linear.layers[-1].activation = keras.activations.linear
    logits = TrainedClassifier(linear, from_logits=True)
    probabilities = TrainedClassifier(model(units, activation))
    p, q = logits.predict_proba(X), probabilities.predict_proba(X)
    assert p == pytest.approx(q, abs=1e-5)
    assert logits.decision_function(X).shape == ((300, 3) if units == 3 else (300,))


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_scikit_learn_calibrates_a_model(method):
    fitted = CalibratedClassifierCV(FrozenEstimator(TrainedClassifier(model())), method=method)
    p = fitted.fit(X, Y).predict_proba(X)[:, 1]
    ours = fit_calibration(Y, ask(model()), {"sigmoid": "platt"}.get(method, method))
    expected = np.asarray(ours(ask(model())))[:, 0]
    assert p == pytest.approx(expected, abs=0.02)


def test_scikit_learn_calibrates_a_model_of_several_classes():
    frozen = FrozenEstimator(TrainedClassifier(model(3, "softmax")))
    p = CalibratedClassifierCV(frozen, method="isotonic").fit(X, Y3).predict_proba(X)
    assert p.sum(axis=1) == pytest.approx(np.ones(300))


def test_scikit_learn_tunes_the_threshold_of_a_model():
    tuned = TunedThresholdClassifierCV(
        TrainedClassifier(model()),
        scoring=make_scorer(f1_score),
        cv="prefit",
        refit=False,
        thresholds=200,
    ).fit(X, Y)
    ours = fit_thresholds(Y, ask(model()), "f1")
    assert tuned.best_score_ <= ours.value + 1e-9
    assert tuned.best_score_ == pytest.approx(ours.value, abs=0.02)


def test_scikit_learn_fixes_a_threshold_and_draws_a_diagram():
    pytest.importorskip("matplotlib").use("Agg")
    classifier = TrainedClassifier(model())
    fixed = FixedThresholdClassifier(FrozenEstimator(classifier), threshold=0.9).fit(X, Y)
    assert (fixed.predict(X) == (classifier.predict_proba(X)[:, 1] >= 0.9)).all()
    display = CalibrationDisplay.from_estimator(classifier, X, Y)
    assert len(display.prob_true) > 1


@needs("mapie")
def test_mapie_makes_prediction_sets_of_a_model():
    from mapie.classification import SplitConformalClassifier

    sets = SplitConformalClassifier(
        TrainedClassifier(model(3, "softmax")), confidence_level=0.9, prefit=True
    )
    sets.conformalize(X[:200], Y3[:200])
    _, covered = sets.predict_set(X[200:])
    assert covered[np.arange(100), Y3[200:], 0].mean() > 0.8


@needs("venn_abers")
def test_venn_abers_calibrates_a_model():
    from venn_abers import VennAbersCalibrator

    frozen = FrozenEstimator(TrainedClassifier(model()))
    calibrator = VennAbersCalibrator(frozen, inductive=True, cal_size=0.5, random_state=0)
    calibrator.fit(X[:200], Y[:200])
    p = calibrator.predict_proba(X[200:])
    assert p.sum(axis=1) == pytest.approx(np.ones(100))


class Subclassed(keras.Model):
    def call(self, x):
        return tf.nn.softmax(x)


def test_a_subclassed_model_names_its_classes():
    assert TrainedClassifier(Subclassed()).predict(np.eye(3)).tolist() == [0, 1, 2]
    named = TrainedClassifier(Subclassed(), classes=["a", "b", "c"])
    assert named.classes_.tolist() == named.predict(np.eye(3)).tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="`classes` must be given for a subclassed model"):
        TrainedClassifier(Subclassed()).classes_  # noqa: B018


def test_the_model_is_not_trained_again():
    with pytest.raises(TypeError, match=r"already trained .* `sklearn\.frozen\.FrozenEstimator`"):
        TrainedClassifier(model()).fit(X, Y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrainedClassifier(model(), classes=["a"]), "`classes` must name the 2 classes"),
        (lambda: TrainedClassifier(model(1, None)), "`from_logits` must be true for a model whose"),
        (lambda: TrainedClassifier(model(2)), "labels that do not exclude each other are not"),
    ],
)
def test_bad_input_is_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make().predict(X)
