"""A search that was loaded from its records, without its model, its data and TensorFlow."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING

from kt_extras.analysis.best_trials import best_first
from kt_extras.analysis.reading import ProjectReader
from kt_extras.analysis.search_data import SearchData
from kt_extras.arguments import check_integer, check_project_name
from kt_extras.storage.journal import FILE_NAME
from kt_extras.storage.store import open_store
from kt_extras.views.search_views import SearchViews

if TYPE_CHECKING:
    import keras_tuner


def load(
    path: str | os.PathLike[str],
    project_name: str | os.PathLike[str] | None = None,
    *,
    storage: str | None = None,
) -> LoadedSearch:
    """Return what a search has recorded, without its tuner, its model and its data.

    Nothing is written, no lock is taken, and neither TensorFlow nor KerasTuner is loaded.  The
    search may be running, here or in another process; `refresh` reads what it has recorded since.

    Args:
        path: The directory of the project, such as `"runs/digits"`, or of several projects; or the
            URL of a database, such as `"sqlite:///runs.db"`.
        project_name: The name of the project in that directory or database.  Defaults to None:
            `path` is the directory of the project itself.
        storage: URL of the database that holds the records, if `path` is the directory that was
            passed to the tuner.  Defaults to None: the journal in the project's directory.

    Raises:
        FileNotFoundError: The project has no records.
        TypeError: `path` is no path.
        ValueError: `project_name` is missing beside the URL of a database, or `storage` is given
            with one.
        kt_extras.storage.StorageError: A record cannot be read.

    >>> import tempfile, kt_extras as kte
    >>> class Parabola(kte.Tuner):
    ...     def run_trial(self, trial):
    ...         return trial.hyperparameters.Float("x", -1, 1) ** 2
    >>> oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=3, seed=0)
    >>> directory = tempfile.mkdtemp()
    >>> tuner = Parabola(oracle, directory=directory, project_name="parabola")
    >>> tuner.search(verbose=0)
    >>> kte.load(directory, "parabola").results() == tuner.results()
    True
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"`path` must be a path or the URL of a database, got {path!r}.")
    check_project_name(project_name)
    if "://" in str(path):
        if storage is not None:
            raise ValueError("`storage` must not be given if `path` is the URL of a database.")
        return _from_database(str(path), project_name)
    project = Path(path) / str(project_name) if project_name is not None else Path(path)
    try:
        return LoadedSearch(ProjectReader(project, storage))
    except FileNotFoundError as error:
        known = _projects_in(Path(path)) if storage is None else _names(storage)
        hint = f"  There {_listed(known)}." if known else ""
        if storage is None and (project / "oracle.json").exists():
            hint = (
                "  It is a search of KerasTuner's own: a tuner of kt_extras learns from it with "
                f"`warm_start=[{str(project)!r}]`."
            )
        raise FileNotFoundError(f"{error}{hint}") from None


class LoadedSearch(SearchViews):
    """A search that was loaded from its records.

    Args:
        reader: What has read the records.

    Attributes:
        directory: The directory of the project; in a database its name alone.
        storage: The URL of the database that holds the records, None for a journal.
    """

    def __init__(self, reader: ProjectReader) -> None:
        self._reader = reader
        self.directory, self.storage = reader.directory, reader.storage

    def __repr__(self) -> str:
        data = self.search_data()
        return f"<LoadedSearch of {data.name!r}, {len(data.trials)} trials>"

    def search_data(self) -> SearchData:
        """Return the search as plain data, as it was when it was read last."""
        return self._reader.data()

    def refresh(self) -> None:
        """Read what was recorded since the search was loaded or refreshed.

        Raises:
            FileNotFoundError: The records were removed.
            kt_extras.storage.StorageError: A record cannot be read.
        """
        self._reader.refresh()

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """Return the hyperparameters of the best trials, as they were in their best epochs.

        Only this loads KerasTuner; `best_values` returns the same values as dictionaries.

        Args:
            num_trials: How many, best first; fewer if there are not as many with a score.
                Defaults to 1.
        """
        check_integer("num_trials", num_trials, minimum=0)
        import keras_tuner

        found = []
        for trial in best_first(self.search_data())[:num_trials]:
            configs = copy.deepcopy(self._reader.configs())  # KerasTuner changes what it reads
            config = {"space": configs, "values": dict(trial.values)}
            hp = keras_tuner.HyperParameters.from_config(config)
            for declared in hp.space:
                if hp.is_active(declared):
                    hp.values.setdefault(declared.name, declared.default)
            found.append(hp)
        return found


def _from_database(url: str, project_name: str | os.PathLike[str] | None) -> LoadedSearch:
    if project_name is None:
        known = _names(url)
        raise ValueError(
            "`project_name` must be given if `path` is the URL of a database; there "
            f"{_listed(known) if known else 'is no project in it'}."
        )
    try:
        return LoadedSearch(ProjectReader(Path(project_name), url))
    except FileNotFoundError as error:
        known = _names(url)
        hint = f"  There {_listed(known)}." if known else ""
        raise FileNotFoundError(f"{error}{hint}") from None


def _projects_in(directory: Path) -> list[str]:
    """Return the names of the projects in a directory."""
    if not directory.is_dir():
        return []
    inner = sorted(path.parent for path in directory.glob(f"*/{FILE_NAME}"))
    return [path.name for path in inner if open_store(None, path).exists()]


def _names(url: str) -> list[str]:
    from kt_extras.storage.projects import project_names  # SQLAlchemy is optional

    return project_names(url)


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
    return f"is the project {shown}" if len(names) == 1 else f"are the projects {shown}"
