"""Differential learning rates (ULMFiT: Howard and Ruder 2018, arXiv 1801.06146, sec. 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from kt_extras.optimizers.factors import LearningRateFactors
from kt_extras.optimizers.multi import multi_optimizer
from kt_extras.optimizers.variable_paths import paths_in


def differential(
    optimizer: Any,
    factors: Mapping[Any, float],
    model: keras.Model | None = None,
) -> Any:
    """Return an optimizer that trains some layers at a fraction of the learning rate.

    On Keras 3 it is a `MultiOptimizer` of Keras, with one copy of the optimizer for each key of
    `factors`.  Keras 2 has none, and that of tensorflow-addons loses the state of its optimizers
    when a model is saved; so there it is one of ours that works in the same way.

    Each copy clips its gradients by itself, so `global_clipnorm` holds within the variables of a
    key.  Variables that `optimizer` excludes from weight decay stay excluded.  In mixed precision
    Keras wraps the result as it does any optimizer; so `optimizer` must not be wrapped.

    The rates stay fractions of that of `optimizer`, also when a callback such as
    `ReduceLROnPlateau` or `LearningRateScheduler` sets it; setting such a fraction
    itself has no effect.

    A saved model keeps the factor of each variable, by the order of its trainable variables.

    Args:
        optimizer: An optimizer that has not been used.  Its learning rate, a number or a schedule,
            is that of factor 1.
        factors: From a layer or a nested model, or a pattern, to the factor of the learning rate,
            from 0, which keeps the variables as they are.  A pattern is a regular expression that
            matches one or more neighbouring parts of a variable's path, as a whole: `"dense"` is
            the layer `dense` and not `dense_1`, `"block[12]"` are two layers, `"kernel"` all
            kernels.  The first match counts.
        model: If given, every key of `factors` has to match one of its trainable variables, and
            the paths begin with the names of all layers and models around a variable, such as
            `"body/stem/kernel"`.  Defaults to `None`: the paths are those that Keras gives, which
            lack the names of most nested models; a key that matches nothing is warned about when
            the training begins.

    Raises:
        ValueError: `optimizer` is none, or `factors` no mapping; a factor is out of its range; a
            pattern is not a regular expression, or matches nothing in `model`.

    >>> layers = [keras.layers.Dense(2, name="body"), keras.layers.Dense(1, name="head")]
    >>> model = keras.Sequential([keras.layers.Input((3,)), *layers])
    >>> optimizer = differential(keras.optimizers.SGD(0.5), {"body": 0.1}, model)
    >>> model.compile(optimizer, "mse")
    """
    if hasattr(optimizer, "inner_optimizer"):
        raise ValueError(
            f"`optimizer` must be a plain optimizer, got a {type(optimizer).__name__}; Keras wraps "
            "the result itself where mixed precision needs it."
        )
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise ValueError(
            f"`optimizer` must be an optimizer of Keras, got {optimizer!r}; make one, as "
            "`keras.optimizers.Adam(1e-3)`."
        )
    if not isinstance(factors, Mapping):
        raise ValueError(
            "`factors` must be a mapping from layers or patterns to factors, got "
            f'{factors!r}; such as `{{"body": 0.1}}`.'
        )
    assignment = LearningRateFactors(optimizer, factors, model)
    if model is not None:
        _check_used(assignment, model)
    return multi_optimizer(assignment)


def _check_used(assignment: LearningRateFactors, model: keras.Model) -> None:
    if not model.built:
        raise ValueError(
            "`model` must have its variables, so that the keys of `factors` can be compared with "
            "them; call it on a batch, begin it with `keras.layers.Input`, or leave it out."
        )
    variables = model.trainable_variables
    if unused := assignment.unused(variables):
        full = paths_in(model)
        paths = [path for variable in variables for path in full.get(id(variable), ())]
        known = ", ".join(paths[:6]) + (", ..." if len(paths) > 6 else "")
        raise ValueError(
            f"`factors` has keys that match no trainable variable of `model`: {unused}.  Its "
            f"variables are {known or 'none'}."
        )
