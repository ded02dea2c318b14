"""The steps of a live model, which notice their traces and read held numbers."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from kt_extras import compat
from kt_extras.model_reuse.model_numbers import HeldNumbers
from kt_extras.model_reuse.optimizer_update import held_variables

_STEPS = ("train_step", "test_step", "predict_step")


class TracedSteps:
    """Puts itself around the steps of a model: of training, validation and prediction.

    Args:
        model: A compiled model.

    Attributes:
        held: The numbers that the steps read from variables, None if there are none.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> steps = TracedSteps(model)
    >>> steps.refusal()
    'it was not trained by `fit`'
    >>> _ = model.fit(tf.ones((4, 2)), tf.ones((4, 1)), verbose=0)
    >>> steps.refusal() is None
    True
    >>> steps.remove()
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._graphs: list[Callable[[], Any]] = []
        self.held: HeldNumbers | None = None
        for name in _STEPS:
            vars(model)[name] = self._noticed(getattr(model, name))

    def remove(self) -> None:
        """Give the model its own steps back."""
        for name in _STEPS:
            vars(self._model).pop(name, None)

    def refusal(self) -> str | None:
        """Return why what was traced is not safe for other trials, None if it is."""
        if self._model.run_eagerly:
            return "it runs eagerly, so nothing is traced"
        graphs = [graph for graph in (alive() for alive in self._graphs) if graph is not None]
        if not graphs:
            return "it was not trained by `fit`"
        known = compat.step_variables(self._model)
        known += [] if self.held is None else list(self.held.variables.values())
        known += held_variables(self._model)
        for graph in graphs:
            found = compat.foreign_state(graph, known)
            if found is not None:
                return f"its step uses {found}, which may keep a state between trials"
        return None

    def _noticed(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)
        def run(*args: Any, **kwargs: Any) -> Any:
            if not tf.executing_eagerly():
                self._graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
            if self.held is None:
                return step(*args, **kwargs)
            with self.held.in_place():
                return step(*args, **kwargs)

        return run
