"""The models of the folds of a trial, and what they predict for rows that they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras_tuner.engine.trial import Trial
from numpy.typing import NDArray

from kt_extras.ensembles import average_models
from kt_extras.hypermodels.cross_validation import Folds
from kt_extras.records.scores import best_of
from kt_extras.tuners.training_space_use import fit_arguments_of


@dataclass(frozen=True)
class FoldModels:
    """The models of the folds of a trial.

    Attributes:
        models: One a fold, each with the weights of its best epoch.
        predictions: What they put out for all rows, each by the model that has not seen it, shape
            ``(n, ...)`` in the order of the rows; means where a row is in several folds, NaN where
            it is in none.  One array an output of the model.
        inputs: Inputs of a few rows, as the models take them.
    """

    models: Sequence[keras.Model]
    predictions: Any
    inputs: Any

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Which rows are in a fold, shape ``(n,)``."""
        first = tf.nest.flatten(self.predictions)[0]
        return ~np.isnan(first.reshape(len(first), -1)).any(axis=1)

    def average(self) -> keras.Model:
        """Return one model that puts out the mean of what the models of the folds put out.

        Raises:
            ValueError: They have several outputs.
        """
        return average_models(self.models, x=self.inputs)


def trained_folds(
    tuner: Any,
    trial: Trial,
    folds: Folds,
    train: Callable[[int, dict[str, Any], int], keras.Model],
) -> FoldModels:
    """Train the folds of a trial once more.

    Args:
        tuner: The tuner.
        trial: The trial, which has ended.
        folds: The arguments of `fit` of each fold.
        train: Called with the number of a fold, the arguments of its `fit` and the epochs.

    Raises:
        ValueError: The trial has not reported an epoch of each fold.
    """
    oracle = tuner._local_oracle
    executions = oracle.trial_record(trial.trial_id).executions
    bests = [best for run in executions if (best := best_of(run, oracle.objective)) is not None]
    if len(bests) != len(folds):
        raise ValueError(
            f"`trial` {trial.trial_id!r} has trained {len(bests)} of {len(folds)} folds: choose "
            "one that was completed with this `cross_validation`."
        )
    hp = tuner._models.hyperparameters(trial)
    models: list[keras.Model] = []
    found: list[Any] = []
    inputs: Any = None
    for number, (fold, (_, epoch)) in enumerate(zip(folds, bests, strict=True)):
        model = train(number, fold, epoch + 1)
        _, given = fit_arguments_of(tuner.hypermodel, hp, (), fold)
        held_out = given["validation_data"]
        inputs = held_out[0] if isinstance(held_out, tuple) else held_out
        found.append(model.predict(inputs, verbose=0))
        models.append(model)
    rows = [np.sort(held_out) if _is_dataset(inputs) else held_out for _, held_out in folds.splits]
    predictions = tf.nest.map_structure(lambda *parts: _in_order(rows, parts, folds.rows), *found)
    some = next(iter(inputs))[0] if _is_dataset(inputs) else inputs
    return FoldModels(models, predictions, some)


def _is_dataset(inputs: Any) -> bool:
    return hasattr(inputs, "element_spec")


def _in_order(rows: Sequence[Any], parts: Sequence[NDArray[Any]], count: int) -> NDArray[Any]:
    """Return predictions of folds in the order of the rows, as means where there are several."""
    total = np.zeros((count, *parts[0].shape[1:]), dtype="float64")
    times = np.zeros(count)
    for numbers, part in zip(rows, parts, strict=True):
        total[numbers] += part
        times[numbers] += 1
    shape = (count, *[1] * (total.ndim - 1))
    with np.errstate(invalid="ignore"):
        return (total / times.reshape(shape)).astype(parts[0].dtype)
