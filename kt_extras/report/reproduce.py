"""How to get the best model again: versions, seed, and code."""

from __future__ import annotations

import platform
import pprint
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kt_extras.analysis.search_data import SearchData, TrialData

_PACKAGES = ("kt_extras", "keras-tuner", "keras", "tensorflow", "numpy")


def versions() -> dict[str, str]:
    """Return the versions that are installed where the report is written."""
    found = {package: _version(package) for package in _PACKAGES}
    known = {package: said for package, said in found.items() if said is not None}
    return {"Python": platform.python_version(), **known}


def settings(search: SearchData) -> dict[str, Any]:
    """Return what else fixes the result of a search."""
    found: dict[str, Any] = {
        "objective": ", ".join(f"{o.name} ({o.direction})" for o in search.objectives)
    }
    if search.weights is not None:
        found["weights"] = ", ".join(f"{name} {share:g}" for name, share in search.weights.items())
    if search.constraints:
        found["constraints"] = ", ".join(search.constraints)
    found["seed"] = "not known" if search.seed is None else str(search.seed)
    if search.model is not None:
        found["model"] = search.model
    return found


def loading(place: str | None, storage: str | None, name: str) -> str:
    """Return the code that loads the search again, without its model; passwords are masked.

    Args:
        place: The directory of its project, None if there is none.
        storage: The URL of its database, None for none; one of the two is known.
        name: Of the project.

    >>> print(loading("runs/digits", None, "digits"))
    import kt_extras as kte
    <BLANKLINE>
    search = kte.load('runs/digits')
    search.best_trial
    """
    arguments = repr(place)
    if storage is not None:
        from kt_extras.storage.address import parse, shown  # SQLAlchemy is optional

        arguments = f"{shown(parse(storage))!r}, {name!r}"
    head = "import kt_extras as kte\n\n"
    return f"{head}search = kte.load({arguments})\nsearch.best_trial"


def best_model(best: Sequence[TrialData]) -> str:
    """Return the code that builds the model of the best trial with the user's function."""
    if not best:
        return ""
    values = pprint.pformat(dict(best[0].values), sort_dicts=False, width=76)
    return (
        "import keras_tuner\n\n"
        f"values = {values}\n\n"
        "hp = keras_tuner.HyperParameters()\n"
        "hp.values = dict(values)\n"
        "# The function that was given to the tuner:\n"
        "model = build_model(hp)"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
