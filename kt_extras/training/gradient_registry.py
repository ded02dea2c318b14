"""Removes gradients of unused graphs from TensorFlow's registry, so that graphs are freed.

`tf.custom_gradient` registers a function, under a name of its own, for each graph that it is traced
into, and the registry keeps it until the process ends.  The function refers to tensors and these
to their graph, so that every such graph stays in memory with all its operations.
Every traced `fit` has one, for optimizers sum their gradients with `ReplicaContext.all_reduce`:
4 MB for a small network, whatever `keras.backend.clear_session` and `gc.collect` do.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kt_extras import compat

_PREFIX = "CustomGradient-"  # of the names that `tf.custom_gradient` chooses
_FUNCTION = "type"  # under which the registry keeps it
_OWNED = "_kt_extras_gradients"


def move_gradients_to_graphs() -> None:
    """Let each graph, and not the registry, keep the gradients that were registered for it.

    They can be looked up while their graph is alive and are freed with it: a model, function or
    graph that is still referenced keeps working.  The entries of freed graphs are removed.  Entries
    of an unknown form are not changed.

    >>> import gc
    >>> @tf.custom_gradient
    ... def clipped(x):
    ...     return tf.identity(x), lambda upstream: tf.clip_by_value(upstream, -1.0, 1.0)
    >>> with tf.Graph().as_default() as graph:
    ...     _ = clipped(tf.constant(2.0))
    >>> alive = weakref.ref(graph)
    >>> move_gradients_to_graphs()
    >>> del graph, _
    >>> _ = gc.collect()
    >>> alive() is None
    True
    """
    registered = compat.registered_gradients()
    for name, entry in list(registered.items()):
        if not name.startswith(_PREFIX):
            continue
        function = entry[_FUNCTION]
        if isinstance(function, _WeakFunction):
            if function.function_ref() is None:
                registered.pop(name, None)
        elif (graph := _graph_of(function)) is not None:
            setattr(graph, _OWNED, [*getattr(graph, _OWNED, []), function])
            entry[_FUNCTION] = _WeakFunction(function)


class _WeakFunction:
    """A weak reference to a function that its graph keeps, called like the function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function_ref = weakref.ref(function)
        self.__name__ = function.__name__

    def __call__(self, *arguments: Any) -> Any:
        function = self.function_ref()
        if function is None:
            raise LookupError(f"The graph of the gradient {self.__name__!r} was freed.")
        return function(*arguments)


def _graph_of(gradient: Any) -> Any:
    """Return the graph that `tf.custom_gradient` made a function for, None if it is not known."""
    results = tf.nest.flatten(
        _enclosed(_enclosed(gradient, "tape_grad_fn"), "result"), expand_composites=True
    )
    graphs = [result.graph for result in results if hasattr(result, "graph")]  # none if eager
    return graphs[0] if graphs else None


def _enclosed(function: Any, name: str) -> Any:
    """Return the value of a variable that a function has closed over, None if there is none."""
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    return function.__closure__[names.index(name)].cell_contents if name in names else None
