"""The models of the folds of a trial, and what they predict for rows that they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras_tuner.engine.trial import Trial
from numpy.typing import NDArray

from kt_extras.ensembles import average_models
from kt_extras.hypermodels.cross_validation import is_dataset, of_fold
from kt_extras.records.scores import best_of
from kt_extras.tuners.training_space_use import fit_arguments_of
from kt_extras.tuners.trial_run import set_trial_seed


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
    tuner: Any, trial: Trial, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> FoldModels:
    """Train the folds of a trial once more.

    Args:
        tuner: A tuner with `cross_validation`.
        trial: The trial, which has ended.
        args: Positional arguments of `fit`.
        kwargs: Named arguments of `fit`.

    Raises:
        ValueError: The trial has not reported an epoch of each fold.
    """
    folds, oracle = tuner._cross_validation.folds(args, kwargs), tuner._local_oracle
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
    for number, (_, epoch) in enumerate(bests):
        fold = of_fold(folds, number, args, kwargs)
        set_seed = partial(set_trial_seed, tuner._training_seed, trial, number)
        model = tuner._models.refit(trial, set_seed, (), fold, epoch + 1)
        held_out = fit_arguments_of(tuner.hypermodel, hp, (), fold)[1]["validation_data"]
        inputs = held_out if is_dataset(held_out) else held_out[0]
        found.append(model.predict(inputs, verbose=0))
        models.append(model)
    ordered = is_dataset(inputs)  # a data set has its rows in the order of their numbers
    rows = [np.sort(held_out) if ordered else held_out for _, held_out in folds.splits]
    predictions = tf.nest.map_structure(lambda *parts: _in_order(rows, parts, folds.rows), *found)
    return FoldModels(models, predictions, next(iter(inputs))[0] if ordered else inputs)


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
