"""The learning-rate range test (Smith 2017, arXiv 1506.01186, sec. 3.3)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras.arrays import FloatArray
from kt_extras.optimizers.copies import with_learning_rate
from kt_extras.schedules.arguments import check_rate, check_steps

if TYPE_CHECKING:
    import keras_tuner

_FRACTION = 0.1  # of the whole decrease: the range begins after it and ends within it of the lowest
_MIN_STEPS = 10  # fewest steps that give a result


@dataclass(frozen=True)
class RangeTest:
    """The losses of a training in which the learning rate grew from step to step.

    Args:
        rates: Shape ``(n,)``, growing.
        losses: Shape ``(n,)``: the loss of the batch that was trained on at that rate.

    >>> rates = np.geomspace(1e-4, 1.0, 9)
    >>> test = RangeTest(rates, np.array([2.0, 2.0, 2.0, 1.6, 1.2, 0.8, 0.4, 1.0, 9.0]))
    >>> [round(rate, 4) for rate in test.suggestion()]
    [0.0032, 0.1]
    """

    rates: FloatArray
    losses: FloatArray

    @property
    def smoothed(self) -> FloatArray:
        """Medians of a tenth of the losses around each, shape ``(n,)``.

        Unlike a moving average they lag behind nothing, and one odd batch does not count.
        """
        reach = len(self.losses) // 20
        windows = [self.losses[max(i - reach, 0) : i + reach + 1] for i in range(len(self.losses))]
        return np.array([np.median(window) for window in windows])

    def suggestion(self) -> tuple[float, float]:
        """Return the range of rates that is worth searching.

        It begins where the smoothed loss has fallen by a tenth of what it falls in all, and ends
        where it has risen again by as much.

        Raises:
            ValueError: The loss has not fallen, or only in the first tenth of the steps.
        """
        if (found := self._range()) is None:
            raise ValueError(
                f"No range can be suggested: the loss has not fallen between {self.rates[0]:.1e} "
                f"and {self.rates[-1]:.1e}.  Test with a smaller `low`, or more `steps`."
            )
        return found

    def _range(self) -> tuple[float, float] | None:
        smooth = self.smoothed
        bottom = int(np.argmin(smooth))
        start = float(np.median(self.losses[: max(len(self.losses) // 10, 1)]))
        if not smooth[bottom] < start or bottom <= len(smooth) // 10:
            return None
        slack = _FRACTION * (start - smooth[bottom])
        high = np.flatnonzero(smooth[:bottom] >= start - slack)
        risen = np.flatnonzero(smooth[bottom:] > smooth[bottom] + slack)
        first = int(high[-1]) + 1 if len(high) else 0
        last = bottom + int(risen[0]) - 1 if len(risen) else len(smooth) - 1
        return float(self.rates[min(first, last - 1)]), float(self.rates[last])

    def narrow(self, hp: keras_tuner.HyperParameters, name: str = "learning_rate") -> float:
        """Declare a learning rate in this range, on a log scale, and return its value.

        In `build(hp)` it stands for `hp.Float(name, ...)`.  In a `HyperParameters` object that is
        given to a tuner as `hyperparameters` it takes the place of what `build(hp)` declares.
        """
        low, high = self.suggestion()
        return float(hp.Float(name, low, high, sampling="log", default=math.sqrt(low * high)))

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses over the rates, with the suggested range if there is one.

        Args:
            ax: Axes of Matplotlib to draw on; by default new ones.

        Returns:
            The axes.

        Raises:
            ModuleNotFoundError: Matplotlib is not installed.
        """
        if ax is None:
            ax = _new_axes()
        ax.plot(self.rates, self.losses, color="0.75", label="loss of the batch")
        ax.plot(self.rates, self.smoothed, label="smoothed")
        start, lowest = float(self.losses[0]), float(self.smoothed.min())
        if found := self._range():
            ax.axvspan(*found, alpha=0.15, label="suggested range")
        if lowest < start:
            ax.set_ylim(lowest - 0.1 * (start - lowest), start + 0.5 * (start - lowest))
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        ax.legend()
        return ax


