"""A search space as records hold it: the config of KerasTuner's hyperparameters."""

from __future__ import annotations

from typing import Any

from kt_extras.search import Choice, Dimension, Space


def space_config(space: Space) -> dict[str, Any]:
    """Return what `kt_extras.analysis.recorded_space.RecordedSpace` reads as this space.

    >>> from kt_extras.search import Int
    >>> space_config(Space([Int("units", 1, 8)]))["space"][0]["config"]["max_value"]
    8
    """
    return {"space": [_config(dimension) for dimension in space.dimensions], "values": {}}


def _config(dimension: Dimension) -> dict[str, Any]:
    conditions = [
        {"class_name": "Parent", "config": {"name": one.parent, "values": list(one.values)}}
        for one in dimension.conditions
    ]
    common = {"name": dimension.name, "default": dimension.default, "conditions": conditions}
    if isinstance(dimension, Choice):
        own = {"values": list(dimension.declared), "ordered": dimension.ordered}
        return {"class_name": "Choice", "config": {**common, **own}}
    own = {
        "min_value": dimension.low,
        "max_value": dimension.high,
        "step": dimension.step,
        "sampling": dimension.sampling,
    }
    return {"class_name": type(dimension).__name__, "config": {**common, **own}}
