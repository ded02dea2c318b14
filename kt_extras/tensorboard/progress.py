"""How far a search has come, as its curves and tables in TensorBoard show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The state of the whole search at a moment, over all its sessions.

    Args:
        trials: Finished trials; None if they are no measure of progress.
        pruned: Those of them that were stopped early; None if none can be.
        epochs: Epochs trained, of all trials.
        seconds: Time spent.
        best: Best score so far on the user's own scale; None before the first.
        hypervolume: The volume that the front of several objectives dominates; None for one
            objective, or before it is known. Defaults to None.

    >>> Progress(trials=3, pruned=1, epochs=12, seconds=40.5, best=0.9).pruned
    1
    """

    trials: int | None
    pruned: int | None
    epochs: int
    seconds: float
    best: float | None
    hypervolume: float | None = None


@dataclass(frozen=True)
class Rungs:
    """What a scheduler has done with a search so far.

    Args:
        reached: For each number of epochs that is a rung, the trials that have trained as long.
        promotions: How often a trial was given more epochs.  Defaults to 0.
        exploits: How often a member of a population has taken over from another.  Defaults to 0.
        lineage: One row an exploit: its epoch, the member, the parent, and what changed.

    >>> Rungs({1: ["0000", "0001"], 3: ["0001"]}, promotions=1).table().splitlines()[2:]
    ['| 1 | 2 | 0000, 0001 |', '| 3 | 1 | 0001 |']
    """

    reached: Mapping[int, Sequence[str]]
    promotions: int = 0
    exploits: int = 0
    lineage: Sequence[tuple[int, str, str, str]] = ()

    def table(self) -> str:
        """Return which trials reached which rung, as Markdown."""
        rows = [(str(k), str(len(v)), ", ".join(v)) for k, v in sorted(self.reached.items())]
        return _markdown(("epochs", "trials", "which"), rows)

    def lineage_table(self) -> str:
        """Return which trial copied which, as Markdown."""
        rows = [(str(epoch), *rest) for epoch, *rest in self.lineage]
        return _markdown(("epoch", "member", "from", "hyperparameters"), rows)


def importance_table(importance: Mapping[str, float]) -> str:
    """Return how much each hyperparameter matters, as Markdown.

    >>> importance_table({"rate": 0.75, "units": 0.25}).splitlines()[2:]
    ['| rate | 0.750 |', '| units | 0.250 |']
    """
    rows = [(name, f"{fraction:.3f}") for name, fraction in importance.items()]
    return _markdown(("hyperparameter", "importance"), rows)


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
