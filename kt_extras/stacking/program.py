"""Many models' steps as one program."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from kt_extras.stacking import converters
from kt_extras.stacking.model_step import ModelStep
from kt_extras.stacking.refusal import NotStackable
from kt_extras.training.fit_data import ArrayData

Step = Callable[..., list[Any]]

_SECONDS = 0.4  # that one call takes at most, so that an interruption is noticed


class Program:
    """One step for a fixed number of models, and a loop over the batches of an epoch.

    Args:
        step: The step of one model, `ModelStep.train` or `ModelStep.evaluate`.
        count: The number of models.
        data: The data, for shapes and the size of a batch.
        own_order: Whether each model has batches of its own.

    Attributes:
        one: One step.
        trace_seconds: How long the trace of it has taken.
    """

    def __init__(self, step: Step, count: int, data: ArrayData, *, own_order: bool) -> None:
        self._step, self._count, self.own_order = step, count, own_order
        self._batch_size = data.batch_size
        # The first dimension is unknown where it is in `fit`: if the last batch is smaller.
        size = None if data.has_partial_batch else data.batch_size
        first = [count, size] if own_order else [size]
        self._batch = tf.nest.map_structure(
            lambda tensor: tf.TensorSpec([*first, *tensor.shape[1:]], tensor.dtype), data.data
        )
        self.one: Any = None
        self.trace_seconds = 0.0
        self._piece = 1  # batches in a call; the first traces
        self._loop = tf.function(self._over_batches, autograph=False)

    def trace(self, state: list[Any], values: list[Any]) -> None:
        """Trace the step.

        Raises:
            NotStackable: Some operation cannot be mapped, or it has state that is not in variables.
        """
        begun = time.perf_counter()
        specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in state]
        rest = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in values]
        signature = specs, rest, self._batch
        self.one = tf.function(self._mapped, autograph=False, input_signature=signature)
        with refusing(), converters.added(self._count):
            captured = self.one.get_concrete_function().captured_inputs
        if any(tensor.dtype == tf.resource for tensor in captured):
            raise NotStackable("its step has state that is not among the model's variables")
        self.trace_seconds = time.perf_counter() - begun

    def run(self, state: list[Any], values: list[Any], data: ArrayData, order: Any) -> list[Any]:
        """Return the variables after all batches.

        They are run in pieces, between which an interruption is noticed.

        Args:
            state: The stacked variables.
            values: The stacked numbers.
            data: All samples.
            order: The samples in the order in which they are taken, for all models or for each;
                None for the order that they have.
        """
        at = 0
        while at < data.batches:
            stop, begun = min(at + self._piece, data.batches), time.perf_counter()
            limits = tf.constant(at), tf.constant(stop)
            state = list(self._loop(state, values, data.data, order, *limits))
            seconds = (time.perf_counter() - begun) / (stop - at)
            at, self._piece = stop, max(1, int(_SECONDS / max(seconds, 1e-9)))
        return state

    def batch(self, data: Any, order: Any, step: Any) -> Any:
        """Return the batch of a step."""
        begin = step * self._batch_size
        end = begin + self._batch_size
        if order is None:
            taken = tf.nest.map_structure(lambda tensor: tensor[begin:end], data)
        else:
            rows = order[..., begin:end]
            taken = tf.nest.map_structure(lambda tensor: tf.gather(tensor, rows), data)
        return tf.nest.map_structure(
            lambda tensor, spec: tf.ensure_shape(tensor, spec.shape), taken, self._batch
        )

    def _mapped(self, state: list[Any], values: list[Any], data: Any) -> list[Any]:
        if self.own_order:
            return list(_map(lambda one: self._step(*one), (state, values, data)))
        return list(_map(lambda one: self._step(*one, data), (state, values)))

    def _over_batches(
        self, state: list[Any], values: list[Any], data: Any, order: Any, start: Any, stop: Any
    ) -> list[Any]:
        def body(step: Any, *now: Any) -> Any:
            return step + 1, *self.one(list(now), values, self.batch(data, order, step))

        _, *after = tf.while_loop(lambda step, *_: step < stop, body, (start, *state))
        return after


def results_of(step: ModelStep) -> Callable[[list[Any]], dict[str, Any]]:
    """Return a function that computes the metrics of all models."""

    def mapped(state: list[Any]) -> Any:
        return _map(lambda one: step.results(one), state)

    made = tf.function(mapped, autograph=False)

    def results(state: list[Any]) -> Any:
        with converters.added(len(state[0])), refusing():
            return made(state)

    return results


def _map(one: Callable[[Any], Any], values: Any) -> Any:
    return tf.vectorized_map(one, values, fallback_to_while_loop=False)


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what is raised by a map into a refusal, without TensorFlow's log of it.

    That the memory is used up is left as it is.
    """
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    except (NotStackable, MemoryError, tf.errors.ResourceExhaustedError):
        raise
    # Layers and converters may raise anything.
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise NotStackable(f"it cannot be mapped: {lines[0][:200]}") from error
    finally:
        logger.setLevel(level)
