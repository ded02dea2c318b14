"""Describe the changes between the first space of a search and the current one."""

from __future__ import annotations

from kt_extras.search import Dimension, Space
from kt_extras.search.space import describe


def differences(before: Space, now: Space) -> list[str]:
    """Return a line for each hyperparameter that was added, removed or changed.

    A dimension is identified by its name and its conditions.

    >>> from kt_extras.search import Float, Int
    >>> for line in differences(Space([Int("units", 1, 8)]), Space([Int("units", 1, 16)])):
    ...     print(line)
    units: 1 to 8, now 1 to 16
    """
    old = {_identity(dimension): dimension for dimension in before.dimensions}
    new = {_identity(dimension): dimension for dimension in now.dimensions}
    lines = [f"{new[key].name}: new, {describe(new[key])}" for key in new if key not in old]
    lines += [f"{old[key].name}: no longer declared" for key in old if key not in new]
    for key in [key for key in old if key in new and old[key] != new[key]]:
        lines.append(f"{old[key].name}: {describe(old[key])}, now {describe(new[key])}")
    return lines


def _identity(dimension: Dimension) -> tuple[str, object]:
    return dimension.name, dimension.conditions
