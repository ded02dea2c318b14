"""Models whose outputs are averaged, as one Keras model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from kt_extras import compat
from kt_extras.class_arguments import numbers
from kt_extras.compat import require_tensorflow


@keras.saving.register_keras_serializable(package="kt_extras")
class ModelAverage(keras.layers.Layer):
    """A layer that puts out the weighted mean of the outputs of models.

    The models are part of it: saved, loaded and trained with the model that it is in.

    Args:
        members: Models with the same inputs and outputs of one shape, at least one.
        weights_of_members: One number for each, at least 0 and not all 0; they are scaled to the
            sum 1. Defaults to `None`, equal ones.
        names_of_members: What they are called, such as trials. Defaults to `None`, their numbers.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: No model, or other weights.

    >>> members = [
    ...     keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(scale)])
    ...     for scale in (1.0, 4.0)]
    >>> ModelAverage(members, [2, 1])(np.array([[3.0]], "float32")).numpy().tolist()
    [[6.0]]
    """

    def __init__(
        self,
        members: Sequence[keras.Model],
        weights_of_members: ArrayLike | None = None,
        names_of_members: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        require_tensorflow(type(self).__name__)
        super().__init__(**kwargs)
        self.members = list(members)
        if not self.members or not all(isinstance(one, keras.Model) for one in self.members):
            raise ValueError(
                f"`members` must be models of Keras, at least one, got {list(members)}."
            )
        given = np.ones(len(self.members)) if weights_of_members is None else weights_of_members
        self.weights_of_members = _shares(given, len(self.members))
        names = range(len(self.members)) if names_of_members is None else names_of_members
        self.names_of_members = [str(name) for name in names]

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the mean, in the shape and type of what the first model puts out."""
        total: Any = None
        for member, share in zip(self.members, self.weights_of_members, strict=True):
            output = member(inputs, training=training)
            part = output * tf.cast(share, output.dtype)
            total = part if total is None else total + part
        return total

    @property
    def metrics(self) -> list[Any]:
        """None: those that the models were compiled with are not measured here."""
        return []

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the first model's output."""
        return self.members[0].compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments; the models without what they were compiled with."""
        return {
            **super().get_config(),
            "members": [_uncompiled(member) for member in self.members],
            "weights_of_members": list(self.weights_of_members),
            "names_of_members": list(self.names_of_members),
        }

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> ModelAverage:
        """Return a layer with new models of these configurations."""
        members = [
            keras.saving.deserialize_keras_object(member, custom_objects=custom_objects)
            for member in config["members"]
        ]
        return cls(**{**config, "members": members})


def average_models(
    models: Sequence[keras.Model],
    weights: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
    x: Any = None,
) -> keras.Model:
    """Return one model that puts out the weighted mean of what several put out.

    It is compiled with loss and metrics of the first, predicts, saves to one file (to load that,
    import `keras` and then `kt_extras`), and is calibrated by `kte.calibration.calibrate`.
    Classifiers with probabilities as outputs are mixed; of logits the mean is taken.

    Args:
        models: With the same inputs and one output of the same shape.  They become parts of the
            new model and share their weights with it; to be saved, their classes must have
            `get_config`.
        weights: One number for each model, at least 0; those with 0 are left out. Defaults to
            `None`, equal ones.
        names: What the models are called, such as trials; `get_layer("average").names_of_members`
            has those that are used. Defaults to `None`, their numbers.
        x: Some inputs, arrays of shape ``(n, ...)`` in the models' structure; only needed for
            subclassed models. Defaults to `None`.

    Raises:
        ValueError: No model; other weights; several outputs; outputs of different shapes.

    >>> members = [
    ...     keras.Sequential([keras.Input((1,)), keras.layers.Rescaling(scale)])
    ...     for scale in (1.0, 4.0)]
    >>> float(average_models(members).predict(np.array([[2.0]]), verbose=0)[0, 0])
    5.0
    """
    models = list(models)
    if not models:
        raise ValueError("`models` must hold at least one model, got none.")
    given = np.ones(len(models)) if weights is None else weights
    shares = _shares(given, len(models))
    used = [place for place, share in enumerate(shares) if share > 0]
    kept = [models[place] for place in used]
    called = list(range(len(models)) if names is None else names)
    inputs = _inputs(kept[0], x)
    shapes = [_output_shape(model, inputs) for model in kept]
    if len(set(shapes)) > 1:
        raise ValueError(
            f"`models` must have outputs of one shape, got {sorted(set(shapes), key=str)}."
        )
    layer = ModelAverage(
        kept,
        [shares[place] for place in used],
        [str(called[place]) for place in used],
        name="average",
    )
    average = keras.Model(inputs, layer(inputs), name="ensemble")
    compiled = compat.compile_arguments(kept[0])
    if compiled.get("loss") is not None:
        measured = ("loss", "metrics", "weighted_metrics")
        # Of all optimizers this one has no state, which a file would lack.
        average.compile("sgd", **{name: compiled[name] for name in measured if compiled.get(name)})
    return average


def _shares(weights: ArrayLike, count: int) -> list[float]:
    """Return weights with the sum 1."""
    found = numbers("weights", weights)
    if found.shape != (count,) or not (np.isfinite(found) & (found >= 0)).all() or not found.any():
        raise ValueError(
            f"`weights` must be {count} numbers, at least 0 and not all 0, got {weights!r}."
        )
    shares: list[float] = (found / found.sum()).tolist()
    return shares


def _inputs(model: keras.Model, x: Any) -> Any:
    """Return new symbolic inputs in the structure that a model takes."""
    if x is not None and not getattr(model, "inputs", None):
        return tf.nest.map_structure(_like, x)
    specs = compat.input_specs(model)
    if specs is None:
        raise ValueError(
            f"The inputs of the model {model.name!r} are not known; pass some as `x`, arrays in "
            "the structure that it takes."
        )
    return tf.nest.map_structure(
        lambda spec: keras.Input(tuple(spec.shape)[1:], dtype=tf.as_dtype(spec.dtype).name), specs
    )


def _like(array: Any) -> Any:
    given = np.asarray(array)
    return keras.Input(given.shape[1:], dtype=given.dtype.name)


def _output_shape(model: keras.Model, inputs: Any) -> tuple[int | None, ...]:
    output = model(inputs)
    if isinstance(output, (dict, list, tuple)):
        raise ValueError(
            f"`models` must have one output each, got {len(output)} of {model.name!r}; make "
            "`keras.Model`s of the one that you mean."
        )
    return tuple(output.shape)


def _uncompiled(model: keras.Model) -> Any:
    """Return the configuration of a model without losses and metrics, which may not be known."""
    config = dict(keras.saving.serialize_keras_object(model))
    config.pop("compile_config", None)
    return config
