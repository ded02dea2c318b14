"""Weights, loss and resampling in one search space, which corrects an imbalance once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from kt_extras.imbalance.checks import check_list
from kt_extras.imbalance.choices import choose
from kt_extras.imbalance.labels import ClassCounts, class_counts
from kt_extras.imbalance.resampler import Resampler, check_split
from kt_extras.imbalance.resampling import METHODS, can_resample
from kt_extras.imbalance.weights import SCHEMES, class_weight_dict, class_weights
from kt_extras.running_tuner import check_fit_is_overridden

_BETAS = (0.9, 0.99, 0.999, 0.9999)  # Cui et al. 2019, sec. 5.3


@dataclass(frozen=True)
class Treatment:
    """What a trial does about the imbalance; `space` makes it.

    Args:
        correction: "none", "weights", "logit_adjustment", "asymmetric" or "resampling".
        loss: For `compile`.
        class_weight: For `fit`; None if nothing is weighed, or if the loss does it.
        resampler: What resamples the training data, or None.

    >>> treatment = Treatment("none", "binary_crossentropy", None, None)
    >>> x, y = np.zeros([3, 2]), np.array([0, 1, 0])
    >>> treatment.resample(x, y)[0] is x
    True
    """

    correction: str
    loss: Any
    class_weight: dict[int, float] | None
    resampler: Resampler | None

    def resample(self, x: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the training data, resampled if that is the correction.

        Validation data are put aside before; `fit` sees to it.
        """
        return (x, y) if self.resampler is None else self.resampler.fit_resample(x, y)

    def fit(self, model: Any, *data: Any, **arguments: Any) -> Any:
        """Fit the model with the class weights, or to the resampled data.

        Args:
            model: A model that was compiled with `loss`.
            *data: As for Keras' `fit`: `x` and `y`, or a data set if nothing is to be resampled.
            **arguments: Other arguments of `fit`, also `validation_split` or `validation_data`,
                which stay as they are.

        Returns:
            What Keras' `fit` returns.

        Raises:
            ValueError: `validation_split` takes all rows of a class, as where labels are sorted.
        """
        if self.resampler is not None:
            return self.resampler.fit(model, *data, **arguments)
        y = data[1] if len(data) > 1 else arguments.get("y")
        fraction = arguments.get("validation_split")
        if fraction and y is not None and arguments.get("validation_data") is None:
            check_split(y, fraction)
        return model.fit(*data, class_weight=self.class_weight, **arguments)


