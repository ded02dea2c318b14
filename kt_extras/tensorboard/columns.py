"""The columns of the HParams dashboard that are metrics, and the description that declares all."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from kt_extras.tensorboard import events

if TYPE_CHECKING:
    from tensorboard.plugins.hparams.api_pb2 import Experiment, MetricInfo

#: The columns that every trial has, before those of its Keras metrics.
OWN_COLUMNS = {
    "score": "The objective of the search.",
    "pruned": "1 if the trial was stopped early because others were better, else 0.",
    "best_epoch": "The epoch with the best score.",
    "epochs": "How many epochs the trial was trained.",
}


def metric_infos(metrics: set[str], hparams: Collection[str]) -> list[MetricInfo]:
    """Return the columns of metrics; one that is named like a hyperparameter says what it is."""
    from tensorboard.plugins.hparams import api

    columns = {**OWN_COLUMNS, **{name: f"{name} at the best epoch." for name in sorted(metrics)}}
    shown = {name: f"{name} (metric)" if name in hparams else name for name in columns}
    return [
        api.Metric(tag_of(name), display_name=shown[name], description=text).as_proto()
        for name, text in columns.items()
    ]


def read_experiment(run_dir: str) -> Experiment | None:
    """Return the description of the columns in a run, None if it has none."""
    from tensorboard.plugins.hparams import metadata

    for event in events.read(run_dir):
        for value in event.summary.value:
            if value.tag == metadata.EXPERIMENT_TAG:
                return metadata.parse_experiment_plugin_data(value.metadata.plugin_data.content)
    return None


def tag_of(name: str) -> str:
    """Return the tag of a metric of trials."""
    return f"trial/{name}"


def metric_name(info: MetricInfo) -> str:
    """Return the metric of a column."""
    return info.name.tag.removeprefix("trial/")