def learning_rate_range_test(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
    divergence: float = 3.0,
    **fit: Any,
) -> RangeTest:
    """Train for a few batches while the learning rate grows exponentially, then undo that.

    The training is the model's own `fit`, with a fresh copy of its optimizer and one step an
    execution.  Afterwards the model has the weights, statistics and optimizer that it had before;
    on Keras 2 its dropout goes on with other random numbers.

    Args:
        model: A compiled model whose variables exist.
        x: What `fit` takes: arrays, a data set, ...; may be shorter than `steps` batches.
        y: Targets, if they are not in `x`. Defaults to `None`.
        low: The first rate, above 0. Defaults to `1e-6`.
        high: The last rate, above `low`. Defaults to `1.0`.
        steps: Batches, at least 10. Defaults to `100`.
        divergence: The test ends early at a loss that is not finite, or that exceeds the median of
            the first ten by this many times its size. Defaults to `3.0`.
        fit: Other arguments of `fit`, such as `batch_size` and `class_weight`.

    Raises:
        ValueError: An argument is out of its range, the model is not compiled or not built, or the
            loss is not finite in the first ten steps.

    >>> model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = np.linspace(-1, 1, 8)[:, None]
    >>> test = learning_rate_range_test(model, x, 3 * x, steps=20, batch_size=8)
    >>> len(test.rates), len(test.losses)
    (20, 20)
    """
    low, high = check_rate("low", low), check_rate("high", high)
    if not low < high:
        raise ValueError(f"`high` must be above `low`, got {high!r} and {low!r}.")
    steps = check_steps("steps", steps, minimum=_MIN_STEPS)
    _check_ready(model)
    for name in ("epochs", "callbacks", "validation_data", "validation_split", "initial_epoch"):
        if name in fit:
            raise ValueError(f"`{name}` has no use in a range test; its length is `steps`.")
    growth = keras.optimizers.schedules.ExponentialDecay(low, steps - 1, high / low)
    recorder = _Recorder(steps, check_rate("divergence", divergence))
    with model.distribute_strategy.scope():
        optimizer = with_learning_rate(model.optimizer, growth)
    with _borrowed(model, optimizer):
        model.fit(x, y, epochs=steps, callbacks=[recorder], **{"verbose": 0, **fit})
    taken = len(recorder.losses)
    if taken < _MIN_STEPS:
        raise ValueError(
            f"`low` must be a rate at which the model can be trained; from {low:.1e} on the loss "
            f"stopped being a finite number after {taken} steps."
        )
    return RangeTest(np.geomspace(low, high, steps)[:taken], np.array(recorder.losses))


def _check_ready(model: keras.Model) -> None:
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            f"`model` must be compiled before a range test, got {model!r}; call `model.compile`."
        )
    if not model.built:
        raise ValueError(
            "`model` must have its variables, so that they can be restored; call it on a batch, "
            "or begin it with `keras.layers.Input`."
        )


@contextmanager
def _borrowed(model: keras.Model, optimizer: Any) -> Iterator[None]:
    """Let a model train with another optimizer, step by step, and undo what that changes."""
    own, execution = model.optimizer, int(tf.convert_to_tensor(model.steps_per_execution))
    tuned = getattr(model, "autotune_steps_per_execution", False)  # on Keras 2
    variables = [(variable, np.array(variable.numpy())) for variable in model.variables]
    model.optimizer, model.train_function = optimizer, None  # the function knows its optimizer
    model.steps_per_execution = 1  # so that each rate has a loss
    if tuned:
        model.autotune_steps_per_execution = False
    try:
        yield
    finally:
        model.optimizer, model.train_function = own, None
        model.steps_per_execution = execution
        if tuned:
            model.autotune_steps_per_execution = True
        for variable, value in variables:
            variable.assign(value)


class _Recorder(keras.callbacks.Callback):
    """Keeps the loss of each batch, and ends the training when there is nothing more to learn."""

    def __init__(self, steps: int, divergence: float) -> None:
        super().__init__()
        self.losses: list[float] = []
        self._steps = steps
        self._divergence = divergence

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Start the mean again, which Keras would take over the epoch."""
        self.model.reset_metrics()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keep the loss."""
        loss = float((logs or {})["loss"])
        if math.isfinite(loss) and len(self.losses) < self._steps:
            self.losses.append(loss)
        if not math.isfinite(loss) or len(self.losses) == self._steps or self._diverged():
            self.model.stop_training = True

    def _diverged(self) -> bool:
        start = float(np.median(self.losses[:_MIN_STEPS]))
        return self.losses[-1] > start + self._divergence * abs(start)


def _new_axes() -> Any:
    try:
        from matplotlib import pyplot
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Drawing a range test needs Matplotlib; run `pip install matplotlib`.", name=error.name
        ) from error
    return pyplot.subplots()[1]
