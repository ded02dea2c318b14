"""Replay a schedule of hyperparameters, epoch by epoch, in a plain `fit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Union

import keras

from kt_extras import compat
from kt_extras.model_reuse.optimizer_settings import optimizer_numbers
from kt_extras.model_reuse.optimizer_update import set_numbers

Setter = Callable[[keras.Model, Any], None]
Target = Union[str, Setter]  # noqa: UP007 - Python 3.10

_RATE = "learning_rate"
_RATES = {"lr", "rate", _RATE}


class ReplayHyperparameters(keras.callbacks.Callback):
    """Sets the hyperparameters of a model before each epoch.

    Args:
        at: Returns the values of an epoch; epochs are counted from 0.
        names: The hyperparameters that change.
        targets: Maps a hyperparameter to the number of the optimizer that it sets
            (`"learning_rate"`, `"weight_decay"`, `"momentum"`, ...) or to a function
            ``(model, value)`` that sets it.  Defaults to the number of the same name; `lr` and
            `rate` set the learning rate.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5), "mse")
    >>> replay = ReplayHyperparameters(lambda epoch: {"rate": 0.5**epoch}, ["rate"])
    >>> replay.set_model(model)
    >>> replay.on_train_begin()
    >>> replay.on_epoch_begin(2)
    >>> optimizer_numbers(model)["learning_rate"]
    0.25
    """

    def __init__(
        self,
        at: Callable[[int], Mapping[str, Any]],
        names: list[str],
        targets: Mapping[str, Target] | None = None,
    ) -> None:
        super().__init__()
        self._at, self._names, self._targets = at, names, dict(targets or {})

    def on_train_begin(self, logs: Any = None) -> None:
        """Find the target of each hyperparameter."""
        numbers = optimizer_numbers(self.model)
        for name in self._names:
            target = self._targets.setdefault(name, _RATE if name in _RATES else name)
            if target == _RATE and _RATE not in numbers and _has_rate(self.model.optimizer):
                target = self._targets[name] = _set_rate
            if not callable(target) and target not in numbers:
                raise ValueError(
                    f"`targets` must say what {name!r} is: one of the optimizer's numbers "
                    f"{sorted(numbers)}, or a function (model, value); got {target!r}."
                )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the values of the epoch."""
        point, numbers = self._at(epoch), {}
        for name in self._names:
            target = self._targets[name]
            if callable(target):
                target(self.model, point[name])
            else:
                numbers[target] = point[name]
        set_numbers(self.model, numbers)


def _has_rate(optimizer: Any) -> bool:
    """Tell whether an optimizer that wraps others, or is made of them, has one rate, a number."""
    main = compat.optimizer_parts(optimizer)[-1]
    schedule = keras.optimizers.schedules.LearningRateSchedule
    return hasattr(optimizer, _RATE) and not isinstance(compat.stored_learning_rate(main), schedule)


def _set_rate(model: keras.Model, value: float) -> None:
    model.optimizer.learning_rate = value
