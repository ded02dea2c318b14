"""MixUp and CutMix for `tf.data` sets, by the layers of Keras 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kt_extras.arguments import check_integer
from kt_extras.imbalance.checks import check_methods, checked_range
from kt_extras.imbalance.choices import choose
from kt_extras.imbalance.datasets import assert_all
from kt_extras.running_tuner import check_fit_is_overridden

_LAYERS = {"mixup": "MixUp", "cutmix": "CutMix"}

#: What `mixed` takes for `method`.
METHODS = ("none", *_LAYERS)


def mixed(
    dataset: tf.data.Dataset,
    method: str,
    *,
    num_classes: int | None = None,
    alpha: float = 0.2,
    seed: int = 0,
) -> tf.data.Dataset:
    """Return training data in which each row is mixed with another of its batch, labels alike.

    The fraction lambda of a row is drawn from Beta(alpha, alpha).  MixUp takes lambda times one row
    plus 1 - lambda times the other; CutMix pastes a rectangle with 1 - lambda of the area.  The
    labels become fractions, for losses that take them: categorical or binary cross-entropy.  To the
    metrics of `kt_extras.metrics` such a row is of the class of which it has most.

    Args:
        dataset: Batched, of ``(x, y)``.  For CutMix `x` has shape ``(n, height, width, channels)``,
            for MixUp any.
        method: One of `METHODS`.
        num_classes: Number of classes c of integer labels, which become one-hot.  Labels of shape
            ``(n, c)``, also ``(n, 1)`` with zeros and ones, need none. Defaults to `None`.
        alpha: Above 0; at most 1 for CutMix, as Keras has it.  Near 0 most rows stay nearly whole.
            Defaults to `0.2`.
        seed: Of the generator. Defaults to `0`.

    Returns:
        A data set of ``(x, y)`` in float32; the same object if `method` is "none".

    Raises:
        ValueError: Elements that aren't pairs of batches, or an argument out of its range.
        NotImplementedError: Keras 2, which has no such layers.

    Source: Zhang et al. 2018 (1710.09412); Yun et al. 2019 (1905.04899).

    >>> data = tf.data.Dataset.from_tensor_slices((tf.zeros([4, 2]), [[0], [1], [0], [1]])).batch(4)
    >>> mixed(data, "none") is data
    True
    """
    layer = _layer(method, alpha, seed)
    if layer is None:
        return dataset
    spec = getattr(dataset, "element_spec", None)
    if not (isinstance(spec, tuple) and len(spec) == 2):
        raise ValueError(
            f"`dataset` must be a `tf.data.Dataset` of (x, y), got {spec!r}; weigh the rows "
            "after mixing, by `with_weights`."
        )
    _check_batches(spec, method, num_classes)

    def mix(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y = _fractions(y, num_classes)
        # Keras mixes images; to MixUp, rows of another shape are images of one pixel.
        images = x if method == "cutmix" else tf.reshape(x, [tf.shape(x)[0], 1, 1, -1])
        found = layer({"images": images, "labels": y}, training=True)
        inputs = tf.reshape(found["images"], tf.shape(x))
        return tf.ensure_shape(inputs, x.shape), tf.ensure_shape(found["labels"], y.shape)

    return dataset.map(mix)


class Mixer:
    """Mixes training data as the hyperparameters say.

    It declares `mixing`, the method, and `mixing_alpha` in the scope of those that mix.

    Args:
        hp: KerasTuner's hyperparameters.
        methods: What to choose from, of `METHODS`; the first is the default.  A single
            one is fixed. Defaults to `METHODS`.
        alpha: Range of alpha, above 0, or one number. Defaults to `(0.1, 1.0)`.
        num_classes: Number of classes of integer labels. Defaults to `None`.
        seed: Of the generator, the same in all trials. Defaults to `0`.
        prefix: Put before the name of each hyperparameter. Defaults to `""`.

    Attributes:
        method: The method chosen.
        alpha: The alpha chosen, None without mixing.

    Raises:
        ValueError: An argument out of its range; or a tuner makes it in the `build` of a model that
            is then trained without it.
        NotImplementedError: Keras 2, which has no such layers.

    >>> import keras_tuner
    >>> Mixer(keras_tuner.HyperParameters(), methods=["none"]).method
    'none'
    """

    def __init__(
        self,
        hp: Any,
        *,
        methods: Sequence[str] = METHODS,
        alpha: float | tuple[float, float] = (0.1, 1.0),
        num_classes: int | None = None,
        seed: int = 0,
        prefix: str = "",
    ) -> None:
        low, high = checked_range("alpha", alpha)
        check_methods(methods, METHODS)
        check_integer("seed", seed, minimum=0)
        if num_classes is not None:
            check_integer("num_classes", num_classes, minimum=2)
        for method in methods:
            _layer(method, low, seed)
            _layer(method, high, seed)
        if set(methods) - {"none"}:
            check_fit_is_overridden(
                "kte.imbalance.Mixer(hp)",
                "model.fit(kte.imbalance.Mixer(hp).apply(dataset), ...)",
            )
        self.num_classes, self.seed = num_classes, seed
        name = f"{prefix}mixing"
        self.method = choose(hp, name, methods) or "none"
        self.alpha: float | None = None
        if mixing := [method for method in methods if method != "none"]:
            with hp.conditional_scope(name, mixing):
                self.alpha = high if low == high else hp.Float(f"{name}_alpha", low, high)

    def apply(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return the training data mixed, as `mixed` does.

        Raises:
            ValueError: Elements that aren't pairs of batches.
        """
        return mixed(
            dataset,
            self.method,
            num_classes=self.num_classes,
            alpha=0.2 if self.alpha is None else self.alpha,
            seed=self.seed,
        )


