"""Checks of the arguments of a tuner."""

from __future__ import annotations

from typing import Any

import keras
import keras_tuner
import tensorflow as tf

from kt_extras.hypermodels import CrossValidation
from kt_extras.oracles.oracle import SamplerOracle


def check_hypermodel(given: Any, *, needed: bool) -> None:
    """Raise unless models can be built with it; a model or a class is no hypermodel.

    Args:
        given: A `keras_tuner.HyperModel`, a function `build(hp)`, or None.
        needed: Whether it must not be None.

    Raises:
        TypeError: It is none of these.
        ValueError: It is None, and needed.

    >>> check_hypermodel(keras_tuner.HyperModel, needed=True)
    Traceback (most recent call last):
    TypeError: `hypermodel` must be a `HyperModel` or a function `build(hp)`, got <class ...
    """
    rule = "`hypermodel` must be a `HyperModel` or a function `build(hp)`, got"
    if given is None:
        if needed:
            raise ValueError(
                f"{rule} None; only a tuner that overrides `run_trial` can do without."
            )
        return
    if isinstance(given, type):
        builds = not issubclass(given, keras_tuner.HyperModel)  # another class may be a function
    else:
        builds = callable(given) and not isinstance(given, keras.Model)
    if not (builds or isinstance(given, keras_tuner.HyperModel)):
        raise TypeError(f"{rule} {given!r}.")


def check_function(name: str, given: Any, signature: str) -> None:
    """Raise unless the value is None or can be called.

    >>> check_function("constraint", True, "(hp, model)")
    Traceback (most recent call last):
    TypeError: `constraint` must be a function (hp, model), got True.
    """
    if given is not None and not callable(given):
        raise TypeError(f"`{name}` must be a function {signature}, got {given!r}.")


def check_strategy(given: Any) -> None:
    """Raise unless the value is None or a strategy of TensorFlow.

    >>> check_strategy("mirrored")
    Traceback (most recent call last):
    TypeError: `distribution_strategy` must be a `tf.distribute.Strategy` or None, got 'mirrored'.
    """
    if given is not None and not isinstance(given, tf.distribute.Strategy):
        raise TypeError(
            f"`distribution_strategy` must be a `tf.distribute.Strategy` or None, got {given!r}."
        )


def check_cross_validation(given: Any, executions: int, oracle: SamplerOracle) -> None:
    """Raise unless a search can train the folds of a cross-validation.

    Args:
        given: The `CrossValidation`, or None.
        executions: The `executions_per_trial`.
        oracle: Of the search.

    Raises:
        TypeError: It is no `CrossValidation`.
        ValueError: The search repeats or pauses trainings, or has several objectives and a test
            between folds.
    """
    if given is None:
        return
    if not isinstance(given, CrossValidation):
        raise TypeError(
            "`cross_validation` must be a `kt_extras.CrossValidation`, such as "
            f"`kte.CrossValidation(5)`, got {given!r}."
        )
    if executions != 1:
        raise ValueError(
            f"`executions_per_trial` must be 1 with `cross_validation`, got {executions!r}: each "
            "fold is an execution.  `RepeatedKFold` of scikit-learn repeats folds."
        )
    if oracle.scheduler is not None:
        raise ValueError(
            f"`cross_validation` can't be used with `{type(oracle.scheduler).__name__}`, which "
            "pauses and resumes one training of each trial: use a tuner without a scheduler, such "
            "as `kt_extras.TPE`, with a pruner."
        )
    if oracle.goals is not None and given.pruner is not None:
        raise ValueError(
            "`p_threshold` of `CrossValidation` must be None with several objectives or "
            "constraints: folds are compared by one objective."
        )


def check_one_execution(executions: int) -> None:
    """Raise unless a trial that a scheduler pauses has one execution.

    >>> check_one_execution(2)
    Traceback (most recent call last):
    ValueError: `executions_per_trial` must be 1, got 2: a scheduler pauses and resumes one training
    of each trial.
    """
    if executions != 1:
        raise ValueError(
            f"`executions_per_trial` must be 1, got {executions!r}: a scheduler pauses and resumes "
            "one training of each trial."
        )