def space(
    hp: Any,
    y: Any,
    *,
    outputs: int | None = None,
    from_logits: bool = False,
    methods: Sequence[str] | None = None,
    seed: int = 0,
    prefix: str = "",
) -> Treatment:
    """Put what can be done about an imbalance in the search space, one correction at a time.

    `correction` is "none", "weights", "logit_adjustment" (with at least two outputs) or
    "resampling"; for multi-label data "none", "weights" or "asymmetric", that is `AsymmetricLoss`.
    A trial has one of them, since two would count the imbalance twice: who resamples or
    adjusts logits weighs nothing.  Without resampling or adjustment the loss may be focal,
    which corrects for easy rows and not for frequent classes.

    Class weights and resampled data are arguments of `fit`, so a `HyperModel` needs a `fit` of its
    own, in which it calls `space` again::

        def fit(self, hp, model, *args, **kwargs):
            return kte.imbalance.space(hp, y).fit(model, *args, **kwargs)

    All corrections but "none" make rare classes more probable than they are; calibrate the
    probabilities, or tune the threshold, if they matter.

    Args:
        hp: KerasTuner's hyperparameters; in `HyperModel.fit` as in `build`, the same is returned.
        y: The labels of the training data, or a data set of ``(x, y)``, which can't be resampled.
        outputs: Units of the model's last layer.  By default 1 for two classes in integers, the
            number of classes otherwise.
        from_logits: Whether the model puts out logits; otherwise probabilities. Defaults to
            `False`.
        methods: What to resample by, of `kt_extras.imbalance.resampling.METHODS`; an empty list to
            leave it out.  By default all of them; where imbalanced-learn is not installed, none,
            with a warning.
        seed: Of the resampling. Defaults to `0`.
        prefix: Put before the name of each hyperparameter. Defaults to `""`.

    Raises:
        ModuleNotFoundError: One of `methods` needs imbalanced-learn, which is not installed.
        ValueError: Labels of one class only, a class without a row, or outputs that do not belong
            to the labels; or a tuner builds a model of labels that exclude each other and has
            nothing that trains it with the weights or the resampled data.

    >>> import keras_tuner
    >>> hp = keras_tuner.HyperParameters()
    >>> hp.Fixed("correction", "weights")
    'weights'
    >>> treatment = space(hp, np.array([0, 0, 0, 1]))
    >>> treatment.class_weight[1], type(treatment.loss).__name__
    (2.0, 'BinaryCrossentropy')
    """
    if methods is not None:
        check_list("methods", methods)
    counts, arrays = class_counts(y), not hasattr(y, "element_spec")
    _check_classes(counts)
    head = _head(y, counts, outputs)
    if head != "multi_label":
        check_fit_is_overridden(
            "kte.imbalance.space(hp, y)",
            "kte.imbalance.space(hp, y).fit(model, *args, **kwargs)",
        )
    offered = _methods(methods) if arrays and head != "multi_label" else ()
    task = _Task(counts, head, from_logits, offered, seed, prefix)
    corrections = task.corrections()
    name = f"{prefix}correction"
    correction = choose(hp, name, corrections) or "none"
    made = {}
    for each in corrections:  # all are declared, so that the space is known from the first trial on
        with hp.conditional_scope(name, [each]):
            made[each] = _CORRECTIONS[each](hp, task)
    plain = {"loss": _loss(task, _focus(hp, task)), "class_weight": None, "resampler": None}
    return Treatment(correction, **{**plain, **made[correction]()})


@dataclass(frozen=True)
class _Task:
    """What is to be learnt, and by what kind of model.

    Its head is "binary" (one output for two classes), "sparse" (integer labels and an output a
    class), "one_hot" or "multi_label".
    """

    counts: ClassCounts
    head: str
    from_logits: bool
    methods: tuple[str, ...]
    seed: int
    prefix: str

    def corrections(self) -> list[str]:
        """Return what can be done, nothing first."""
        if self.head == "multi_label":
            return ["none", "weights", "asymmetric"]
        adjustment = [] if self.head == "binary" else ["logit_adjustment"]
        resampling = ["resampling"] if self.methods else []
        return ["none", "weights", *adjustment, *resampling]


def _methods(methods: Sequence[str] | None) -> tuple[str, ...]:
    """Return what can be resampled by; an empty tuple if nothing can or shall."""
    if methods is not None:
        return tuple(methods)
    if can_resample():
        return METHODS[1:]
    warnings.warn(
        "The search space has no resampling, since imbalanced-learn is not installed; run "
        "`pip install kt_extras[imbalance]`, or pass `methods=[]` to leave it out silently.",
        stacklevel=3,
    )
    return ()


def _check_classes(counts: ClassCounts) -> None:
    """Raise unless all classes have rows, or the labels are multi-label."""
    if counts.multi_label:
        return
    if len(counts.positives) < 2 or not counts.positives.all():
        raise ValueError(
            "`y` must have rows of at least two classes and of every class from 0 to the highest, "
            f"got {counts.positives.tolist()} rows."
        )


def _head(y: Any, counts: ClassCounts, outputs: int | None) -> str:
    """Return what the model's last layer is: "binary", "sparse", "one_hot" or "multi_label"."""
    shape = y.element_spec[1].shape if hasattr(y, "element_spec") else np.shape(y)
    matrix, c = len(shape) == 2 and shape[1] != 1, len(counts.positives)
    units = (c if matrix or c > 2 else 1) if outputs is None else outputs
    allowed = (1, 2) if c == 2 and not matrix else (c,)
    if units not in allowed:
        raise ValueError(
            f"`outputs` must be {' or '.join(map(str, allowed))} for these labels of {c} classes, "
            f"got {outputs!r}."
        )
    if counts.multi_label:
        return "multi_label"
    return "one_hot" if matrix else "binary" if units == 1 else "sparse"


