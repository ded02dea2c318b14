"""What a tuner does with a hypermodel that is a `TrainingSpace`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kt_extras.bridge.space_discovery import declare_space
from kt_extras.checkpoints.random_state import random_state_kept
from kt_extras.hypermodels.training_space import TrainingSpace, by_name
from kt_extras.parallel.sent_data import made_by_workers
from kt_extras.training.callbacks import callbacks_for
from kt_extras.training.global_state import settings_kept
from kt_extras.tuners.roles import is_worker

#: Arguments of `fit` by which a group of trials shares its data and its batches.
_SHARED = (
    *("x", "y", "sample_weight", "class_weight", "batch_size", "shuffle"),
    *("validation_data", "validation_split", "validation_batch_size"),
)


def search_arguments(
    tuner: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the named arguments of `search` with the callbacks of the search space.

    Args:
        tuner: The tuner.
        args: Positional arguments of `search`.
        kwargs: Named arguments of `search`.

    Raises:
        TypeError: One of them is in the search space too.
        ValueError: The search space has `epochs`, which the scheduler of the tuner sets.
    """
    space = tuner.hypermodel
    if not isinstance(space, TrainingSpace):
        return kwargs
    by_position = by_name(args, {})
    for name in space.settings:
        if name in by_position or kwargs.get(name) is not None:
            raise TypeError(
                f"`{name}` is set by the `TrainingSpace`, and passed to `search` too: leave it out "
                "in one of the two."
            )
    if tuner._local_oracle.scheduler is not None and "epochs" in space.settings:
        raise ValueError(
            "`epochs` of a `TrainingSpace` must be None with this tuner, whose scheduler sets how "
            "long each trial trains: set its `max_epochs`, or use a tuner without a scheduler, "
            "such as `kt_extras.TPE`."
        )
    if not space.makes_callbacks:
        return kwargs
    return {**kwargs, "callbacks": _Callbacks(kwargs.get("callbacks"), space)}


class _Callbacks:
    """A function of `hp` and a trial that makes the user's callbacks, and those of a space."""

    def __init__(self, given: Any, space: TrainingSpace) -> None:
        self._given, self._space = given, space

    def __call__(self, hp: Any, trial: Any) -> list[Any]:
        return [*callbacks_for(self._given, trial), *self._space.callbacks(hp)]


def declare_with_data(tuner: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Declare the hyperparameters of functions of the data before the first trial.

    Args:
        tuner: The tuner.
        args: Positional arguments of `search`.
        kwargs: Named arguments of `search`.
    """
    space = tuner.hypermodel
    if not isinstance(space, TrainingSpace) or not space.declares_with_data:
        return
    if is_worker(tuner) or made_by_workers(args, kwargs):
        return
    with settings_kept(), random_state_kept():
        declare_space(
            lambda hp: space.fit_arguments(hp, args, kwargs),
            tuner.oracle.get_space,
            tuner.oracle.update_space,
        )


def fit_arguments_of(
    hypermodel: Any, hp: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return what `keras.Model.fit` gets in a trial, by position and by name."""
    if isinstance(hypermodel, TrainingSpace):
        return (), hypermodel.fit_arguments(hp, args, kwargs)
    return args, kwargs


def share_data(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two trainings have the same rows in batches of the same size.

    Args:
        one: All arguments of `keras.Model.fit`.
        other: Those of another training.

    >>> share_data({"x": 1, "batch_size": 32, "epochs": 2}, {"x": 1, "batch_size": 64})
    False
    """
    return all(_same(one.get(name), other.get(name)) for name in _SHARED)


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_same, one, other))
    plain = (int, float, str, dict)
    return isinstance(one, plain) and isinstance(other, plain) and one == other