def _layer(method: str, alpha: float, seed: int) -> Any:
    """Return the layer that mixes, or None if none is wanted."""
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}, got {method!r}.")
    if not (0 < alpha <= 1 or (0 < alpha < float("inf") and method != "cutmix")):
        raise ValueError(
            f"`alpha` must be above 0, and at most 1 for 'cutmix', got {alpha!r}; 0.2 is usual "
            "for MixUp, 1 for CutMix."
        )
    if method == "none":
        return None
    if not hasattr(keras.layers, _LAYERS[method]):
        raise NotImplementedError(
            f"`method` {method!r} needs the layer `keras.layers.{_LAYERS[method]}`, which Keras 3 "
            f"has and Keras {keras.__version__} has not; use 'none', or a newer Keras."
        )
    # CutMix draws alpha from a range, here of no width.
    numbers = {"alpha": alpha} if method == "mixup" else {"factor": (alpha, alpha)}
    return getattr(keras.layers, _LAYERS[method])(**numbers, seed=seed, dtype="float32")


def _check_batches(spec: tuple[Any, Any], method: str, num_classes: int | None) -> None:
    """Raise unless the elements of the data set can be mixed by the method."""
    x, y = spec
    if not (isinstance(x, tf.TensorSpec) and isinstance(y, tf.TensorSpec)):
        raise ValueError(f"`dataset` must have one tensor of inputs and one of labels, got {spec}.")
    if method == "cutmix" and x.shape.rank != 4:
        raise ValueError(
            "`dataset` must give images of shape (n, height, width, channels) for 'cutmix', got "
            f"{x.shape}; 'mixup' takes any shape."
        )
    if x.shape.rank in (None, 0) or y.shape.rank not in (1, 2):
        raise ValueError(
            "`dataset` must give batches with labels of shape (n,), (n, 1) or (n, c), got "
            f"{x.shape} and {y.shape}; call `batch()` first."
        )
    if y.shape.rank == 1 and num_classes is None:
        raise ValueError(
            "`num_classes` must be given for integer labels, since mixed labels are fractions of "
            "classes; for two classes and one output, give them the shape (n, 1)."
        )


def _fractions(y: tf.Tensor, num_classes: int | None) -> tf.Tensor:
    """Return labels as fractions of classes, shape ``(n, c)``."""
    column = y.shape.rank == 1 or y.shape[1] == 1
    if num_classes is not None and column:
        labels = tf.cast(tf.reshape(y, [-1]), tf.int32)
        inside = (labels >= 0) & (labels < num_classes)
        rule = (
            f"`dataset` must hold classes from 0 to {num_classes - 1}, as `num_classes` says; got"
        )
        with tf.control_dependencies([assert_all(inside, [rule, labels])]):
            return tf.one_hot(labels, num_classes)
    fraction = tf.cast(y, tf.float32)
    rule = "`dataset` must hold labels from 0 to 1 unless `num_classes` is given; got"
    inside = (fraction >= 0) & (fraction <= 1) if column else tf.constant(True)
    with tf.control_dependencies([assert_all(inside, [rule, fraction])]):
        return tf.identity(fraction)
