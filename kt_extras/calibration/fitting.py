"""Fit calibration layers to the outputs of a model for rows that it was not trained on.

Temperature, vector and Platt scaling minimise the cross-entropy; isotonic regression is
scikit-learn's.  A column that all rows have, or none, is not fitted: it does not change, or in
vector scaling hardly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logsumexp, softmax
from sklearn.isotonic import IsotonicRegression

from kt_extras.arrays import FloatArray, IntArray
from kt_extras.calibration import layers
from kt_extras.calibration.halves import fair_halves
from kt_extras.calibration.outputs import probabilities_of
from kt_extras.calibration.sample import Kind, Sample, check_sample

Method = Literal["auto", "best", "temperature", "vector", "platt", "isotonic"]
Fitted = Callable[..., layers.CalibrationLayer]

_LOG_RANGE = (-7.0, 7.0)  # of the inverse temperature


def fit_calibration(
    y_true: ArrayLike,
    outputs: ArrayLike,
    method: Method | None = "auto",
    *,
    from_logits: bool = False,
    sample_weight: ArrayLike | None = None,
    multi_label: bool = False,
) -> layers.CalibrationLayer:
    """Return the layer that turns a model's outputs into calibrated probabilities.

    Args:
        y_true: Numbers of classes from 0, shape ``(n,)`` or ``(n, 1)``; or one-hot rows, shape
            ``(n, k)``; if multi-label, 0 or 1 for every label, shape ``(n, k)``.
        outputs: Shape ``(n, k)``, of a binary problem also ``(n,)``: what the model puts out for
            rows that it was not trained on.
        method: `"temperature"` (one number, hardest to overfit), `"vector"` (two for each class),
            `"platt"` (two for each class, one against the rest) or `"isotonic"` (any rising
            function; needs a thousand rows); None leaves the probabilities as they are.  `"auto"`
            corrects a shifted mean, as after class weights and resampling: vector scaling of
            classes that exclude each other, Platt's of anything else.  `"best"` is the one of all
            of these with the least cross-entropy on rows that it was not fitted to: each half of
            the rows judges what was fitted to the other. Defaults to `"auto"`.
        from_logits: Whether the outputs are logits instead of probabilities. Defaults to `False`.
        sample_weight: Shape ``(n,)``, at least 0; how many rows each row counts for, so they should
            not be scaled to a sum of 1. Defaults to `None`.
        multi_label: Whether the columns are labels that do not exclude each other. Defaults to
            `False`.

    Raises:
        ValueError: An unknown method, probabilities given as logits or the reverse, and what
            `check_sample` rejects.

    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(5000, 1))
    >>> y = rng.random((5000, 1)) < expit(logits)
    >>> layer = fit_calibration(y, 3 * logits, "temperature", from_logits=True)
    >>> 2.8 < layer.temperature[0] < 3.2  # it was three times too sure
    True
    """
    check_method(method)
    outputs = np.asarray(outputs)
    if outputs.ndim == 1 and not multi_label:
        outputs = outputs[:, None]
    probabilities = probabilities_of(outputs, from_logits=from_logits, multi_label=multi_label)
    exclusive = outputs.shape[1] > 1 and not multi_label
    columns = {"exclusive": exclusive, "from_logits": from_logits}
    start = layers.CalibrationLayer(**columns)
    sample = check_sample(y_true, probabilities, sample_weight, multi_label=multi_label)
    kept = np.ones(len(outputs)) if sample_weight is None else np.asarray(sample_weight).reshape(-1)
    found = _METHODS[method](start, outputs[kept > 0].astype(np.float32), sample)
    return found(**columns)


def check_method(method: str | None) -> None:
    """Raise for a method that is not known."""
    if method not in _METHODS:
        names = ", ".join(map(repr, _METHODS))
        raise ValueError(f"`method` must be one of {names}, got {method!r}.")


def _fit_temperature(start: layers.CalibrationLayer, outputs: Any, sample: Sample) -> Fitted:
    logits = np.asarray(start.logits(outputs), dtype=np.float64)
    if start.exclusive:
        temperature: Any = _temperature(logits, sample.labels, sample.weights)
    else:
        # Two classes with logits 0 and z are one with the log-odds z.
        pairs = [np.column_stack([np.zeros(len(z)), z]) for z in logits.T]
        labels = sample.labels.reshape(logits.shape).T
        temperature = [
            _temperature(pair, y, sample.weights) if 0 < y.sum() < len(y) else 1.0
            for pair, y in zip(pairs, labels, strict=True)
        ]
    return lambda **columns: layers.TemperatureScaling(temperature, **columns)


def _temperature(logits: FloatArray, labels: IntArray, weights: FloatArray) -> float:
    own = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]

    def cross_entropy(log_inverse: float) -> float:
        inverse = np.exp(log_inverse)
        return float(weights @ (logsumexp(inverse * logits, axis=1) - inverse * own))

    found = minimize_scalar(cross_entropy, bounds=_LOG_RANGE, options={"xatol": 1e-6})
    return float(np.exp(-found.x))


def _fit_vector(start: layers.CalibrationLayer, outputs: Any, sample: Sample) -> Fitted:
    logits = np.asarray(start.logits(outputs), dtype=np.float64)
    truth = _one_vs_rest(sample, logits.shape[1]).T.astype(np.float64)
    # A prior with the weight of one row: separable classes would have infinite scales.
    prior = sample.weights.mean()
    found = _scale_and_bias(
        logits, truth, sample.weights, exclusive=start.exclusive, prior=float(prior)
    )
    return lambda **columns: layers.VectorScaling(*found, **columns)


def _fit_platt(start: layers.CalibrationLayer, outputs: Any, sample: Sample) -> Fitted:
    """Fit to Platt's targets, which allow for one more row of each class (1999, sec. 2.2)."""
    log_odds = np.asarray(start.log_odds(outputs), dtype=np.float64)
    truth = _one_vs_rest(sample, log_odds.shape[1]).T
    n1 = sample.weights @ truth
    n0 = sample.weights.sum() - n1
    targets = np.where(truth == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    scale, bias = _scale_and_bias(log_odds, targets, sample.weights, exclusive=False, prior=0.0)
    fitted = (n1 > 0) & (n0 > 0)
    scale, bias = np.where(fitted, scale, 1.0), np.where(fitted, bias, 0.0)
    return lambda **columns: layers.PlattScaling(scale.tolist(), bias.tolist(), **columns)


def _scale_and_bias(
    logits: FloatArray, truth: FloatArray, weights: FloatArray, *, exclusive: bool, prior: float
) -> FloatArray:
    """Minimise the cross-entropy of scaled logits; return scales and biases, shape ``(2, k)``."""
    k = logits.shape[1]
    identity = np.concatenate([np.ones(k), np.zeros(k)])
    # The optimiser wants numbers of order 1, and averages.
    size, total = max(1.0, float(np.abs(logits).max())), weights.sum()
    unit = np.concatenate([np.full(k, 1 / size), np.ones(k)])

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        scale, bias = (parameters * unit).reshape(2, k)
        scaled = scale * logits + bias
        if exclusive:
            losses = logsumexp(scaled, axis=1) - np.sum(truth * scaled, axis=1)
            error = weights[:, None] * (softmax(scaled, axis=1) - truth)
        else:
            losses = np.sum(np.logaddexp(0, scaled) - truth * scaled, axis=1)
            error = weights[:, None] * (expit(scaled) - truth)
        away = parameters * unit - identity
        slope = np.concatenate([np.sum(error * logits, axis=0), error.sum(axis=0)])
        value = weights @ losses + prior / 2 * away @ away
        return float(value) / total, unit * (slope + prior * away) / total

    found = minimize(
        loss,
        identity / unit,
        jac=True,
        method="L-BFGS-B",
        options={"gtol": 1e-7, "ftol": 1e-13, "maxiter": 1000},
    )
    scales: FloatArray = (found.x * unit).reshape(2, k)
    return scales


def _fit_isotonic(start: layers.CalibrationLayer, outputs: Any, sample: Sample) -> Fitted:
    probabilities = np.asarray(start.probabilities(outputs), dtype=np.float64)
    xs, ys = [], []
    truth = _one_vs_rest(sample, probabilities.shape[1])
    for column, labels in zip(probabilities.T, truth, strict=True):
        x, y = np.array([0.0, 1.0]), np.array([0.0, 1.0])
        if 0 < labels.sum() < len(labels):
            fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
            fitted.fit(column, labels, sample_weight=sample.weights)
            x, y = fitted.X_thresholds_, fitted.y_thresholds_
        xs.append(x.tolist())
        ys.append(y.tolist())
    return lambda **columns: layers.IsotonicCalibration(xs, ys, **columns)


def _fit_auto(start: layers.CalibrationLayer, outputs: Any, sample: Sample) -> Fitted:
    return (_fit_vector if start.exclusive else _fit_platt)(start, outputs, sample)


def _fit_best(start: layers.CalibrationLayer, outputs: Any, sample: Sample) -> Fitted:
    """Fit the method that leaves the least cross-entropy on the half that it has not seen."""
    columns = {"exclusive": start.exclusive, "from_logits": start.from_logits}
    halves = fair_halves(sample, seed=0)
    losses = dict.fromkeys(_CANDIDATES, 0.0)
    for fit, judge in (halves, halves[::-1]):
        seen, judged = sample.take(fit), sample.take(judge)
        for method in _CANDIDATES:
            layer = _METHODS[method](start, outputs[fit], seen)(**columns)
            losses[method] += _cross_entropy(np.asarray(layer(outputs[judge])), judged)
    return _METHODS[min(losses, key=losses.__getitem__)](start, outputs, sample)


def _cross_entropy(probabilities: FloatArray, sample: Sample) -> float:
    """Return the sum of the rows' losses, with probabilities bounded as in single precision."""
    p = np.clip(probabilities.astype(np.float64), 2.0**-24, 1 - 2.0**-24)
    truth = _one_vs_rest(sample, p.shape[1]).T
    exclusive = p.shape[1] > 1 and sample.kind is not Kind.MULTI_LABEL
    losses = -np.log(np.where(truth == 1, p, 1.0 if exclusive else 1 - p)).sum(axis=1)
    return float(sample.weights @ losses)


def _fit_nothing(start: layers.CalibrationLayer, outputs: Any, sample: Sample) -> Fitted:
    del start, outputs, sample
    return lambda **columns: layers.TemperatureScaling(1.0, **columns)


_METHODS: dict[str | None, Callable[[layers.CalibrationLayer, Any, Sample], Fitted]] = {
    "auto": _fit_auto,
    "best": _fit_best,
    "temperature": _fit_temperature,
    "vector": _fit_vector,
    "platt": _fit_platt,
    "isotonic": _fit_isotonic,
    None: _fit_nothing,
}


#: Simple ones first: they win a tie.
_CANDIDATES: tuple[str | None, ...] = (None, "temperature", "platt", "vector", "isotonic")


def _one_vs_rest(sample: Sample, n_columns: int) -> IntArray:
    """Return 0 and 1 for every column, shape ``(k, n)``."""
    if sample.kind is Kind.MULTI_LABEL or n_columns == 1:
        return sample.labels.reshape(len(sample.labels), -1).T
    return (sample.labels == np.arange(n_columns)[:, None]).astype(np.int64)
