"""Save, restore and seed the global random streams of Python, NumPy, TensorFlow and Keras."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kt_extras import compat

# Seeds that were set here; cached kernels of random operations may have drawn numbers with them.
_used_seeds: set[int | None] = set()


def set_seed(seed: int) -> None:
    """Seed the global random streams as `keras.utils.set_random_seed` does, but faster.

    That function drops all cached kernels, since some random operations keep their state in them,
    and creating them again for a traced model takes a quarter of the time of its trace.  A kernel
    belongs to one global seed, so a seed that is set for the first time has no kernels to drop.

    Args:
        seed: An integer from 0 to 2**32 - 1.

    >>> set_seed(3)
    >>> before = random.random(), float(tf.random.normal([]))
    >>> set_seed(3)
    >>> before == (random.random(), float(tf.random.normal([])))
    True
    """
    if seed in _used_seeds:
        keras.utils.set_random_seed(seed)
        return
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    _set_eager_seed(seed)
    compat.set_keras_seed(seed)


def random_state() -> dict[str, Any]:
    """Return the state of the global random streams.

    >>> state = random_state()
    >>> before = random.random(), np.random.rand()
    >>> set_random_state(state)
    >>> before == (random.random(), np.random.rand())
    True
    """
    return {
        "python": _to_arrays(random.getstate()),
        "numpy": np.random.get_state(legacy=False),  # noqa: NPY002 - users' generators use it
        "tensorflow": _tensorflow(),
        "keras": compat.global_seed_state(),
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Restore the state of the global random streams.

    Args:
        state: The result of `random_state`.

    >>> set_random_state(random_state())
    """
    random.setstate(_from_arrays(state["python"]))
    np.random.set_state(state["numpy"])  # noqa: NPY002
    _set_tensorflow(state["tensorflow"])
    compat.set_global_seed_state(state["keras"])


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Restore the global random streams at the end, also those that had no seed.

    >>> random.seed(3)
    >>> with random_state_kept():
    ...     set_seed(4)
    ...     _ = random.random()
    >>> after = random.random()
    >>> random.seed(3)
    >>> after == random.random()
    True
    """
    python, numpy = random.getstate(), np.random.get_state(legacy=False)  # noqa: NPY002
    restore_keras, restore_eager = compat.keras_seeds(), compat.eager_randomness()
    generator = compat.global_generator()
    state = None if generator is None else generator.state.numpy()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        restore_keras()
        restore_eager()
        if generator is not None:
            generator.state.assign(state)


def _tensorflow() -> dict[str, Any]:
    """Return the state of the global generator and of the stream that seeds eager operations.

    TensorFlow has no public access to that stream, nor a check whether the generator exists.
    """
    seed, stream = compat.eager_seeds()
    generator = compat.global_generator()
    return {
        "seed": seed,
        "stream": None if stream is None else _to_arrays(stream.getstate()),
        "generator": None if generator is None else generator.state.numpy(),
    }


def _set_tensorflow(state: dict[str, Any]) -> None:
    if state["stream"] is not None:
        stream = _set_eager_seed(state["seed"])
        stream.setstate(_from_arrays(state["stream"]))
    if state["generator"] is not None:
        tf.random.get_global_generator().state.assign(state["generator"])


def _set_eager_seed(seed: int | None) -> random.Random:
    """Do the same as `tf.random.set_seed` without dropping kernels; return the stream."""
    _used_seeds.add(seed)
    return compat.set_eager_seed(seed)


def _to_arrays(state: tuple[Any, ...]) -> tuple[Any, ...]:
    version, internal, gauss = state
    return version, np.array(internal, np.uint32), gauss


def _from_arrays(state: tuple[Any, ...]) -> tuple[Any, ...]:
    version, internal, gauss = state
    return version, tuple(internal.tolist()), gauss
