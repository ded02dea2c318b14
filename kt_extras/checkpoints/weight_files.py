"""The weight files of a search, and which trials keep them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, Union

from kt_extras.arguments import is_integer
from kt_extras.checkpoints.best_weights import HELD

Keep = Union[int, Literal["best", "all", "none"]]  # noqa: UP007 - Python 3.10

# What Keras appends to the name it is given: nothing, or the parts of a TensorFlow checkpoint.
_SUFFIXES = ("", ".index", ".data-?????-of-?????", HELD)


class WeightFiles:
    """Removes the weights of trials that are no longer among the best.

    The weights of a trial are not removed before its end is recorded; `tidy` removes those that a
    crashed process has left behind.

    Args:
        keep: How many trials keep their weights: a number, `"best"` for 1, `"all"`, or `"none"`.
        path_of: Returns the path of the weights of a trial.

    Raises:
        ValueError: `keep` is not one of these.

    >>> WeightFiles("best", "runs/trial_{}/checkpoint".format).limit
    1
    """

    def __init__(self, keep: Keep, path_of: Callable[[str], str]) -> None:
        self.keep = keep
        self.limit = _limit(keep)
        self._path_of = path_of
        self._best: list[tuple[float, int, str]] = []  # a heap, the worst first

    def tidy(self, ended: Iterable[tuple[str, int, float]]) -> None:
        """Remove all weights that are not needed.

        Args:
            ended: The arguments of `trial_ended` for each trial that has ended.
        """
        self._best = []
        for trial_id, number, loss in ended:
            self.trial_ended(trial_id, number, loss)

    def trial_ended(self, trial_id: str, number: int, loss: float) -> None:
        """Remove the weights that are not needed after the end of a trial.

        A trial that was resumed may end more than once.

        Args:
            trial_id: The trial.
            number: The number of the trial; of two with equal losses, the lower one is better.
            loss: Lower is better; a trial whose loss is not finite keeps no weights.
        """
        if self.limit is None:
            return
        self._best = [known for known in self._best if known[-1] != trial_id]
        heapq.heapify(self._best)
        if not math.isfinite(loss):
            self._remove(trial_id)
            return
        heapq.heappush(self._best, (-loss, -number, trial_id))
        if len(self._best) > self.limit:
            self._remove(heapq.heappop(self._best)[-1])

    @property
    def kept(self) -> list[str]:
        """The trials that keep their weights, as far as is known."""
        return [trial_id for *_, trial_id in self._best]

    def exist(self, trial_id: str) -> bool:
        """Tell whether there are weights of a trial."""
        return bool(self._files(trial_id))

    @property
    def rule(self) -> str:
        """The rule in a sentence, for messages."""
        if self.limit is None:
            return "`keep_checkpoints='all'` keeps all weights."
        if self.limit == 0:
            return "`keep_checkpoints='none'` keeps no weights."
        which = "the best trial" if self.limit == 1 else f"the {self.limit} best trials"
        return f"`keep_checkpoints={self.keep!r}` keeps the weights of {which}."

    def _remove(self, trial_id: str) -> None:
        for file in self._files(trial_id):
            file.unlink(missing_ok=True)

    def _files(self, trial_id: str) -> list[Path]:
        path = Path(self._path_of(trial_id))
        return [file for end in _SUFFIXES for file in path.parent.glob(f"{path.name}{end}")]


def _limit(keep: Keep) -> int | None:
    if isinstance(keep, str) and keep in {"best", "all", "none"}:
        return {"best": 1, "all": None, "none": 0}[keep]
    if not isinstance(keep, str) and is_integer(keep) and keep >= 1:
        return int(keep)
    raise ValueError(
        "`keep_checkpoints` must be a number of trials from 1, 'best' (that is 1), 'all' or "
        f"'none', got {keep!r}."
    )
