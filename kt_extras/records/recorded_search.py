"""Results of a search without its tuner and its model."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras_tuner

from kt_extras.arguments import check_directory, check_integer, check_project_name
from kt_extras.records.events import ProjectOpened
from kt_extras.records.recorder import open_project_store
from kt_extras.records.replay import Source, replay
from kt_extras.records.scores import best_trials
from kt_extras.records.search_state import SearchState
from kt_extras.records.tables import history_of, table

_OBJECTIVE = re.compile(r'(?<!Multi)Objective\(name="(.+?)", direction="(min|max)"\)')


def load_results(
    directory: str | os.PathLike[str] | None = None,
    project_name: str | os.PathLike[str] | None = None,
    *,
    storage: str | None = None,
) -> RecordedSearch:
    """Return what a search has recorded, without its tuner, its model and its data.

    Nothing is written, and no model is built.  The search may be running, here or in another
    process; what it records afterwards is not seen.

    Args:
        directory: As for the tuner.  Defaults to None: the working directory.
        project_name: As for the tuner.  Defaults to None: `"untitled_project"`.
        storage: As for the tuner.  Defaults to None: the journal in the project's directory.

    Returns:
        An object with `results()`, `history(trial_id)` and `get_best_hyperparameters(num_trials)`,
        which return what those of the tuner do, and with the `objective`.

    Raises:
        FileNotFoundError: The project has no records.
        kt_extras.storage.StorageError: A record cannot be read, or cannot have happened.

    >>> import tempfile, keras_tuner, kt_extras as kte
    >>> class Parabola(kte.Tuner):
    ...     def run_trial(self, trial):
    ...         return trial.hyperparameters.Float("x", -1, 1) ** 2
    >>> oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=3, seed=0)
    >>> directory = tempfile.mkdtemp()
    >>> tuner = Parabola(oracle, directory=directory, project_name="parabola")
    >>> tuner.search(verbose=0)
    >>> kte.load_results(directory, "parabola").results() == tuner.results()
    True
    """
    check_directory(directory)
    check_project_name(project_name)
    project = Path(directory or ".") / str(project_name or "untitled_project")
    return RecordedSearch(recorded_state(project, storage), project, storage)


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
    state = SearchState(recorded_objective(records, source), keras_tuner.HyperParameters())
    replay(records, state, source)
    state.recover()
    return state


class RecordedSearch:
    """What a search has recorded.

    Args:
        state: The state of the search.
        project: The directory of the project.
        storage: The URL of the database that holds the records, None for a journal.

    Attributes:
        objective: The objective of the search.
    """

    def __init__(self, state: SearchState, project: Path, storage: str | None) -> None:
        self._state, self._place = state, (project, storage)
        self.objective = state.objective

    def results(self) -> list[dict[str, Any]]:
        """Return one row a trial, as the tuner's `results` does."""
        return table(list(self._state.trials.values()), self.objective)

    def history(self, trial_id: str | int) -> dict[str, list[Any]]:
        """Return the metrics of every epoch of a trial, as the tuner's `history` does.

        Args:
            trial_id: Its id, or its number.

        Raises:
            KeyError: There is no such trial.
        """
        return history_of(list(self._state.trials.values()), trial_id)

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """Return the hyperparameters of the best trials, as they were in their best epochs.

        Args:
            num_trials: How many, best first; fewer if there are not as many with a score.
                Defaults to 1.
        """
        check_integer("num_trials", num_trials, minimum=0)
        records = self._state.trials
        trials = (record.trial for record in records.values())
        return [
            records[trial.trial_id].best_hyperparameters(self._state.hyperparameters)
            for trial in best_trials(trials, self.objective, num_trials)
        ]


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
