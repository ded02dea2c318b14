"""What drives an oracle: a tuner that reports every epoch, or one that reports a trial at its end.

KerasTuner's own `Tuner` trains a trial to its end, and then reports its best epoch alone.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import keras_tuner

from kt_extras.arguments import is_number
from kt_extras.records.trial_record import TrialRecord
from kt_extras.running_tuner import running_tuner


def reports_at_end() -> bool:
    """Tell whether the oracle is being given to a tuner that trains as KerasTuner's own does."""
    running = running_tuner()
    return running is not None and type(running.tuner).run_trial is keras_tuner.Tuner.run_trial


def has_chief() -> bool:
    """Tell whether this process is the chief of a distributed search, or one of its workers."""
    return "KERASTUNER_ORACLE_IP" in os.environ


def refuse_scheduler() -> None:
    """Raise since a scheduler needs the metrics of every epoch.

    Raises:
        ValueError: Always.
    """
    raise ValueError(
        "`scheduler` needs the metrics of every epoch, and decides how long a trial trains, but "
        "`keras_tuner.Tuner` trains each trial to its end and reports it once.  Use "
        "`kt_extras.Tuner(oracle, hypermodel)`, or a tuner such as `kt_extras.ASHA`."
    )


def warn_without_epochs(names: Sequence[str], stacklevel: int) -> None:
    """Warn that arguments have no effect since no epochs are reported.

    Args:
        names: Arguments of the oracle.
        stacklevel: As for `warnings.warn`, counted from the caller.
    """
    several = len(names) > 1
    warnings.warn(
        f"{' and '.join(f'`{name}`' for name in names)} {'have' if several else 'has'} no effect: "
        "this tuner trains each trial to its end and reports it once, as `keras_tuner.Tuner` does. "
        " Use `kt_extras.Tuner(oracle, hypermodel)`, which reports every epoch.",
        stacklevel=stacklevel + 1,
    )


def as_step(given: object) -> int:
    """Return the epoch that a worker reports as an integer.

    >>> as_step(3.0)
    3
    >>> as_step("3")
    Traceback (most recent call last):
    ValueError: `step` must be an integer from 0, got '3'.
    """
    if not (is_number(given) and given % 1 == 0):  # type: ignore[operator]
        raise ValueError(f"`step` must be an integer from 0, got {given!r}.")
    return int(given)  # type: ignore[call-overload]


def check_step(record: TrialRecord, step: int) -> None:
    """Raise unless a report goes on from the last one, within what the scheduler allows.

    Raises:
        keras_tuner.errors.FatalValueError: It does not, so the trial does not train as the
            scheduler says.
    """
    budget = record.epoch_budget
    if budget is not None and not record.trained <= step < budget:
        raise keras_tuner.errors.FatalValueError(
            f"`step` must be from {record.trained} to {budget - 1}, got {step}: the scheduler "
            f"gives the trial {budget} epochs, of which {record.trained} were reported, and each "
            "is reported once.  Use `kt_extras.Tuner`, which reports every epoch, and train each "
            "trial by one call of `model.fit` that gets the `callbacks`."
        )


def was_reported_once(record: TrialRecord) -> bool:
    """Tell whether only a later epoch of a trial was reported, as at the end of its training."""
    runs = record.executions
    return bool(runs) and all(len(run) == 1 and 0 not in run for run in runs)
