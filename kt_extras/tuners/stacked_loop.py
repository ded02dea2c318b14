"""The loop of a search that trains several trials at once, as one program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras import compat
from kt_extras.checkpoints.random_state import random_state_kept
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.workers import part_of
from kt_extras.stacking import ModelStack, NotStackable
from kt_extras.training.global_state import settings_kept
from kt_extras.training.time_spent import section
from kt_extras.tuners.stacked_group import StackedGroup
from kt_extras.tuners.stacked_trial import StackedTrial
from kt_extras.tuners.trial_loop import TrialLoop
from kt_extras.tuners.trials_at_once import AtOnce

_MIN_STACK = 2  # trials
_MAX_ARCHITECTURES = 16  # architectures that are remembered
_MAX_IN_VAIN = 4  # architectures of which no stack can be made, after which no more are tried

_SHARED = "it shares variables with another model"


class StackedLoop:
    """Runs the trials that an oracle hands out, those of one architecture as one program.

    To the oracle each of the trials that run at once is that of a worker of its own.  Their models
    are built first.  Of the largest group of one architecture as many are trained in a stack as are
    allowed, an epoch at a time; where a trial ends, another one of the group takes its place.  What
    cannot be stacked is trained alone, at once, by the loop for single trials.

    Args:
        tuner: The tuner, whose hooks are called.
        oracle: The oracle of this process.
        loop: Takes the results of trials.
        run_alone: Runs a single trial; with `begun=True` one whose `on_trial_begin` was called.
        at_once: How many trials are trained as one program.

    Attributes:
        stacked: How many trials were trained in a stack.
        reasons: How many models were not, by the reason.
    """

    def __init__(
        self,
        tuner: Any,
        oracle: SamplerOracle,
        loop: TrialLoop,
        run_alone: Callable[..., None],
        at_once: AtOnce,
    ) -> None:
        self._tuner, self._oracle, self._loop = tuner, oracle, loop
        self._asked: Any = loop.asked
        self._run_alone, self._at_once = run_alone, at_once.trials
        self._has_to_gain = not at_once.always
        self._slots = max(at_once.trials, at_once.begun)
        self._free = [part_of(tuner.tuner_id, slot) for slot in range(self._slots)][::-1]
        self._is_population = oracle.scheduler is not None and oracle.scheduler.revives
        self._architectures: list[_Architecture] = []
        self._fit: tuple[Sequence[Any], Mapping[str, Any]] = (), {}
        self._in_vain: list[str] = []  # why no stack of an architecture could be made
        self.stacked = 0
        self.reasons: Counter[str] = Counter()

    def run(self, fit_args: Sequence[Any], fit_kwargs: Mapping[str, Any]) -> None:
        """Run trials until there are no more, or the oracle has none yet."""
        self._fit = fit_args, fit_kwargs
        kept = random_state_kept() if self._oracle.seed_given else nullcontext()
        try:
            with settings_kept(), compat.own_names(), kept:
                while self._begin_trials():
                    self._train(max(self._architectures, key=lambda one: len(one.waiting)))
        except BaseException:
            with suppress(Exception):  # the first error is the one to see
                self._asked.give_back_all()
            raise

    def _begin_trials(self) -> bool:
        """Begin as many trials as may run at once; return whether there is one to train.

        The members of a population are compared when all of them have trained as far.
        """
        if self._is_population and len(self._free) < self._slots:
            return any(one.waiting for one in self._architectures)
        while self._free:
            if self._is_population and self._asked.would_overtake():
                break
            trial = self._loop.ask(self._free[-1])
            if trial.status in {TrialStatus.IDLE, TrialStatus.STOPPED}:
                break
            if self._asked.attempt(trial.trial_id) > 1:
                # It was running when a process died, or has crashed: it may be the cause.
                self.reasons["it was running when the search died, or has crashed"] += 1
                self._run_alone(trial)
                continue
            self._begin(trial, self._free.pop())
        return any(one.waiting for one in self._architectures)

    @property
    def _given_up(self) -> str | None:
        """Why no more stacks are tried, None if they are: a trial takes more time than it saves."""
        in_vain = not self.stacked and len(self._in_vain) >= _MAX_IN_VAIN
        return self._in_vain[-1] if in_vain else None

    def _begin(self, trial: Trial, tuner_id: str) -> None:
        """Build the model of a trial, and add it to those of its architecture or train it alone."""
        self._tuner.on_trial_begin(trial)
        begun = StackedTrial(self._tuner, trial, tuner_id, *self._fit)
        if self._is_built_over(begun):
            self._train_alone(begun, _SHARED, anew=True)
            return
        if reason := self._given_up or begun.refusal(has_to_gain=self._has_to_gain):
            self._train_alone(begun, reason)
            return
        architecture = self._architecture_of(begun)
        if architecture.refused is None:
            architecture.waiting.append(begun)
        else:
            self._train_alone(begun, architecture.refused)

    def _is_built_over(self, begun: StackedTrial) -> bool:
        """Tell whether a build has changed models that wait; those are built anew, and trained."""
        built_over = [one for one in self._architectures if any(map(begun.shares, one.waiting))]
        for architecture in built_over:
            architecture.refused = _SHARED
            self._train_waiting_alone(architecture, anew=True)
        return bool(built_over)

    def _architecture_of(self, begun: StackedTrial) -> _Architecture:
        architecture = next((one for one in self._architectures if one.has(begun)), None)
        if architecture is None:
            architecture = _Architecture(begun)
            empty = [one for one in self._architectures if not one.waiting]
            if len(self._architectures) >= _MAX_ARCHITECTURES and empty:
                self._architectures.remove(empty[0])
            self._architectures.append(architecture)
        return architecture

    def _train(self, architecture: _Architecture) -> None:
        """Train waiting trials of an architecture."""
        if architecture.refused is None and (reason := self._given_up):
            architecture.refused = reason
        stack = architecture.stack_of(self._at_once)
        if stack is not None:
            self._train_together(architecture, stack)
        elif architecture.refused is None:
            begun = architecture.waiting.pop(0)
            self._train_alone(begun, "no other trial had its architecture")
        else:
            self._in_vain.append(architecture.refused)
            self._train_waiting_alone(architecture)

    def _train_waiting_alone(self, architecture: _Architecture, *, anew: bool = False) -> None:
        while architecture.waiting:
            begun = architecture.waiting.pop(0)
            self._train_alone(begun, str(architecture.refused), anew=anew)

    def _train_alone(self, begun: StackedTrial, reason: str, *, anew: bool = False) -> None:
        """Train a trial by the loop for single trials; build its model anew if that says so."""
        if begun.model is not None:  # or it is not trained at all
            self.reasons[reason] += 1
        with begun.built(anew=anew):
            self._run_alone(begun.trial, begun=True)
        self._free.append(begun.tuner_id)

    def _train_together(self, architecture: _Architecture, stack: ModelStack) -> None:
        """Train trials in a stack until there are no more of their architecture."""
        group = StackedGroup(stack, architecture.data, self._ended)
        while True:
            while architecture.waiting and group.has_room:
                begun = architecture.waiting.pop(0)
                self.stacked += 1
                group.join(begun)
            if not len(group):
                break
            group.train_epoch()
            self._begin_trials()
        architecture.refused = group.refusal
        if group.out_of_memory:
            self._at_once = max(self._at_once // 2, 1)
            architecture.forget_stack()

    def _ended(self, begun: StackedTrial, error: Exception | None) -> None:
        """Return a trial to the oracle."""
        try:
            if error is not None:
                raise error
            self._loop.take_results(begun.trial, [begun.end()])
        except Exception as found:
            if not self._loop.take_failure(begun.trial, found):
                self._free.append(begun.tuner_id)
                return
        self._loop.end(begun.trial)
        self._free.append(begun.tuner_id)


class _Architecture:
    """The trials of one architecture.

    Attributes:
        waiting: Those that are not trained yet.
        data: What they are trained on.
        refused: Why they cannot be stacked, None if they can, or may.
    """

    def __init__(self, first: StackedTrial) -> None:
        self._model, self._given = first.model, first.given
        self.waiting: list[StackedTrial] = []
        self.data: Any = None
        self.refused: str | None = None
        self._stack: ModelStack | None = None

    def has(self, begun: StackedTrial) -> bool:
        """Tell whether the model of a trial is of this architecture."""
        return begun.is_like(self._model, self._given)

    def stack_of(self, at_once: int) -> ModelStack | None:
        """Return a stack with free rows for the waiting trials, None if they cannot be stacked."""
        count = min(len(self.waiting), at_once)
        if self.refused is not None or count < _MIN_STACK:
            return None
        if self._stack is None or len(self._stack.models) <= count // 2:
            try:
                with section("tracing"):
                    self._stack = self._made([begun.model for begun in self.waiting[:count]])
            except NotStackable as refusal:
                self.refused = refusal.reason
                return None
            except Exception as error:  # of the data, or of the memory: the trials meet it alone
                self.refused = f"making a stack raised {type(error).__name__}"
                return None
        return self._stack

    def forget_stack(self) -> None:
        """Make a new stack for the next trials."""
        self.refused = self._stack = None

    def _made(self, models: list[Any]) -> ModelStack:
        """Return a stack that has made its first step as its models make it alone."""
        first = self.waiting[0]
        self.data = first.data() if self.data is None else self.data
        stack = ModelStack(models, self.data.training, first.traced_model())
        samples = np.arange(self.data.training.rows)
        orders = [
            np.roll(samples, row) if first.given["shuffle"] else samples
            for row in range(len(models))
        ]
        stack.check(orders)
        for row in range(len(models)):
            stack.models[row] = None
        return stack
