"""Infer whether an objective is maximised or minimised.

KerasTuner infers directions from a list of 2019 and minimises a metric that is not on it, such as
F1 or R2.  Here every metric and loss of Keras and tensorflow-addons is listed with its direction,
and an unknown name is an error.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Union

import keras_tuner

ObjectiveLike = Union[str, keras_tuner.Objective, Sequence[Any], None]  # noqa: UP007 - Python 3.10

MAXIMISED = frozenset(
    """
    acc accuracy binary_accuracy categorical_accuracy sparse_categorical_accuracy
    top_k_categorical_accuracy sparse_top_k_categorical_accuracy balanced_accuracy
    auc average_precision precision recall specificity sensitivity geometric_mean
    sensitivity_at_specificity specificity_at_sensitivity precision_at_recall recall_at_precision
    true_positives true_negatives f1_score fbeta_score f_beta_score f1 f2 mcc youden_j
    binary_io_u io_u mean_io_u one_hot_io_u one_hot_mean_io_u
    cosine_similarity concordance_correlation pearson_correlation pearsons_correlation
    r2_score r_square cohen_kappa matthews_correlation_coefficient matthewscorrelationcoefficient
    harmonic_mean kendalls_tau_b kendalls_tau_c spearmans_rank
    """.split()  # noqa: SIM905 - a list of sixty quoted words is no easier to read
)

MINIMISED = frozenset(
    """
    loss crossentropy ce bce binary_crossentropy categorical_crossentropy
    sparse_categorical_crossentropy binary_focal_crossentropy categorical_focal_crossentropy
    categorical_generalized_cross_entropy sigmoid_focal_crossentropy
    hinge squared_hinge categorical_hinge
    mse mae mape msle mean_squared_error mean_absolute_error mean_absolute_percentage_error
    mean_squared_logarithmic_error root_mean_squared_error mean_relative_error
    kld kl_divergence kullback_leibler_divergence poisson huber huber_loss
    logcosh log_cosh log_cosh_error circle ctc dice tversky
    false_positives false_negatives hamming_loss pinball_loss giou_loss brier_score
    expected_calibration_error expected_cost refinement
    """.split()  # noqa: SIM905 - a list of sixty quoted words is no easier to read
)


def resolve_objective(objective: ObjectiveLike) -> Any:
    """Return what `keras_tuner.Oracle` takes, with a direction for every name.

    Args:
        objective: A name in the logs, a `keras_tuner.Objective`, a list of both (their
            signed sum is minimised, as in KerasTuner), or None for a search whose `run_trial` or
            `fit` returns the number to minimise.

    Raises:
        ValueError: The direction of a name is not known, or the list is empty.

    >>> resolve_objective("val_f1_score").direction
    'max'
    >>> resolve_objective("val_digit_loss").direction
    'min'
    >>> resolve_objective("val_f1_at_best_threshold").direction
    'max'
    """
    if isinstance(objective, str):
        return keras_tuner.Objective(objective, _direction(objective))
    if isinstance(objective, (list, tuple)):
        if not objective:
            raise ValueError(
                "`objective` must name at least one metric, got []; pass the name of one, such as "
                "'val_loss'."
            )
        return [resolve_objective(part) for part in objective]
    if objective is None or isinstance(objective, keras_tuner.Objective):
        if objective is not None and objective.direction not in {"min", "max"}:
            raise ValueError(
                "`direction` of an objective must be 'min' or 'max', got "
                f"{objective.direction!r} for the `objective` {objective.name!r}."
            )
        return objective
    raise TypeError(
        "`objective` must be the name of a metric, a `keras_tuner.Objective` or a list of these, "
        f"got {objective!r}."
    )


def sign_of(objective: keras_tuner.Objective) -> float:
    """Return what turns the objective's value into a loss: -1.0 if it is maximised."""
    return -1.0 if objective.direction == "max" else 1.0


def value_in(objective: keras_tuner.Objective, metrics: Mapping[str, float]) -> float | None:
    """Return the objective's value in one epoch's metrics, or None if it is not there."""
    if objective.name in metrics:
        return float(metrics[objective.name])
    return float(objective.get_value(metrics)) if objective.has_value(metrics) else None


