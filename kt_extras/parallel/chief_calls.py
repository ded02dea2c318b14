"""Answers the calls of KerasTuner's workers."""

from __future__ import annotations

import copy
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kt_extras.bridge.chief_protocol import messages
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.parallel.oracle_service import OracleService
from kt_extras.parallel.wire import KIND, NUMBER, TAKEN, WORKER, entries, kind_of, text_of, tuner_of
from kt_extras.storage.errors import StorageError

WAITING = 240  # workers that wait for a trial in a thread of their own
_WAIT = 5.0  # seconds for which a worker waits for a trial before it has to ask again
_PAUSE = 0.2  # seconds for which further ones wait


class ChiefCalls:
    """Has a method for each call of KerasTuner's protocol.

    Calls without metadata are those of KerasTuner's own client.  What it does to a trial is taken
    for the work of the worker that has the trial.

    Args:
        oracle: The oracle.
        service: Its service.

    Attributes:
        lock: Held while the oracle is asked, and until its answer is written down.
        told: The workers that were told that there are no more trials.
        error: What has ended the chief, None while nothing has.
        latest: When the last call came, on the monotonic clock.
    """

    def __init__(self, oracle: SamplerOracle, service: OracleService) -> None:
        self._oracle, self._service = oracle, service
        self.lock = threading.RLock()
        self.told: set[str] = set()
        self.error: Exception | None = None
        self.latest = time.monotonic()
        self._met: set[str] = set()
        self._waiting = threading.BoundedSemaphore(WAITING)
        self._numbers = itertools.count(-1, -1)  # of calls that have none
        self._messages = messages()

    # KerasTuner's protocol.

    def CreateTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answer with a trial, or, after a while, that there is none yet."""
        worker, number = self._caller(context, request.tuner_id)
        until = time.monotonic() + _WAIT
        while True:
            with self._answering(context, is_at_fault=True):
                seen = self._oracle.changes
                trial = self._service.call(worker, number, "create_trial", worker)
                if trial.status == TrialStatus.STOPPED:
                    self.told.add(worker)
                response = self._messages.CreateTrialResponse(trial=trial.to_proto())
            if trial.status != TrialStatus.IDLE or not self._wait(until, seen):
                return response
            if not context.is_active():  # the worker has died, and would be given a trial
                return response

    def UpdateTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take the metrics of an epoch."""
        with self._answering(context):
            worker, number = self._caller(context, self._holder_of(request.trial_id))
            metrics = dict(request.metrics)
            arguments = worker, request.trial_id, metrics, request.step
            status = self._service.call(worker, number, "update_trial", *arguments)
            trial = copy.copy(self._oracle.get_trial(request.trial_id))
            trial.status = status
            return self._messages.UpdateTrialResponse(trial=trial.to_proto())

    def EndTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take a trial that has ended."""
        with self._answering(context):
            trial = Trial.from_proto(request.trial)
            worker, number = self._caller(context, self._holder_of(trial.trial_id))
            self._service.call(worker, number, "end_trial", worker, trial)
            return self._messages.EndTrialResponse()

    def GetTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answer with a trial."""
        with self._answering(context):
            trial = self._oracle.get_trial(request.trial_id)
            return self._messages.GetTrialResponse(trial=trial.to_proto())

    def GetBestTrials(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answer with the best trials."""
        with self._answering(context):
            best = self._oracle.get_best_trials(request.num_trials)
            protos = [trial.to_proto() for trial in best]
            return self._messages.GetBestTrialsResponse(trials=protos)

    def GetSpace(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        """Answer with the space."""
        with self._answering(context):
            space = self._oracle.get_space().to_proto()
            return self._messages.GetSpaceResponse(hyperparameters=space)

    def UpdateSpace(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Add hyperparameters to the space."""
        with self._answering(context):
            space = keras_tuner.HyperParameters.from_proto(request.hyperparameters)
            self._oracle.update_space(space)
            return self._messages.UpdateSpaceResponse()

    # For calls beside KerasTuner's.

    def meet(self, context: Any) -> str | None:
        """Note that the worker of a call lives, and return its name, None if it has none.

        If the same worker was known as another process, that has died: one that was started anew
        has taken its place.
        """
        name = entries(context.invocation_metadata()).get(WORKER)
        if name is None:
            return None
        worker = _plain(name.decode())
        if worker not in self._met:
            with self.lock:
                self._met.add(worker)
                tuner = tuner_of(worker)
                for other in self._service.workers - {worker}:
                    if tuner is not None and tuner_of(other) == tuner:
                        self._service.lose(other)
        self._service.hear(worker)
        return worker

    def refuse(self, context: Any) -> None:
        """End a call if an error has ended the chief."""
        if self.error is not None:
            _refuse(context, self.error)

    # Parts of these.

    def _caller(self, context: Any, otherwise: str) -> tuple[str, int]:
        """Return the worker that calls, and the number of its call."""
        worker = self.meet(context) or _plain(otherwise)
        number = entries(context.invocation_metadata()).get(NUMBER)
        return worker, next(self._numbers) if number is None else int(number)

    def _holder_of(self, trial_id: str) -> str:
        record = self._oracle.trial_record(trial_id) if trial_id in self._oracle.trials else None
        return (record and record.worker) or ""

    def _wait(self, until: float, seen: int) -> bool:
        """Wait for new work; return whether it is worth to ask again."""
        left = until - time.monotonic()
        if left <= 0:
            return False
        if not self._waiting.acquire(blocking=False):
            time.sleep(_PAUSE)
            return False
        try:
            self._oracle.wait_for_change(left, seen)
        finally:
            self._waiting.release()
        return True

    @contextmanager
    def _answering(self, context: Any, *, is_at_fault: bool = False) -> Iterator[None]:
        """Answer one call after the other, errors too.

        An error that the worker's call has not caused, or any if the chief `is_at_fault`, ends the
        chief.
        """
        self.latest = time.monotonic()
        try:
            with self.lock:
                self.refuse(context)
                yield
        except TrialTakenError as error:
            context.set_trailing_metadata(((TAKEN, error.trial_id),))
            context.abort(grpc.StatusCode.ABORTED, str(error))
        except Exception as error:
            if self.error is not None:
                raise  # the call was refused
            kind = None if is_at_fault or _is_of_machine(error) else kind_of(error)
            if kind is None:
                self.error = error
                _refuse(context, error)
            context.set_trailing_metadata(((KIND, kind),))
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, text_of(error))


def _is_of_machine(error: Exception) -> bool:
    return isinstance(error, (OSError, StorageError))


def _refuse(context: Any, error: Exception) -> NoReturn:
    text = f"The chief has ended with an error: {type(error).__name__}: {text_of(error)}"
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, text)
    raise error  # `abort` has raised another one


def _plain(worker: str) -> str:
    """Return the name of a worker without the sign that marks one of its parts."""
    return worker.replace("#", "-")
