"""The trained models of a search as one: by their outputs, or by their weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, cast

import keras
import numpy as np
from keras_tuner.engine.trial import Trial
from numpy.typing import NDArray

from kt_extras.arguments import check_integer
from kt_extras.calibration.predictions import ForwardPass, check_data, predictions
from kt_extras.callbacks.batch_statistics import BatchStatistics, statistics
from kt_extras.ensembles.averaged import average_models
from kt_extras.ensembles.judge import Judge, LossFunction, check_loss
from kt_extras.ensembles.selection import convex_weights, greedy_selection
from kt_extras.ensembles.soup import Weights, greedy_soup, mean_weights, same_architecture
from kt_extras.training.gc_freeze import gc_freezer
from kt_extras.tuners.roles import refuse_without_records

Method = Literal["greedy", "average", "stacking"]

_METHODS = ("greedy", "average", "stacking")


def ensemble(
    tuner: Any,
    size: int,
    data: Any,
    *,
    method: Method,
    trials: int | None,
    loss: LossFunction | None,
    start: int,
    bags: int,
    seed: int,
    batch_size: int,
) -> keras.Model:
    """Return the ensemble; the arguments are those of `Tuner.ensemble`.

    Args:
        tuner: The tuner.
        size: See there.
        data: ``(x, y)``, ``(x, y, sample_weight)`` or a data set of batches of these.
        method: See there.
        trials: See there.
        loss: See there.
        start: See there.
        bags: See there.
        seed: See there.
        batch_size: See there.
    """
    if method not in _METHODS:
        names = ", ".join(map(repr, _METHODS))
        raise ValueError(f"`method` must be one of {names}, got {method!r}.")
    for name, value in (("size", size), ("start", start), ("bags", bags)):
        check_integer(name, value, minimum=1)
    check_integer("seed", seed, minimum=0)
    check_loss(loss, has_slope=method == "stacking")
    library = _Library(tuner, "ensemble", data, trials, batch_size)
    if method != "greedy":
        library.trials = library.trials[:size]
    with _cheap_collections():
        return _averaged(library, size, method, loss, start=start, bags=bags, seed=seed)


def _averaged(
    library: _Library,
    size: int,
    method: Method,
    loss: LossFunction | None,
    **how: int,
) -> keras.Model:
    judge, predicted = library.predicted(loss)
    if method == "greedy":
        weights = greedy_selection(predicted, judge, size, **how) / 1.0
    elif method == "average":
        weights = np.ones(len(predicted))
    else:
        weights = convex_weights(judge.loss_and_slope(np.stack(predicted)), len(predicted))
    chosen = np.flatnonzero(weights)
    library.trials = [library.trials[each] for each in chosen]
    models, names = list(library.models()), [trial.trial_id for trial in library.trials]
    return average_models(models, weights[chosen], names=names, x=library.some_inputs)


def soup(
    tuner: Any,
    data: Any,
    x_train: Any,
    *,
    trials: int | None,
    loss: LossFunction | None,
    batch_size: int,
) -> keras.Model:
    """Return the soup; the arguments are those of `Tuner.soup`.

    Args:
        tuner: The tuner.
        data: ``(x, y)``, ``(x, y, sample_weight)`` or a data set of batches of these.
        x_train: See there.
        trials: See there.
        loss: See there.
        batch_size: See there.
    """
    check_loss(loss)
    library = _Library(tuner, "soup", data, trials, batch_size)
    with _cheap_collections():
        best, parts = library.of_one_architecture()
    renewed = None if x_train is None or not statistics(best) else BatchStatistics(best)
    forward = ForwardPass(best)

    def take(places: Sequence[int]) -> None:
        best.set_weights(mean_weights([parts[place] for place in places]))
        if renewed is not None and len(places) > 1:
            renewed.update(x_train, batch_size=batch_size)

    def loss_of(places: Sequence[int]) -> float:
        take(places)
        y, outputs, weights = predictions(forward, data, batch_size=batch_size)
        return Judge(best, y, weights, loss)(outputs)

    take(greedy_soup(len(parts), loss_of))
    return best


class _Library:
    """The trials with weights, and what their models say about validation data.

    Args:
        tuner: The tuner.
        method: Who asks, for messages.
        data: The validation data.
        trials: How many of the best trials; None for all that have weights.
        batch_size: Rows predicted at a time, of arrays.

    Raises:
        FileNotFoundError: Fewer than two trials have weights.
    """

    def __init__(
        self, tuner: Any, method: str, data: Any, trials: int | None, batch_size: int
    ) -> None:
        refuse_without_records(tuner, method)
        check_integer("batch_size", batch_size, minimum=1)
        if trials is not None:
            check_integer("trials", trials, minimum=2, hint="or None for all that have weights")
        check_data("x_val", data)
        self._tuner, self._data, self._batch_size = tuner, data, batch_size
        self.trials: list[Trial] = tuner._models.with_weights(method)[:trials]

    @property
    def some_inputs(self) -> Any:
        """The inputs of a few rows, if the data are arrays."""
        return self._data[0] if isinstance(self._data, (tuple, list)) else None

    def models(self) -> Iterator[keras.Model]:
        """Load the models one by one, the best first."""
        return map(self._tuner.load_model, self.trials)

    def predicted(self, loss: LossFunction | None) -> tuple[Judge, list[NDArray[Any]]]:
        """Return what judges the models, and what each of them predicts.

        Raises:
            ValueError: Models whose outputs have different shapes or are NaN, or data that come in
                another order each time.
        """
        judge: Judge | None = None
        found: list[NDArray[Any]] = []
        for trial, model in zip(self.trials, self.models(), strict=True):
            y, outputs, weights = predictions(
                ForwardPass(model), self._data, batch_size=self._batch_size
            )
            judge = judge or Judge(model, y, weights, loss)
            judge.check_labels(y)
            _check_outputs(trial, outputs, found)
            found.append(outputs)
        return cast("Judge", judge), found  # there are two trials at least

    def of_one_architecture(self) -> tuple[keras.Model, list[Weights]]:
        """Return the best trial's model, and the weights of all models of its architecture.

        Raises:
            ValueError: There is only one.
        """
        models = self.models()
        best = next(models)
        parts = [best.get_weights()]
        parts += [model.get_weights() for model in models if same_architecture(best, model)]
        if len(parts) == 1:
            raise ValueError(
                "`soup` averages the weights of trials of one architecture, and no other trial "
                f"has that of the best one, {self.trials[0].trial_id!r}: the same layers with "
                "weights of the same shapes.  `ensemble` takes models of any architecture."
            )
        return best, parts


@contextmanager
def _cheap_collections() -> Iterator[None]:
    """KerasTuner collects garbage for each model that it builds."""
    with gc_freezer() as freeze:
        freeze()
        yield


def _check_outputs(trial: Trial, outputs: NDArray[Any], others: Sequence[NDArray[Any]]) -> None:
    if not np.isfinite(outputs).all():
        raise ValueError(
            f"The model of trial {trial.trial_id!r} predicts NaN or infinite values for `x_val`; "
            "look for missing values in it, or leave the trial out with a lower number of `trials`."
        )
    if others and outputs.shape != others[0].shape:
        raise ValueError(
            f"The models must have outputs of one shape, got {outputs.shape} of trial "
            f"{trial.trial_id!r} and {others[0].shape} of the best one."
        )
