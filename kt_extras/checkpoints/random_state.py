"""The random streams that no model owns: Python's, NumPy's, TensorFlow's and Keras' global ones."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras import compat

# Seeds that were in force here; random operations may have gone on from where these begin them.
_known: set[int | None] = set()


def set_seed(seed: int) -> None:
    """Begin the global random streams where `keras.utils.set_random_seed` does.

    That drops all kernels, for some random operations keep a state in theirs, and to make them
    again for a traced model costs a quarter of what its trace did.  Such a kernel knows the global
    seed; so with a new seed there is none that would have to be dropped, and here none is.

    Args:
        seed: From 0 to 2**32 - 1.

    >>> set_seed(3)
    >>> before = random.random(), float(tf.random.normal([]))
    >>> set_seed(3)
    >>> before == (random.random(), float(tf.random.normal([])))
    True
    """
    if seed in _known:
        keras.utils.set_random_seed(seed)
        return
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    _begin_eager_seeds(seed)
    compat.set_keras_seed(seed)


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
    seed, stream = compat.eager_seeds()
    generator = compat.global_generator()
    return {
        "seed": seed,
        "stream": None if stream is None else _taken_down(stream.getstate()),
        "generator": None if generator is None else generator.state.numpy(),
    }


def _set_tensorflow(state: dict[str, Any]) -> None:
    if state["stream"] is not None:
        stream = _begin_eager_seeds(state["seed"])
        stream.setstate(_as_it_was(state["stream"]))
    if state["generator"] is not None:
        tf.random.get_global_generator().state.assign(state["generator"])


def _begin_eager_seeds(seed: int | None) -> random.Random:
    """Do what `tf.random.set_seed` does, without dropping all kernels; return the stream."""
    _known.add(seed)
    return compat.set_eager_seed(seed)


def _taken_down(state: tuple[Any, ...]) -> tuple[Any, ...]:
    version, internal, gauss = state
    return version, np.array(internal, np.uint32), gauss


def _as_it_was(state: tuple[Any, ...]) -> tuple[Any, ...]:
    version, internal, gauss = state
    return version, tuple(internal.tolist()), gauss
