"""A trained Keras model as a classifier of scikit-learn."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from kt_extras.arrays import FloatArray
from kt_extras.calibration.layers import CalibrationLayer
from kt_extras.calibration.sample import SUM_TOLERANCE


class TrainedClassifier(ClassifierMixin, BaseEstimator):
    """A trained Keras model for scikit-learn's tools, and those built on it, that need no training.

    For `CalibratedClassifierCV` and `FixedThresholdClassifier` wrap it in
    `sklearn.frozen.FrozenEstimator`; pass it to `TunedThresholdClassifierCV` with ``cv="prefit"``
    and ``refit=False``, to the conformal classifiers of mapie with ``prefit=True``.

    Args:
        model: With one output of shape ``(n, 1)`` or ``(n,)``, or ``(n, k)`` if there are k
            classes.
        classes: Names of the classes in the order of the outputs. Defaults to 0, 1, and so on.
        from_logits: Whether the model puts out logits. Defaults to `False`.
        batch_size: Rows predicted at a time. Defaults to `256`.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax")])
    >>> classifier = TrainedClassifier(model, classes=["a", "b", "c"])
    >>> classifier.predict_proba(np.zeros((4, 2))).shape
    (4, 3)
    >>> classifier.predict(np.zeros((1, 2))).tolist()
    ['a']
    """

    def __init__(
        self,
        model: keras.Model,
        classes: ArrayLike | None = None,
        *,
        from_logits: bool = False,
        batch_size: int = 256,
    ) -> None:
        self.model = model
        self.classes = classes
        self.from_logits = from_logits
        self.batch_size = batch_size

    def fit(self, X: Any, y: Any) -> TrainedClassifier:  # noqa: ARG002, N803 - scikit-learn's
        """Raise: the model is already trained."""
        raise TypeError(
            "`TrainedClassifier` holds a model that is already trained and is not trained again; "
            "wrap it in `sklearn.frozen.FrozenEstimator`, or pass `cv='prefit'` or `prefit=True`."
        )

    @property
    def classes_(self) -> NDArray[Any]:
        """Names of the classes, shape ``(k,)``."""
        try:
            shape = self.model.output_shape
            columns = 1 if len(shape) == 1 else int(shape[-1])
        except (AttributeError, RuntimeError):  # of a subclassed model
            if self.classes is None:
                raise ValueError(
                    "`classes` must be given for a subclassed model, whose outputs are not known "
                    "beforehand."
                ) from None
            columns = len(np.asarray(self.classes))
        return self._names(columns)

    def _names(self, columns: int) -> NDArray[Any]:
        n_classes = max(2, columns)
        if self.classes is None:
            return np.arange(n_classes)
        names = np.asarray(self.classes)
        if names.shape != (n_classes,):
            raise ValueError(
                f"`classes` must name the {n_classes} classes of the model's outputs, got {names}."
            )
        return names

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803 - scikit-learn's name
        """Return the names of the likeliest classes, shape ``(n,)``."""
        probabilities = self.predict_proba(X)
        return self._names(probabilities.shape[1])[probabilities.argmax(axis=1)]

    def predict_proba(self, X: Any) -> FloatArray:  # noqa: N803
        """Return the probabilities of the classes, shape ``(n, k)``; they sum to 1."""
        outputs = self._outputs(X)
        probabilities = np.asarray(self._layer(outputs).probabilities(outputs), dtype=np.float64)
        if outputs.shape[1] == 1:
            return np.hstack([1 - probabilities, probabilities])
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def decision_function(self, X: Any) -> FloatArray:  # noqa: N803
        """Return log-odds of the second of two classes, shape ``(n,)``; else logits."""
        outputs = self._outputs(X)
        logits = np.asarray(self._layer(outputs).logits(outputs), dtype=np.float64)
        return logits if logits.shape[1] > 2 else logits[:, -1] - logits[:, :-1].sum(axis=1)

    def _outputs(self, inputs: Any) -> NDArray[np.float32]:
        raw = self.model.predict(inputs, batch_size=self.batch_size, verbose=0)
        outputs = np.asarray(raw, dtype=np.float32)
        outputs = outputs[:, np.newaxis] if outputs.ndim == 1 else outputs
        if outputs.ndim != 2:
            raise ValueError(f"`model` must put out shape (n, k), got {outputs.shape}.")
        if not np.isfinite(outputs).all():
            raise ValueError("`model` must put out finite numbers, got NaN or infinite ones.")
        inside = outputs.min() >= 0 and outputs.max() <= 1
        sums = outputs.shape[1] == 1 or np.abs(outputs.sum(axis=1) - 1).max() < SUM_TOLERANCE
        if not self.from_logits and not (inside and sums):
            raise ValueError(
                "`from_logits` must be true for a model whose outputs are not probabilities, got "
                f"values from {outputs.min():g} to {outputs.max():g}; labels that do not exclude "
                "each other are not supported here."
            )
        return outputs

    def _layer(self, outputs: NDArray[np.float32]) -> CalibrationLayer:
        return CalibrationLayer(exclusive=outputs.shape[1] > 1, from_logits=self.from_logits)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_clone__(self) -> TrainedClassifier:
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
