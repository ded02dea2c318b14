"""Tables of a search: rows of trials and columns of epochs, for data frames and files."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import os
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kt_extras.analysis.executions import standard_error
from kt_extras.analysis.search_data import SearchData, TrialData
from kt_extras.analysis.space_config import space_config
from kt_extras.analysis.written_file import file_to_write

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]


def rows_of(search: SearchData) -> list[Row]:
    """Return one row a trial.

    Returns:
        Rows with `number`, `trial_id`, `state`, `score`, `best_epoch` (from 0), `epochs` (trained,
        over all executions), `seconds`, `message`, each hyperparameter under its own name
        (`values.<name>` if that is taken), and each metric of the best epoch under its own name
        (`metrics.<name>` if that is taken, by a hyperparameter of any trial, too).  Inactive
        hyperparameters are left out, and so are the metrics of trials without a score.  With
        several executions or folds there is `standard_error`, that of the mean score.  With
        several objectives each of them has a column, and with constraints there is `violation`,
        which is 0 for a trial that meets them.
    """
    hyperparameters = {name for trial in search.trials for name in trial.values}
    repeated = any(len(trial.executions) > 1 for trial in search.trials)
    return [_row(trial, search, hyperparameters, repeated=repeated) for trial in search.trials]


def _row(
    trial: TrialData, search: SearchData, hyperparameters: Container[str], *, repeated: bool
) -> Row:
    row: Row = {
        "number": trial.number,
        "trial_id": trial.trial_id,
        "state": trial.state,
        "score": trial.score,
        "best_epoch": trial.best_epoch,
        "epochs": trial.epochs,
        "seconds": trial.seconds,
        "message": trial.message,
    }
    if repeated:
        row["standard_error"] = standard_error(trial, search.objectives[0])
    if search.constraints:
        row["violation"] = trial.violation if trial.score is not None else None
    for name, value in trial.values.items():
        row[f"values.{name}" if name in row else name] = value
    targets = trial.objective_values if len(search.objectives) > 1 else {}
    for name, metric in {**trial.metrics, **targets}.items():
        row[f"metrics.{name}" if name in row or name in hyperparameters else name] = metric
    return row


def columns_of(trial: TrialData) -> dict[str, list[Any]]:
    """Return the metrics of every epoch of a trial in columns.

    Returns:
        `execution`, `epoch` (both from 0) and a column a metric, NaN where it was not measured.
    """
    names = dict.fromkeys(name for epochs in trial.executions for name in epochs["metrics"])
    columns: dict[str, list[Any]] = {name: [] for name in ("execution", "epoch", *names)}
    for execution, epochs in enumerate(trial.executions):
        count = len(epochs["steps"])
        columns["execution"] += [execution] * count
        columns["epoch"] += epochs["steps"]
        for name in names:
            values = epochs["metrics"].get(name, [None] * count)
            columns[name] += [float("nan") if value is None else value for value in values]
    return columns


def frame_of(rows: Sequence[Mapping[str, Any]], argument: str) -> pandas.DataFrame:
    """Return rows as a data frame.

    Args:
        rows: The rows.
        argument: What needs it, for the error.

    Raises:
        ModuleNotFoundError: Pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{argument} needs pandas: `pip install pandas`.  `results()` returns the same rows as "
            "a list of dictionaries."
        ) from None
    return pandas.DataFrame(list(rows))


def write_csv(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Write rows to a file, with a first line of names; what a row lacks is left empty.

    Args:
        rows: The rows.
        path: The file, which is replaced; its directory is made if it is not there.

    Raises:
        TypeError: `path` is no path.
        ValueError: It is a directory.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    with open(file_to_write(path), "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


def write_parquet(rows: Sequence[Mapping[str, Any]], path: str | os.PathLike[str]) -> None:
    """Write rows to a file of Parquet; a column whose values are of several types is one of texts.

    Args:
        rows: The rows.
        path: The file, which is replaced.

    Raises:
        ModuleNotFoundError: Pandas, or both pyarrow and fastparquet, are not installed.
    """
    frame = frame_of(rows, "`to_parquet`")
    for name in frame.columns:
        known = frame[name].dropna()
        if frame[name].dtype == object and len({type(value) for value in known}) > 1:
            frame[name] = known.map(str)
    try:
        frame.to_parquet(file_to_write(path))
    except ImportError as error:
        raise ModuleNotFoundError(
            "`to_parquet` needs pyarrow or fastparquet: `pip install pyarrow`.  `to_csv` needs "
            "neither."
        ) from error  # one of them may be there, but not fit NumPy


def record_of(search: SearchData) -> Row:
    """Return a whole search as JSON can hold it, with its space and its curves."""
    return {
        "name": search.name,
        "objectives": [target._asdict() for target in search.objectives],
        "constraints": list(search.constraints),
        "weights": search.weights,
        "seed": search.seed,
        "seconds": search.seconds,
        "space": space_config(search.space)["space"],
        "trials": [dataclasses.asdict(trial) for trial in search.trials],
    }


def json_text(value: Any) -> str:
    """Return JSON, with null for numbers that are not finite.

    >>> json_text({"score": float("nan")})
    '{"score": null}'
    """
    return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value
