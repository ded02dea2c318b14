"""Which data a search trains and validates on, by the hashes of some of their rows."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kt_extras.evaluation.rows import (
    Hashes,
    found_in,
    parts_of,
    row_hashes,
    sampled_hashes,
    texts,
    yields_batches,
)
from kt_extras.records.events import DataSeen, ModelEvaluated
from kt_extras.tuners.roles import is_worker

SAMPLE = 256  # rows: of data of which 2% are in another set, all but 1 in 170 samples have some
LIMIT = 1_000_000  # rows that are read of a data set of batches
_SMALL = 1 << 24  # bytes of training data, which are hashed in some 50 milliseconds


def note_data(tuner: Any, fit_args: Sequence[Any], fit_kwargs: Mapping[str, Any]) -> None:
    """Have the data of a search recorded, and warn if a test set is among them.

    Args:
        tuner: The tuner.
        fit_args: Positional arguments of `search`.
        fit_kwargs: Keyword arguments of `search`.
    """
    if is_worker(tuner):  # the chief has the same data, and the records
        return
    oracle, (train, validation) = tuner._local_oracle, _inputs(fit_args, fit_kwargs)
    with suppress(Exception):  # a tuner with a training of its own may take anything as data
        oracle.note_data(seen_as(train=train, validation=validation))
    tuner._validated_on = validation if yields_batches(validation) else None
    if oracle.evaluations and validation is not None:
        _warn_of_test_data(validation, oracle.evaluations)


def seen_as(*, train: Any = None, validation: Any = None, holdout: Any = None) -> list[DataSeen]:
    """Return what is recorded of the parts of the data that are in memory.

    Args:
        train: The inputs of the training data, None if there are none.
        validation: Those of the validation data.
        holdout: Those of data that nothing was chosen by.

    >>> import numpy as np
    >>> train, validation = seen_as(train=np.arange(9.0), validation=np.arange(8.0, 12.0))
    >>> train.rows, validation.rows, validation.leaked
    (9, 4, 1)
    """
    seen = []
    for part, data in {"train": train, "validation": validation, "holdout": holdout}.items():
        sampled = None if data is None else sampled_hashes(data, SAMPLE)
        if sampled is not None:
            leaked = None
            if part != "train" and train is not None and _is_small(train):
                leaked = found_in(texts(sampled[0]), row_hashes(train))
            sample = texts(sampled[0])
            seen.append(DataSeen(part=part, rows=sampled[1], sample=sample, leaked=leaked))
    return seen


def inputs_of(data: Any) -> Any:
    """Return the inputs of ``(x, y)`` or ``(x, y, weights)``; other data are inputs themselves."""
    return data[0] if isinstance(data, tuple) and data else data


def shared_rows(seen: DataSeen | ModelEvaluated, hashes: Hashes) -> int:
    """Return how many rows of some data are among others, as far as their sample tells."""
    if not seen.sample:
        return 0
    return math.ceil(found_in(seen.sample, hashes) / len(seen.sample) * seen.rows)


def _inputs(fit_args: Sequence[Any], fit_kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the inputs that are trained and validated on, None where that is not known."""
    train = fit_args[0] if fit_args else fit_kwargs.get("x")
    given = dict(zip(("validation_split", "validation_data"), fit_args[6:8], strict=False))
    given |= {name: value for name, value in fit_kwargs.items() if name.startswith("validation_")}
    if given.get("validation_data") is not None:
        return train, inputs_of(given["validation_data"])
    if not given.get("validation_split"):
        return train, None
    try:
        parts = parts_of(train)
    except (TypeError, ValueError):
        return train, None
    place = math.floor(len(parts[0]) * (1.0 - given["validation_split"]))  # as Keras does
    return [part[:place] for part in parts], [part[place:] for part in parts]


def _is_small(data: Any) -> bool:
    """Tell whether all rows can be hashed in no time."""
    try:
        parts = parts_of(data)
    except (TypeError, ValueError):
        return False
    return sum(p.nbytes * (20 if p.dtype.kind == "O" else 1) for p in parts) <= _SMALL


def _warn_of_test_data(validation: Any, evaluations: Sequence[ModelEvaluated]) -> None:
    try:
        hashes = row_hashes(validation, LIMIT)
    except (TypeError, ValueError):
        return
    for evaluation in evaluations:
        if number := shared_rows(evaluation, hashes):
            warnings.warn(
                f"About {number} of the {evaluation.rows} rows of the test set that "
                "`evaluate_once` was called with are validation data now.  What is chosen by them "
                "is not tested by them: keep other rows for the test.",
                stacklevel=4,
            )
            return
