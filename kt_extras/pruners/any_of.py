"""Stop a trial if any of several pruners would stop it."""

from __future__ import annotations

from dataclasses import dataclass

from kt_extras.pruners.pruner import Pruner
from kt_extras.search.history import Curve, Curves


@dataclass(frozen=True, init=False, repr=False)
class AnyOf:
    """Stop a trial if at least one of the given pruners would stop it.

    Args:
        *pruners: Pruners to ask, at least one.

    Raises:
        TypeError: An argument is not a pruner.
        ValueError: No pruner is given.

    >>> import numpy as np
    >>> from kt_extras.pruners import MedianPruner, ThresholdPruner
    >>> rule = AnyOf(MedianPruner(), ThresholdPruner(upper=1.0))
    >>> rule.should_stop(Curve(np.array([2.0])), Curves.of([]))
    True
    """

    pruners: tuple[Pruner, ...]

    def __init__(self, *pruners: Pruner) -> None:
        if not pruners:
            raise ValueError(
                "`pruners` must name at least one pruner, got none; pass one such as "
                "`MedianPruner()`."
            )
        for pruner in pruners:
            if isinstance(pruner, type) or not isinstance(pruner, Pruner):
                raise TypeError(
                    f"`pruners` must all be pruners such as `MedianPruner()`, got {pruner!r}."
                )
        object.__setattr__(self, "pruners", pruners)

    def __repr__(self) -> str:
        return f"AnyOf({', '.join(map(repr, self.pruners))})"

    def should_stop(self, curve: Curve, rivals: Curves) -> bool:
        """Return whether at least one of the pruners stops the trial."""
        return any(pruner.should_stop(curve, rivals) for pruner in self.pruners)
