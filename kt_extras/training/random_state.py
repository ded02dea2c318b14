"""The random streams that no model owns: Python's, NumPy's, TensorFlow's and Keras' global ones."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.ops import stateful_random_ops

from kt_extras import compat


def random_state() -> dict[str, Any]:
    """Take down where the global random streams are.

    >>> state = random_state()
    >>> before = random.random(), np.random.rand()
    >>> set_random_state(state)
    >>> before == (random.random(), np.random.rand())
    True
    """
    return {
        "python": _taken_down(random.getstate()),
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002 - users' generators use it
        "tensorflow": _tensorflow(),
        "keras": compat.global_seed_state(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Put the global random streams where they were.

    Args:
        state: From `random_state`.

    >>> set_random_state(random_state())
    """
    random.setstate(_as_it_was(state["python"]))
    np.random.set_state(state["numpy"])  # noqa: NPY002
    _set_tensorflow(state["tensorflow"])
    compat.set_global_seed_state(state["keras"])


def _tensorflow() -> dict[str, Any]:
    """Take down the global generator, and the stream of the seeds of eager operations.

    TensorFlow has no public way to that stream, nor to a generator that may not exist yet.
    """
    eager = context.context()
    stream = getattr(eager, "_rng", None)
    generator = getattr(stateful_random_ops, "global_generator", None)
    return {
        "seed": getattr(eager, "_seed", None),
        "stream": None if stream is None else _taken_down(stream.getstate()),
        "generator": None if generator is None else generator.state.numpy(),
    }


def _set_tensorflow(state: dict[str, Any]) -> None:
    eager = context.context()
    if state["stream"] is not None:
        # Not `tf.random.set_seed`, which drops all kernels; what was traced would be made anew.
        eager._seed, eager._rng = state["seed"], random.Random(state["seed"])
        eager._rng.setstate(_as_it_was(state["stream"]))
    if state["generator"] is not None:
        tf.random.get_global_generator().state.assign(state["generator"])


def _taken_down(state: tuple[Any, ...]) -> tuple[Any, ...]:
    version, internal, gauss = state
    return version, np.array(internal, np.uint32), gauss


def _as_it_was(state: tuple[Any, ...]) -> tuple[Any, ...]:
    version, internal, gauss = state
    return version, tuple(internal.tolist()), gauss