def _focus(hp: Any, task: _Task) -> float:
    """Return gamma of a focal loss, 0 for plain cross-entropy."""
    if task.head == "multi_label":
        return 0.0
    with hp.conditional_scope(f"{task.prefix}correction", ["none", "weights"]):
        loss = choose(hp, f"{task.prefix}loss", ("crossentropy", "focal"))
        with hp.conditional_scope(f"{task.prefix}loss", ["focal"]):
            gamma = hp.Float(f"{task.prefix}gamma", 0.5, 5.0, default=2.0)
    return float(gamma) if loss == "focal" else 0.0


def _loss(task: _Task, gamma: float) -> keras.losses.Loss:
    """Return the plain or the focal cross-entropy, without any weights of classes."""
    logits, losses = task.from_logits, keras.losses
    if task.head in ("binary", "multi_label"):
        if gamma:
            return losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=logits)
        return losses.BinaryCrossentropy(from_logits=logits)
    if task.head == "one_hot":
        if gamma:
            return losses.CategoricalFocalCrossentropy(1.0, gamma, from_logits=logits)
        return losses.CategoricalCrossentropy(from_logits=logits)
    if gamma:
        from kt_extras.losses import SparseFocalCrossentropy

        return SparseFocalCrossentropy(1.0, gamma, from_logits=logits)
    return losses.SparseCategoricalCrossentropy(from_logits=logits)


# Each declares the hyperparameters of a correction, and returns what makes the fields of a
# `Treatment` in which it differs from no correction.  The numbers are None unless it is chosen, and
# then nothing is made of them.
_Made = Callable[[], dict[str, Any]]


def _none(hp: Any, task: _Task) -> _Made:
    del hp, task
    return dict


def _weights(hp: Any, task: _Task) -> _Made:
    name = f"{task.prefix}weight_scheme"
    scheme = choose(hp, name, SCHEMES) or SCHEMES[0]
    with hp.conditional_scope(name, ["effective_number"]):
        beta = hp.Choice(f"{task.prefix}weight_beta", list(_BETAS), default=0.999)

    def made() -> dict[str, Any]:
        numbers = {} if beta is None else {"beta": beta}
        if task.head != "multi_label":
            return {
                "class_weight": class_weight_dict(class_weights(task.counts, scheme, **numbers))
            }
        from kt_extras.losses import WeightedBinaryCrossentropy

        # A label that is always or never there has no imbalance to correct.
        weights = class_weights(task.counts, scheme, absent=1.0, **numbers)
        return {"loss": WeightedBinaryCrossentropy(weights, from_logits=task.from_logits)}

    return made


def _logit_adjustment(hp: Any, task: _Task) -> _Made:
    tau = hp.Float(f"{task.prefix}tau", 0.5, 1.5, default=1.0)

    def made() -> dict[str, Any]:
        from kt_extras.losses import LogitAdjustedCrossentropy

        counts, logits = task.counts.positives, task.from_logits
        return {"loss": LogitAdjustedCrossentropy(counts, tau=tau, from_logits=logits)}

    return made


def _asymmetric(hp: Any, task: _Task) -> _Made:
    gamma = hp.Float(f"{task.prefix}gamma_negative", 0.0, 6.0, default=4.0)
    margin = hp.Float(f"{task.prefix}margin", 0.0, 0.2, default=0.05)

    def made() -> dict[str, Any]:
        from kt_extras.losses import AsymmetricLoss

        return {"loss": AsymmetricLoss(0.0, gamma, margin, from_logits=task.from_logits)}

    return made


def _resampling(hp: Any, task: _Task) -> _Made:
    resampler = Resampler(hp, methods=task.methods, seed=task.seed, prefix=task.prefix)
    return lambda: {"resampler": resampler}


_CORRECTIONS: dict[str, Callable[[Any, _Task], _Made]] = {
    "none": _none,
    "weights": _weights,
    "logit_adjustment": _logit_adjustment,
    "asymmetric": _asymmetric,
    "resampling": _resampling,
}
