"""The evaluation of a model on a test set, which is on record: a test set is new only once."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kt_extras.arguments import counted
from kt_extras.bridge.metrics import encoded
from kt_extras.evaluation.rows import Hashes, row_hashes, texts
from kt_extras.records.events import DataSeen, ModelEvaluated
from kt_extras.tuners.data_used import LIMIT, SAMPLE, seen_as, shared_rows
from kt_extras.tuners.roles import refuse_without_records

_PARTS = {
    "train": "the training data of the search",
    "validation": "the validation data of the search",
    "holdout": "the holdout of `confirm`",
}


def evaluate_once(
    tuner: Any, x: Any, y: Any, model: keras.Model | None, kwargs: Mapping[str, Any]
) -> dict[str, float]:
    """Evaluate a model, record that, and warn if the test set is not new.

    Args:
        tuner: The tuner.
        x: As for `keras.Model.evaluate`, but no generator.
        y: As for `keras.Model.evaluate`.
        model: Defaults to None: the best model of the search.
        kwargs: As for `keras.Model.evaluate`.
    """
    refuse_without_records(tuner, "evaluate_once")
    hashes, oracle = _hashes(x), tuner._local_oracle
    with oracle.writing():
        trial = None
        if model is None:
            model = tuner.get_best_models()[0]
            trial = tuner.oracle.get_best_trials(1)[0].trial_id
        options = {"verbose": 0, **kwargs, "return_dict": True}
        measured = model.evaluate(x, y, **options)
        metrics = {name: float(value) for name, value in measured.items() if np.ndim(value) == 0}
        earlier = [one for one in oracle.evaluations if shared_rows(one, hashes)]
        event = ModelEvaluated(
            trial=trial,
            metrics=encoded(metrics),
            rows=len(hashes),
            sample=texts(_sample(hashes)),
            at=round(time.time(), 3),
        )
        oracle.record(event)
    seen = [*oracle.data_seen, *seen_as(validation=tuner._validated_on)]
    for text in [*_said_of_earlier(earlier), *_said_of_data(seen, hashes, tuner._validated_on)]:
        warnings.warn(text, stacklevel=3)
    return metrics


def _hashes(x: Any) -> Hashes:
    try:
        return row_hashes(x, LIMIT)
    except TypeError as error:
        raise TypeError(
            "`x_test` must be data whose rows can be read twice, once to tell whether they are "
            f"new: {error}"
        ) from None


def _sample(hashes: Hashes) -> Hashes:
    places = np.linspace(0, len(hashes) - 1, min(SAMPLE, len(hashes))).astype(int)
    return hashes[places]


def _said_of_earlier(earlier: Sequence[ModelEvaluated]) -> Iterator[str]:
    if not earlier:
        return
    first = earlier[0]
    whose = "a model" if first.trial is None else f"the model of trial {first.trial!r}"
    found = ", ".join(f"{name} {float(value):.4g}" for name, value in first.metrics.items())
    yield (
        f"These test data were evaluated {counted(len(earlier), 'time')} before; the first time "
        f"was {_date(first.at)}, with {whose} ({found}).  If anything was changed or chosen by "
        "that, this score is too good: report the first one, or use new data."
    )


def _said_of_data(seen: Sequence[DataSeen], hashes: Hashes, dataset: Any) -> Iterator[str]:
    parts = {one.part: shared_rows(one, hashes) for one in seen if shared_rows(one, hashes)}
    if dataset is not None:
        read = row_hashes(dataset, LIMIT)
        if number := int(np.isin(read, hashes).sum()):
            parts["validation"] = number
    for part, number in parts.items():
        yield (
            f"About {counted(number, 'row')} of {_PARTS[part]} are among the "
            f"{len(hashes)} rows of `x_test`: this score is not that of new data.  "
            "`kt_extras.count_leaks` counts them exactly."
        )
    for one in seen:
        if one.leaked and one.part == "validation":
            number = round(one.leaked / len(one.sample) * one.rows)
            yield (
                f"About {counted(number, 'row')} of the {one.rows} of the validation data of the "
                "search are training data, too, so that its scores are too good.  "
                "`kt_extras.count_leaks` counts them exactly."
            )


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
