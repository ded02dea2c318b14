"""What the loops over trials ask an oracle of kt_extras besides KerasTuner's methods."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.workers import would_overtake
from kt_extras.parallel.remote_oracle import RemoteOracle

_WAIT = 5.0  # seconds to wait for a change when there is no trial yet


class LocalOracle:
    """Asks the oracle of this process.

    Args:
        oracle: The oracle.
    """

    def __init__(self, oracle: SamplerOracle) -> None:
        self._oracle = oracle

    def wait(self, asked: int) -> None:
        """Wait for a change since there is no trial yet."""
        self._oracle.wait_for_change(_WAIT)

    def attempt(self, trial_id: str) -> int:
        """Return how often a trial was begun."""
        return self._oracle.trial_record(trial_id).attempt

    def would_overtake(self) -> bool:
        """As `kt_extras.oracles.workers.would_overtake`."""
        return would_overtake(self._oracle.trial_records())

    def give_back(self, trial_id: str) -> None:
        """Let a trial be run again."""
        for name, given in list(self._oracle.ongoing_trials.items()):
            if given.trial_id == trial_id:
                self._oracle.abandon(name)

    def give_back_all(self) -> None:
        """Let all trials be run again that run."""
        for name in list(self._oracle.ongoing_trials):
            with suppress(Exception):  # the first error is the one to see
                self._oracle.abandon(name)


def asked_oracle(tuner: Any, local: SamplerOracle) -> LocalOracle | RemoteOracle | None:
    """Return what answers these questions; None on a worker of a chief, which answers none.

    Args:
        tuner: The tuner.
        local: The oracle of this process.
    """
    if isinstance(tuner.oracle, RemoteOracle):
        return tuner.oracle
    return LocalOracle(local) if tuner.oracle is local else None
