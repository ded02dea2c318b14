"""Stop what any of several rules would stop."""

from __future__ import annotations

from dataclasses import dataclass

from kt_extras.pruners.pruner import Pruner
from kt_extras.search.history import Curve, Curves


@dataclass(frozen=True, init=False, repr=False)
class AnyOf:
    """Stop a trial as soon as one of the rules would.

    Args:
        *pruners: At least one.

    Raises:
        TypeError: One of them is no pruner.
        ValueError: There are none.

    >>> import numpy as np
    >>> from kt_extras.pruners import MedianPruner, ThresholdPruner
    >>> rule = AnyOf(MedianPruner(), ThresholdPruner(upper=1.0))
    >>> rule.should_stop(Curve(np.array([2.0])), Curves.of([]))
    True
    """

    pruners: tuple[Pruner, ...]

    def __init__(self, *pruners: Pruner) -> None:
        if not pruners:
            raise ValueError("`pruners` must name at least one pruner, got none.")
        for pruner in pruners:
            if isinstance(pruner, type) or not isinstance(pruner, Pruner):
                raise TypeError(
                    f"`pruners` must all be pruners such as `MedianPruner()`, got {pruner!r}."
                )
        object.__setattr__(self, "pruners", pruners)

    def __repr__(self) -> str:
        return f"AnyOf({', '.join(map(repr, self.pruners))})"

    def should_stop(self, curve: Curve, rivals: Curves) -> bool:
        """Tell whether one of the rules stops the trial."""
        return any(pruner.should_stop(curve, rivals) for pruner in self.pruners)
