"""Trains a model like `keras.Model.fit`, an epoch as one TensorFlow program."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from kt_extras import compat
from kt_extras.training.epoch_loop import EpochLoop, TrainingData
from kt_extras.training.fallback_reasons import is_from_keras, reason_to_fall_back
from kt_extras.training.notes import Notes
from kt_extras.training.time_spent import section

_FITS = [vars(kind)["fit"] for kind in keras.Model.__mro__ if "fit" in vars(kind)]
_SIGNATURE = inspect.signature(next(filter(is_from_keras, _FITS), keras.Model.fit))


def fit(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: Any = True,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int | Collection[int] = 1,
    **others: Any,
) -> keras.callbacks.History:
    """Train a model like `keras.Model.fit`, without the time that passes between two batches.

    The `train_step` of the model, be it Keras' own or the user's, is called in a loop that
    TensorFlow runs by itself.  With `shuffle=False` all results are those of `keras.Model.fit`;
    with `shuffle=True` the rows come in another random order.

    What works by batches is trained by `keras.Model.fit` itself: a callback that is called for each
    batch, a model that runs eagerly, is distributed or has a `fit` of its own, a `keras.Model.fit`
    that was replaced, and data that are neither arrays nor `tf.data` sets of a known length.  A
    line says why, unless `verbose` is 0.

    Args:
        model: A compiled model.
        x: As for `keras.Model.fit`.  Defaults to None.
        y: As for `keras.Model.fit`.  Defaults to None.
        batch_size: As for `keras.Model.fit`.  Defaults to None: 32.
        epochs: As for `keras.Model.fit`.  Defaults to 1.
        verbose: As for `keras.Model.fit`.  Defaults to `"auto"`.
        callbacks: As for `keras.Model.fit`.  Defaults to None.
        validation_split: As for `keras.Model.fit`.  Defaults to 0.0.
        validation_data: As for `keras.Model.fit`.  Defaults to None.
        shuffle: As for `keras.Model.fit`.  Defaults to True.
        class_weight: As for `keras.Model.fit`.  Defaults to None.
        sample_weight: As for `keras.Model.fit`.  Defaults to None.
        initial_epoch: As for `keras.Model.fit`.  Defaults to 0.
        steps_per_epoch: As for `keras.Model.fit`.  Defaults to None.
        validation_steps: As for `keras.Model.fit`.  Defaults to None.
        validation_batch_size: As for `keras.Model.fit`.  Defaults to None.
        validation_freq: As for `keras.Model.fit`.  Defaults to 1.
        **others: What else `keras.Model.fit` takes: on Keras 2 `workers`, for one.

    Returns:
        The history of the training, as `keras.Model.fit` does.

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = fit(model, np.ones((8, 2)), np.ones(8), epochs=3, verbose=0)
    >>> len(history.history["loss"])
    3
    """
    given = {name: value for name, value in locals().items() if name in _SIGNATURE.parameters}
    own = vars(model).get("fit")
    report = own.report if isinstance(own, _TrialFit) else FitReport(_notes(verbose))
    return fit_reported(model, (), {**given, **others}, report)


class FitReport:
    """Lets models be trained by `fit` for the length of a trial, and counts how they were.

    Args:
        notes: Says why a training was left to `keras.Model.fit`.

    Attributes:
        programs: How many trainings ran by whole epochs.
        fallbacks: How many did not, by the reason.

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse", run_eagerly=True)
    >>> report = FitReport(Notes(visible=False))
    >>> with report.trial():
    ...     _ = report.lead(model).fit(np.ones((4, 2)), np.ones(4), verbose=0)
    >>> report.programs, dict(report.fallbacks)
    (0, {'The model runs eagerly.': 1})
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.programs = 0
        self.fallbacks: Counter[str] = Counter()
        self._led: list[keras.Model] | None = None  # outside of a trial

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Give the models that were led their own `fit` back at the end."""
        self._led = []
        try:
            yield
        finally:
            for model in self._led:
                vars(model).pop("fit", None)
            self._led = None

    def lead(self, model: keras.Model) -> keras.Model:
        """Let `model.fit` be the `fit` of this module, unless the model has one of its own."""
        own = type(model).fit is not keras.Model.fit or "fit" in vars(model)
        if self._led is not None and not own:
            vars(model)["fit"] = _TrialFit(model, self)
            self._led.append(model)
        return model

    def add(self, reason: str | None) -> None:
        """Count a training; the reason is None if it ran by whole epochs."""
        if reason is None:
            self.programs += 1
            return
        self.fallbacks[reason] += 1
        self._notes.add(f"Trained by `keras.Model.fit`, batch by batch: {reason}")


class _TrialFit:
    """The `fit` of a model for the length of a trial."""

    def __init__(self, model: keras.Model, report: FitReport) -> None:
        self._model, self.report = model, report

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return fit_reported(self._model, args, kwargs, self.report)


def fit_arguments(model: keras.Model, args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return all arguments of a call of `keras.Model.fit` by name, those not given too.

    Raises:
        TypeError: `keras.Model.fit` has no such arguments.
    """
    bound = _SIGNATURE.bind(model, *args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def fit_reported(
    model: keras.Model, args: Any, kwargs: Mapping[str, Any], report: FitReport
) -> Any:
    """Train a model like `fit`, and count the training.

    Args:
        model: The model.
        args: Arguments of `keras.Model.fit` by position.
        kwargs: Arguments of `keras.Model.fit` by name.
        report: Gets the reason if `keras.Model.fit` trains the model.
    """
    kerass: Callable[..., Any] = type(model).fit
    try:
        given = fit_arguments(model, args, kwargs)
    except TypeError:  # of which Keras tells more
        return kerass(model, *args, **kwargs)
    reason = reason_to_fall_back(model, given, datasets=True)
    report.add(reason)
    if reason is not None:
        with section("training"):
            return kerass(model, *args, **kwargs)
    with compat.fit_scope(model):
        return EpochLoop(model, given, TrainingData.of(model, given)).run()


_said: dict[bool, Notes] = {shown: Notes(visible=shown) for shown in (False, True)}


def _notes(verbose: Any) -> Notes:
    """Return what says each reason once in the whole program, or none."""
    return _said[verbose != 0]
