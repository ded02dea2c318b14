"""A trained model, its calibration and its thresholds in one Keras model."""

from __future__ import annotations

from typing import Any, Union, cast

import keras
import numpy as np
from numpy.typing import ArrayLike

from kt_extras.arguments import check_integer
from kt_extras.calibration.criteria import Criterion, CriterionLike, criterion_of
from kt_extras.calibration.fitting import Method, fit_calibration
from kt_extras.calibration.layers import Decision
from kt_extras.calibration.predictions import ForwardPass, predictions
from kt_extras.calibration.thresholds import fit_thresholds
from kt_extras.class_arguments import numbers

ThresholdLike = Union[str, float, ArrayLike, Criterion, None]  # noqa: UP007 - Python 3.10


def calibrate(
    model: keras.Model,
    x_cal: Any,
    y_cal: ArrayLike | None = None,
    *,
    method: Method | None = "auto",
    threshold: ThresholdLike = None,
    from_logits: bool = False,
    multi_label: bool = False,
    sample_weight: ArrayLike | None = None,
    batch_size: int = 256,
) -> keras.Model:
    """Return a model that predicts calibrated probabilities and decisions.

    It has the inputs and layers of the given one and two layers more, and saves to one file; to
    load that file, import `keras` and then `kt_extras`.  Its predictions are a dictionary:

    - ``"probabilities"``: as the given model's outputs, calibrated;
    - ``"decision"``: numbers of classes, shape ``(n,)``; or 0 and 1, shape ``(n, k)``, if
      multi-label.

    Args:
        model: A trained model with one output of shape ``(n, k)``.  It is left as it is.
        x_cal: Inputs that it was not trained on; or a data set of batches ``(x, y)`` or
            ``(x, y, sample_weight)``, and then `y_cal` and `sample_weight` are left out.
        y_cal: Numbers of classes from 0, shape ``(n,)`` or ``(n, 1)``; or one-hot rows, shape
            ``(n, k)``; if multi-label, 0 or 1 for every label, shape ``(n, k)``. Defaults to
            `None`.
        method: `"auto"`, `"best"`, `"temperature"`, `"vector"`, `"platt"` or `"isotonic"`, as in
            `fit_calibration`; None leaves the probabilities as they are. Defaults to `"auto"`.
        threshold: A metric or criterion for which `fit_thresholds` finds the thresholds on the same
            rows; or the thresholds themselves, a number or one for each class; None decides for
            the likelier class. Defaults to `None`.
        from_logits: Whether the model puts out logits. Defaults to `False`.
        multi_label: Whether the columns are labels that do not exclude each other. Defaults to
            `False`.
        sample_weight: Shape ``(n,)``, at least 0; how many rows each row counts for, so they should
            not be scaled to a sum of 1. Defaults to `None`.
        batch_size: Rows predicted at a time. Defaults to `256`.

    Raises:
        ValueError: Several outputs, NaN, one class only, labels out of range, probabilities where
            logits are wanted or the reverse, an unknown method or metric.

    >>> x = np.linspace(-1, 1, 200).reshape(-1, 1).astype("float32")
    >>> y = (x > np.cos(40 * x)).astype(int)
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
    >>> sure = calibrate(model, x, y, threshold="f1")
    >>> {name: values.shape for name, values in sure.predict(x, verbose=0).items()}
    {'probabilities': (200, 1), 'decision': (200,)}
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a trained model of Keras, got {model!r}.")
    check_integer("batch_size", batch_size, minimum=1)
    if y_cal is None and (hasattr(x_cal, "shape") or isinstance(x_cal, (dict, list, tuple))):
        raise TypeError(
            "`y_cal` may be left out only if `x_cal` is a data set of batches `(x, y)`, got "
            f"{type(x_cal).__name__}; pass the labels as `y_cal`."
        )
    data = x_cal if y_cal is None else (x_cal, y_cal, sample_weight)
    labels, outputs, weights = predictions(ForwardPass(model), data, batch_size=batch_size)
    layer = fit_calibration(
        labels,
        outputs,
        method,
        from_logits=from_logits,
        sample_weight=weights,
        multi_label=multi_label,
    )
    calibrated = np.asarray(layer(outputs))
    if isinstance(threshold, (str, keras.metrics.Metric)) or hasattr(threshold, "preferences"):
        metric = criterion_of(cast("CriterionLike", threshold), name="threshold")
        threshold = fit_thresholds(
            labels, calibrated, metric, sample_weight=weights, multi_label=multi_label
        ).values
    decision = Decision(
        _fitted_threshold(threshold, calibrated.shape[1], multi_label), exclusive=not multi_label
    )
    layer, decision = _named(layer, "probabilities", model), _named(decision, "decision", model)
    inputs, raw = _ends(model, None if y_cal is None else x_cal)
    probabilities = layer(raw)
    return keras.Model(
        inputs, {"probabilities": probabilities, "decision": decision(probabilities)}
    )


def _fitted_threshold(threshold: Any, n_columns: int, multi_label: bool) -> Any:
    """Return one threshold for a binary problem, else one for each column."""
    binary = n_columns <= 2 and not multi_label
    neutral = 0.5 if binary or multi_label else 1 / n_columns
    found = numbers("threshold", neutral if threshold is None else threshold)
    if found.ndim == 0 and not binary and (threshold is None or multi_label):
        found = np.full(n_columns, found)
    if found.shape != (() if binary else (n_columns,)) or not ((found >= 0) & (found <= 1)).all():
        wanted = "one number" if binary else f"{n_columns} numbers, one a class,"
        raise ValueError(
            f"`threshold` must be a metric or {wanted} in [0, 1] here, got {threshold!r}."
        )
    return found


def _named(layer: keras.layers.Layer, name: str, model: keras.Model) -> keras.layers.Layer:
    """Return a layer by the name that its output has in a SavedModel of Keras 2, if it is free."""
    if any(other.name == name for other in model.layers):
        return layer
    return type(layer).from_config({**layer.get_config(), "name": name})


def _ends(model: keras.Model, x: Any) -> tuple[Any, Any]:
    """Return the symbolic inputs and output of a model, or of a call of a subclassed one."""
    if isinstance(model, keras.Sequential) and model.outputs:
        return model.inputs[0], model.outputs[0]
    try:
        return model.input, model.output
    except (AttributeError, ValueError):  # which has none of its own
        if x is None:
            raise ValueError(
                "`x_cal` must be arrays for a subclassed model, whose inputs are known only from "
                "data; pass `x_cal` and `y_cal`."
            ) from None
    inputs = _inputs_like(x)
    return inputs, model(inputs)


def _inputs_like(x: Any, name: str | None = None) -> Any:
    if isinstance(x, dict):
        return {key: _inputs_like(part, key) for key, part in x.items()}
    if isinstance(x, (list, tuple)):
        return [_inputs_like(part) for part in x]
    array = np.asarray(x)
    return keras.Input(array.shape[1:], dtype=array.dtype.name, name=name)
