"""The outcome of a trial: its results or its failure, as the oracle takes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.bridge.declared_ranges import DeclarationError
from kt_extras.bridge.metrics import NO_EPOCH, metric_history
from kt_extras.bridge.objective import names_of
from kt_extras.tuners.returned_metrics import final_metrics
from kt_extras.tuners.short_traceback import described, raised_in_library

_VALIDATORS = (str(Path(__file__).parents[1]), str(Path(keras_tuner.__file__).parent))
_TOO_LARGE = (  # KerasTuner's words do not name the argument
    " parameters. Skip model.",
    " parameters, more than `max_model_size` allows.",
)
_OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "out of memory", "OUT_OF_MEMORY", "OOM when allocating")


Constraint = Callable[[keras_tuner.HyperParameters, keras.Model], Any]


class RejectedModelError(Exception):
    """`constraint` has rejected a model."""


def check_constraint(
    constraint: Constraint | None, hp: keras_tuner.HyperParameters, model: keras.Model
) -> None:
    """Raise if the user's `constraint` rejects a model.

    Raises:
        RejectedModelError: It does.
        keras_tuner.errors.FatalTypeError: It returns None.
    """
    answer = True if constraint is None else constraint(hp, model)
    if answer is None:
        raise keras_tuner.errors.FatalTypeError(
            "`constraint` must return True or False, got None.  Is a `return` missing?"
        )
    if not answer:
        raise RejectedModelError("`constraint` has rejected the model.")


def check_model(model: Any, max_size: int | None) -> None:
    """Raise unless a model can be trained, as KerasTuner does when it has built one.

    Args:
        model: What `build` has returned.
        max_size: The maximum number of parameters, None for no limit.

    Raises:
        keras_tuner.errors.FatalTypeError: It is no model.
        keras_tuner.errors.FailedTrialError: It has more parameters.
    """
    if not isinstance(model, keras.Model):
        raise keras_tuner.errors.FatalTypeError(
            f"`build` must return a `keras.Model`, got {model!r}.  Is a `return` missing?"
        )
    weights = model.trainable_weights if model.built else []
    size = sum(math.prod(weight.shape) for weight in weights)
    if max_size and size > max_size:
        raise keras_tuner.errors.FailedTrialError(
            f"Oversized model: {size} parameters, where `max_model_size` is {max_size}."
        )


def add_results(
    trial: Trial,
    results: Any,
    oracle: keras_tuner.Oracle,
    *,
    pruned: bool,
    scheduled: bool = False,
) -> None:
    """Add to a trial the metrics that its training returned and its epochs have not reported.

    Args:
        trial: The trial, before it is returned to the oracle.
        results: What `run_trial` has returned.
        oracle: The oracle, which has the reported metrics.
        pruned: Whether there is a pruner, which needs reports.
        scheduled: Whether there is a scheduler, which needs reports of the objective and keeps to
            them.  Defaults to False.

    Raises:
        keras_tuner.errors.FatalValueError: There is a pruner or a scheduler and it was not
            reported what they need, or the objective was neither reported nor returned.
    """
    objective = oracle.objective
    reported = oracle.get_trial(trial.trial_id).metrics
    has_objective = all(reported.exists(name) for name in names_of(objective))
    if has_objective and (results is None or _only_histories(results)):
        return
    metrics, step = final_metrics(results, objective)
    if pruned and not reported.metrics:
        raise keras_tuner.errors.FatalValueError(
            "`pruner` needs the metrics of every epoch, but this `run_trial` or "
            "`HyperModel.fit` reported none.  Pass the `callbacks` that it is given on to "
            "`model.fit`, or set `pruner=None`."
        )
    if scheduled and not has_objective:
        raise keras_tuner.errors.FatalValueError(
            f"`objective` {names_of(objective)} must be among the metrics of every epoch: the "
            "scheduler compares trials by it while they train, and what `run_trial` or "
            "`HyperModel.fit` returns comes too late.  Report it with the epochs, or use a tuner "
            "without a scheduler, such as `kt_extras.TPE`."
        )
    for name, value in metrics.items():
        if not trial.metrics.exists(name):
            metric_history(trial, name, objective).update(value, step=step or 0)
    if scheduled:  # the score is that by which trials were compared
        return
    trial.score, trial.best_step = metrics[objective.name], NO_EPOCH if step is None else step


def set_failure(trial: Trial, error: Exception) -> None:
    """Set a trial's status and message to those of the error that ended it."""
    trial.message = described(error).replace(*_TOO_LARGE)
    if isinstance(error, RejectedModelError):
        trial.status, trial.message = TrialStatus.IDLE, str(error)  # it never ran
    elif is_infeasible(error):
        trial.status = TrialStatus.FAILED
    else:
        trial.status = TrialStatus.INVALID


def is_fatal(error: Exception, *, proven: bool) -> bool:
    """Return whether an error ends the search, rather than its trial.

    KerasTuner ends a search at any wrong type.  Once a trial has shown that the program works, a
    wrong type from another is that trial's failure.  A fatal error that the user's own code raises
    always ends the search.

    Args:
        error: Raised by a trial.
        proven: Whether a trial of this session has run to its end.
    """
    if not isinstance(error, keras_tuner.errors.FatalError):
        return False
    if isinstance(error, DeclarationError):  # it would recur, and is no fault of the point
        return True
    return not proven or not raised_in_library(error, *_VALIDATORS)


def is_infeasible(error: BaseException) -> bool:
    """Return whether an error means that a model cannot run, rather than that the code is wrong.

    >>> is_infeasible(MemoryError()), is_infeasible(KeyError())
    (True, False)
    """
    if isinstance(error, (keras_tuner.errors.FailedTrialError, MemoryError)):
        return True
    name, text = type(error).__name__, str(error)
    foreign = name in {"InternalError", "UnknownError", "XlaRuntimeError", "JaxRuntimeError"}
    return name in {"ResourceExhaustedError", "OutOfMemoryError"} or (
        foreign and any(words in text for words in _OUT_OF_MEMORY)
    )


def _only_histories(results: Any) -> bool:
    results = results if isinstance(results, list) else [results]
    return all(isinstance(result, keras.callbacks.History) for result in results)
