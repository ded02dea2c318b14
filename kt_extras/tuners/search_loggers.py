"""What the loggers of a search are told, from its oracle and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kt_extras import compat
from kt_extras.loggers.search_log import SearchLog, search_id
from kt_extras.loggers.trial_logger import SearchInfo, TrialLogger
from kt_extras.oracles.oracle import SamplerOracle


def search_log(oracle: SamplerOracle, project: str, loggers: Sequence[TrialLogger]) -> SearchLog:
    """Return what tells loggers of a search.

    Args:
        oracle: The oracle of the search.
        project: Path of the project's directory.
        loggers: The loggers.
    """

    def info() -> SearchInfo:
        path = Path(project)
        return SearchInfo(search_id(path), path.name, project, oracle.targets, oracle.seed)

    return SearchLog(loggers, info, oracle.trial_data, lambda: kept_weights(Path(project)))


def kept_weights(project: Path) -> dict[str, str]:
    """Return the path of the weights of each trial of a project that has any, by its id."""
    return {
        file.parent.name.removeprefix("trial_"): str(file.parent / compat.WEIGHTS_NAME)
        for file in sorted(project.glob("trial_*/checkpoint*"))
    }
