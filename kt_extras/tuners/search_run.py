"""One call of `search`: runs its trials, together or one by one, and says where its time went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from keras_tuner.engine.trial import Trial

from kt_extras.model_reuse.model_pool import ModelPool
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.training.gc_freeze import gc_freezer
from kt_extras.training.global_state import clear_session
from kt_extras.training.gradient_registry import move_gradients_to_graphs
from kt_extras.training.interruption import StopRequest
from kt_extras.training.time_spent import TimeSpent
from kt_extras.tuners.callbacks_before import made_before
from kt_extras.tuners.stacked_loop import StackedLoop
from kt_extras.tuners.time_report import TimeReport
from kt_extras.tuners.trial_loop import TrialLoop
from kt_extras.tuners.trials_at_once import AtOnce


class SearchRun:
    """Runs the trials of one call of `search`.

    Args:
        tuner: The tuner, whose hooks are called.
        oracle: The oracle of this process.
        pool: The models that are kept for later trials.
        at_once: How many trials are trained at once.
    """

    def __init__(self, tuner: Any, oracle: SamplerOracle, pool: ModelPool, at_once: AtOnce) -> None:
        self._tuner, self._oracle, self._pool = tuner, oracle, pool
        self._at_once = at_once
        self._together: StackedLoop | None = None
        pool.forget_counts()

    def run(
        self, stop_request: StopRequest, fit_args: Sequence[Any], fit_kwargs: Mapping[str, Any]
    ) -> None:
        """Run trials until there are no more.

        Args:
            stop_request: Whether the user has asked for the end of the search.
            fit_args: Positional arguments of `search`.
            fit_kwargs: Keyword arguments of `search`.
        """
        with gc_freezer() as freeze:
            loop = TrialLoop(self._tuner, self._oracle, stop_request)
            fit_kwargs = made_before(fit_kwargs) if self._at_once.trials > 1 else fit_kwargs

            def run(trial: Trial, *, begun: bool = False) -> None:
                loop.run(trial, fit_args, fit_kwargs, begun=begun)
                move_gradients_to_graphs()
                if self._pool.size:
                    self._pool.give_back(intact=False)  # from a `run_trial` of one's own
                    if self._pool.collect():
                        clear_session()
                else:
                    clear_session()  # which lets go of the trial's model
                    freeze()

            freeze()
            try:
                if self._at_once.trials > 1:
                    self._together = StackedLoop(
                        self._tuner, self._oracle, loop, run, self._at_once
                    )
                    self._together.run(fit_args, fit_kwargs)
                while (trial := loop.next()) is not None:
                    run(trial)
            finally:
                self._pool.clear()

    def time_report(self, spent: TimeSpent, by_batches: Counter[str]) -> TimeReport:
        """Return what says where the time went.

        Args:
            spent: The time.
            by_batches: How many times Keras' own `fit` trained a model, by the reason.
        """
        together = self._together
        return TimeReport(
            Counter(spent.seconds),
            stacked=together.stacked if together else 0,
            reused=self._pool.reused,
            not_stacked=Counter(together.reasons if together else ()),
            not_reused=Counter(self._pool.reasons),
            by_batches=Counter(by_batches),
        )
