"""The state of a search from its records, without its tuner and its model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras_tuner

from kt_extras.bridge.goals import recorded_goals
from kt_extras.records.events import ProjectOpened
from kt_extras.records.recorder import open_project_store
from kt_extras.records.replay import Source, replay
from kt_extras.records.search_state import SearchState
from kt_extras.search.outcome import Goals

_OBJECTIVE = re.compile(r'(?<!Multi)Objective\(name="(.+?)", direction="(min|max)"\)')


def recorded_state(project: Path, storage: str | None = None) -> SearchState:
    """Return what the records of a project lead to.

    Args:
        project: The project's directory; its name is that of the project.
        storage: URL of the database that holds the records.  Defaults to None: the journal in the
            directory.

    Raises:
        FileNotFoundError: The project has no records.
        kt_extras.storage.StorageError: A record cannot be read, or cannot have happened.
    """
    store = open_project_store(storage, project)
    if not store.exists():
        raise FileNotFoundError(
            f"`directory` and `project_name` must name a search of kt_extras, but {project} holds "
            f"no records{'' if storage is None else ' in `storage`'}.  Pass them, and `storage`, "
            "as they were passed to the tuner."
        )
    source, records = Source(project, storage), list(store.read())
    objective = recorded_objective(records, source)
    goals = _recorded_goals(records, objective)
    state = SearchState(objective, keras_tuner.HyperParameters(), goals)
    replay(records, state, source)
    state.recover()
    return state


def recorded_objective(
    records: Sequence[Mapping[str, Any]], source: Source
) -> keras_tuner.Objective:
    """Return the objective that was recorded last as `str` shows it; of several, their sum."""
    opened = [record for record in records if record.get("kind") == ProjectOpened.kind]
    recorded = [str(record.get("objective")) for record in opened[-1:]]
    parts = [keras_tuner.Objective(*found) for found in _OBJECTIVE.findall("".join(recorded))]
    if not parts:
        raise source.damaged(1, "no record says what the objective is.")
    given = parts if recorded[0].startswith("Multi") else parts[0]
    return keras_tuner.Oracle(objective=given, seed=1).objective  # the seed is not used


def _recorded_goals(
    records: Sequence[Mapping[str, Any]], objective: keras_tuner.Objective
) -> Goals | None:
    opened = next(r for r in reversed(records) if r.get("kind") == ProjectOpened.kind)
    objectives, constraints = opened.get("objectives", []), opened.get("constraints", [])
    return recorded_goals(objective, objectives, constraints, opened.get("weights"))