def loss_of(objective: keras_tuner.Objective, value: float | None) -> float:
    """Return the loss that the core minimises; `inf` for a value that is not finite.

    >>> import keras_tuner
    >>> loss_of(keras_tuner.Objective("accuracy", "max"), 0.75)
    -0.75
    """
    if value is None or not math.isfinite(value):
        return math.inf
    return sign_of(objective) * value


def direction_of(name: str, objective: keras_tuner.Objective) -> str:
    """Return whether larger or smaller values of a metric are better, `"max"` or `"min"`.

    Args:
        name: A metric in the logs.
        objective: The search's, whose direction, or that of its part, holds for its own metric.

    Returns:
        `"min"` for a name that is not known, as in KerasTuner.

    >>> direction_of("val_accuracy", keras_tuner.Objective("val_loss", "min"))
    'max'
    """
    for part in parts_of(objective):
        if part.name == name:
            return str(part.direction)
    return _known_direction(name) or "min"


def parts_of(objective: keras_tuner.Objective) -> list[keras_tuner.Objective]:
    """Return the objectives of which a list consists, or the one objective itself."""
    parts = getattr(objective, "objectives", None)
    return [inner for part in parts for inner in parts_of(part)] if parts else [objective]


def sum_text(objective: keras_tuner.Objective) -> str | None:
    """Return what a list of objectives means, None for a single one.

    >>> parts = resolve_objective(["val_loss", "val_accuracy"])
    >>> sum_text(keras_tuner.Oracle(objective=parts).objective)
    'A list of objectives is their sum, as in KerasTuner; minimised is val_loss - val_accuracy.
    Pass it as `objectives` to compare trials by each of them.'
    """
    parts = parts_of(objective)
    if parts[0] is objective:
        return None
    signs = [" - " if part.direction == "max" else " + " for part in parts]
    total = "".join(f"{sign}{part.name}" for sign, part in zip(signs, parts, strict=True))
    total = total.removeprefix(" + ").lstrip()
    return (
        f"A list of objectives is their sum, as in KerasTuner; minimised is {total}.  Pass it as "
        "`objectives` to compare trials by each of them."
    )


def names_of(objective: keras_tuner.Objective) -> list[str]:
    """Return the metrics that make up an objective."""
    return [part.name for part in parts_of(objective)]


def _direction(name: str) -> str:
    """Return the direction of a metric that is to be an objective."""
    known = _known_direction(name)
    if known is not None:
        return known
    near = difflib.get_close_matches(_metric_in(name), MAXIMISED | MINIMISED, n=1, cutoff=0.8)
    prefix = "val_" if name.startswith("val_") else ""
    hint = f"did you mean {prefix + near[0]!r}?  Otherwise " if near else ""
    raise ValueError(
        f"`objective` {name!r} is not a metric whose direction is known; {hint}pass "
        f'`keras_tuner.Objective({name!r}, direction="max")` (or "min").'
    )


def _known_direction(name: str) -> str | None:
    """Look a name up: bare, numbered (`auc_2`), or behind an output's name (`digit_accuracy`)."""
    words = _metric_in(name).split("_")
    for start in range(len(words)):  # the longest known ending decides
        ending = "_".join(words[start:])
        if ending in MAXIMISED or ending in MINIMISED:
            return "max" if ending in MAXIMISED else "min"
    return None


def _metric_in(name: str) -> str:
    """Return the metric that a name in the logs stands for, as Keras names its instances.

    Keras 3 logs a metric that was given as a text under this very text, such as `BinaryAccuracy`.

    >>> _metric_in("val_BinaryAccuracy"), _metric_in("weighted_auc_2"), _metric_in("MSE")
    ('binary_accuracy', 'auc', 'mse')
    """
    plain = name.removeprefix("val_").removeprefix("weighted_")
    plain = re.sub(r"_\d+$", "", plain.removesuffix("_at_best_threshold"))
    plain = re.sub(r"([^_])([A-Z][a-z0-9]+)", r"\1_\2", plain)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", plain).lower()
