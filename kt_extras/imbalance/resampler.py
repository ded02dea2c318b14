"""Resampling as a part of the search space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kt_extras.arguments import check_integer
from kt_extras.arrays import Array
from kt_extras.imbalance.checks import check_methods, checked_array, checked_range
from kt_extras.imbalance.choices import choose
from kt_extras.imbalance.labels import class_counts
from kt_extras.imbalance.resampling import (
    METHODS,
    READS_INPUTS,
    WITH_NEIGHBORS,
    WITH_RATIO,
    check_arguments,
    check_finite,
    check_installed,
    resample,
)
from kt_extras.running_tuner import check_fit_is_overridden


class Resampler:
    """Resamples training data as the hyperparameters say.

    It declares `resampling`, the method, and in the scope of the methods that have them
    `resampling_ratio` and `resampling_k_neighbors`; `resample` says what they are.  It is made
    where the data are known, in `HyperModel.fit`; made in `HyperModel.declare_hyperparameters` as
    well, it is part of the space from the first trial on::

        class Fraud(keras_tuner.HyperModel):
            def declare_hyperparameters(self, hp):
                kte.imbalance.Resampler(hp)

            def build(self, hp): ...

            def fit(self, hp, model, *args, **kwargs):
                return kte.imbalance.Resampler(hp).fit(model, *args, **kwargs)

    Args:
        hp: KerasTuner's hyperparameters.
        methods: What to choose from, of `METHODS`; the first is the default.  A single
            one is fixed. Defaults to `METHODS`.
        ratio: Range of the ratio, in (0, 1], or one number. Defaults to `(0.2, 1.0)`.
        k_neighbors: Range of the number of neighbours, at least 1, or one number. Defaults to
            `(3, 10)`.
        seed: Of the generator, the same in all trials. Defaults to `0`.
        prefix: Put before the name of each hyperparameter. Defaults to `""`.

    Attributes:
        method: The method chosen.
        ratio: The ratio chosen, None if the method has none.
        k_neighbors: The number of neighbours chosen, None if the method has none.

    Raises:
        ModuleNotFoundError: One of `methods` needs imbalanced-learn, which is not installed.
        ValueError: An argument out of its range; or a tuner makes it in the `build` of a model that
            is then trained without it.

    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> hp.Fixed("resampling", "smote")
    'smote'
    >>> resampler = Resampler(hp, ratio=0.5)
    >>> x, y = np.arange(20.0).reshape(10, 2), np.array([0] * 8 + [1] * 2)
    >>> np.bincount(resampler.fit_resample(x, y)[1]).tolist()
    [8, 4]
    """

    def __init__(
        self,
        hp: Any,
        *,
        methods: Sequence[str] = METHODS,
        ratio: float | tuple[float, float] = (0.2, 1.0),
        k_neighbors: int | tuple[int, int] = (3, 10),
        seed: int = 0,
        prefix: str = "",
    ) -> None:
        ratios, neighbors = checked_range("ratio", ratio), checked_range("k_neighbors", k_neighbors)
        check_methods(methods, METHODS)
        check_integer("seed", seed, minimum=0)
        for method in methods:
            for value, count in zip(ratios, neighbors, strict=True):
                check_arguments(method, value, count)
        check_installed(methods)
        if set(methods) - {"none"}:
            check_fit_is_overridden(
                "kte.imbalance.Resampler(hp)",
                "kte.imbalance.Resampler(hp).fit(model, *args, **kwargs)",
            )
        self.methods, self.seed = tuple(methods), seed
        name = f"{prefix}resampling"
        self.method = choose(hp, name, methods) or "none"
        self.ratio: float | None = None
        self.k_neighbors: int | None = None
        if with_ratio := [method for method in methods if method in WITH_RATIO]:
            with hp.conditional_scope(name, with_ratio):
                self.ratio = _number(hp.Float, f"{name}_ratio", ratios)
        if with_neighbors := [method for method in methods if method in WITH_NEIGHBORS]:
            with hp.conditional_scope(name, with_neighbors):
                self.k_neighbors = _number(hp.Int, f"{name}_k_neighbors", neighbors)

    def fit_resample(self, x: Any, y: Any) -> tuple[Array, Array]:
        """Return the training data resampled.

        Args:
            x: Shape ``(n, ...)``.
            y: Integer or one-hot labels of shape ``(n,)``, ``(n, 1)`` or ``(n, c)``.

        Returns:
            The rows of `x` and of `y` in the shapes and types that they had.

        Raises:
            ValueError: As in `resample`. Inputs with NaN raise with every method if one of
                `methods` cannot resample them.
        """
        if set(self.methods) & set(READS_INPUTS):
            check_finite(checked_array(x, y))
        return resample(
            x,
            y,
            self.method,
            ratio=1.0 if self.ratio is None else self.ratio,
            k_neighbors=5 if self.k_neighbors is None else self.k_neighbors,
            seed=self.seed,
        )

    def fit(
        self,
        model: Any,
        x: Any,
        y: Any,
        *,
        validation_split: float = 0.0,
        validation_data: Any = None,
        **arguments: Any,
    ) -> Any:
        """Fit the model to the resampled data, and validate it on data as they come.

        Args:
            model: A compiled Keras model.
            x: Training inputs, as in `fit_resample`.
            y: Training labels.
            validation_split: In [0, 1): the fraction of rows, at the end, that is put aside for
                validation before the rest is resampled, as Keras does without resampling.
                Defaults to `0.0`.
            validation_data: Validation data, which are not resampled; `validation_split` is not
                used then. Defaults to `None`.
            **arguments: Other arguments of Keras' `fit`.

        Returns:
            What Keras' `fit` returns.

        Raises:
            ValueError: As in `fit_resample`; also if there are sample weights, which made rows have
                none of, or if `validation_split` takes all rows of a class.
        """
        if arguments.get("sample_weight") is not None:
            raise ValueError(
                "`sample_weight` can't be given here, since rows that resampling makes have "
                "none; weigh the classes by `class_weight`, or don't resample."
            )
        if validation_split and validation_data is None:
            x, y, validation_data = _split(checked_array(x, y), np.asarray(y), validation_split)
        x, y = self.fit_resample(x, y)
        return model.fit(x, y, validation_data=validation_data, **arguments)


def _number(declare: Any, name: str, ends: tuple[float, float]) -> Any:
    """Declare a number unless it is fixed; by default it is the high end or at most 5."""
    low, high = ends
    if low == high:
        return low
    return declare(name, low, high, default=high if high <= 1 else min(max(low, 5), high))


def check_split(y: Any, fraction: float) -> None:
    """Raise if the rows that Keras puts aside for validation have all rows of a class.

    Args:
        y: Integer or one-hot labels; others are not looked at.
        fraction: Keras' argument `validation_split`.

    Raises:
        ValueError: They have, as in labels that are sorted by class.

    >>> check_split([0, 1, 0, 1], 0.5)
    """
    counts = class_counts(y)
    end = math.floor(counts.rows * (1.0 - fraction))
    if counts.multi_label or not 0 < end < counts.rows:
        return
    kept = class_counts(y[:end], num_classes=len(counts.positives)).positives
    lost = np.flatnonzero((kept == 0) & (counts.positives > 0))
    if lost.size:
        raise ValueError(
            f"`validation_split` puts the last {counts.rows - end} rows aside, as Keras does, and "
            f"with them every row of class {lost[0]}, as where labels are sorted by class; shuffle "
            "the rows of `x` and `y` together before, or pass `validation_data`."
        )


def _split(x: Array, y: Array, fraction: float) -> tuple[Array, Array, tuple[Array, Array]]:
    """Put the last rows aside, as many as Keras does."""
    if not 0 < fraction < 1:
        raise ValueError(f"`validation_split` must be at least 0 and below 1, got {fraction!r}.")
    if x.ndim == 0 or len(x) != len(y):
        raise ValueError(
            f"`x` and `y` must have the same number of rows, got shapes {x.shape} and {y.shape}."
        )
    end = math.floor(len(x) * (1.0 - fraction))
    if not 0 < end < len(x):
        raise ValueError(
            f"`validation_split` must leave rows for both parts, got {fraction!r} for {len(x)} "
            "rows."
        )
    check_split(y, fraction)
    return x[:end], y[:end], (x[end:], y[end:])
