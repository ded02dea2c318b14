"""Preprocessing that is fitted to the training part of the data."""

from __future__ import annotations

from typing import Any

import numpy as np


class FittedPreprocessing:
    """A transformer that has seen training data, and nothing else.

    Args:
        transformer: Has `fit` and `transform`, as scikit-learn's, or `adapt` and `__call__`, as the
            preprocessing layers of Keras.
        x: The inputs of the training data.
        y: Their targets, which supervised transformers look at.  Defaults to None.

    Attributes:
        transformer: The fitted transformer.

    Raises:
        TypeError: It has neither of the two pairs of methods.

    >>> from sklearn.preprocessing import StandardScaler
    >>> fitted = FittedPreprocessing(StandardScaler(), np.array([[0.0], [2.0]]))
    >>> fitted(np.array([[1.0], [3.0]])).tolist()
    [[0.0], [2.0]]
    """

    def __init__(self, transformer: Any, x: Any, y: Any = None) -> None:
        self.transformer = transformer
        if callable(getattr(transformer, "adapt", None)):
            transformer.adapt(x)
        elif callable(getattr(transformer, "fit", None)) and hasattr(transformer, "transform"):
            transformer.fit(x, y)
        else:
            raise TypeError(
                "`preprocessing` must return an object with `fit` and `transform`, such as a "
                "transformer or a pipeline of scikit-learn, or a layer of Keras with `adapt`, got "
                f"{transformer!r}."
            )

    def __call__(self, x: Any) -> Any:
        """Return inputs transformed, as a dense array."""
        if hasattr(self.transformer, "transform"):
            found = self.transformer.transform(x)
        else:
            found = self.transformer(x)
        return np.asarray(found.toarray() if hasattr(found, "toarray") else found)
