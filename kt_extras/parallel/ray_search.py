"""A search in processes that Ray starts, as its driver sees it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from kt_extras.oracles.drivers import has_chief
from kt_extras.parallel.fleet import Fleet, Job
from kt_extras.parallel.keras_tuner_driver import KerasTunerDriver
from kt_extras.parallel.oracle_actor import BEATS, News, OracleActor
from kt_extras.parallel.places import Place
from kt_extras.parallel.ray_engine import imported_ray, running_ray
from kt_extras.parallel.sent_data import check_sendable, packed
from kt_extras.parallel.settings import Settings
from kt_extras.training.interruption import StopRequest, interruptible

_TURN = 0.2  # seconds between looks at what has happened
_GRACE = 5.0  # seconds for idle workers to end by themselves
_FAREWELL = 10.0  # seconds for the oracle's actor to close the records


class RaySearch:
    """Runs one search.

    Args:
        tuner: The tuner; one of kt_extras has a method `_driver`, which returns what reports the
            search.
        settings: How many workers, on what.
    """

    def __init__(self, tuner: Any, settings: Settings) -> None:
        self._tuner, self._settings = tuner, settings
        self._known_boards = 0

    def run(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Search.

        Args:
            args: Positional arguments of `search`.
            kwargs: Keyword arguments of `search`.
        """
        if has_chief():
            raise ValueError(
                "`workers` cannot be combined with KerasTuner's chief: unset the variable "
                "`KERASTUNER_ORACLE_IP`, or leave `workers` out."
            )
        imported_ray()
        made = getattr(self._tuner, "_driver", None)
        driver = made(args, dict(kwargs)) if made else KerasTunerDriver(self._tuner, args, kwargs)
        from ray import cloudpickle

        check_sendable(cloudpickle, args, kwargs)
        tuner, oracle = packed(cloudpickle, self._tuner), packed(cloudpickle, driver.oracle())
        with (
            interruptible(visible=driver.is_visible) as stop_request,
            running_ray(self._settings, shows_output=driver.shows_output) as ray,
        ):
            place = Place.of(driver.project)
            try:
                sent = [ray.put(tuner), ray.put(driver.arguments)]
                actor = self._started(ray, oracle, place)
                self._search(ray, Job(actor, sent, place), driver, stop_request)
            finally:
                place.remove_token()

    def _started(self, ray: Any, oracle: bytes, place: Place) -> Any:
        """Return the actor that has the oracle, on this machine, where its records are."""
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        environment = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "-1"}
        if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
            environment["TF_CPP_MIN_LOG_LEVEL"] = os.environ["TF_CPP_MIN_LOG_LEVEL"]
        made = ray.remote(concurrency_groups={BEATS: 2})(OracleActor).options(
            num_cpus=0,
            max_restarts=-1,
            max_task_retries=-1,
            scheduling_strategy=here,
            runtime_env={"env_vars": environment},
        )
        settings = self._settings
        return made.remote(oracle, place, settings.heartbeat_timeout, settings.progress_timeout)

    def _search(self, ray: Any, job: Job, driver: Any, stop_request: StopRequest) -> None:
        actor, fleet = job.oracle, None
        try:
            try:
                # They load their libraries while the records are read.
                opening = actor.open.remote()
                fleet = Fleet(ray, self._settings, job, lambda name: self._lose(ray, actor, name))
                ray.get(opening).result()
                driver.began()
                self._watch(ray, actor, fleet, driver, stop_request)
            finally:
                if fleet is not None:
                    fleet.end()
                with suppress(ray.exceptions.RayError, ray.exceptions.GetTimeoutError):
                    ray.get(actor.close.remote(), timeout=_FAREWELL)
                ray.kill(actor)
        except BaseException:
            with suppress(Exception):  # the first error is the one to see
                driver.close()
            raise
        driver.close()
        stop_request.raise_if_set()
        driver.ended()

    def _watch(
        self, ray: Any, actor: Any, fleet: Fleet, driver: Any, stop_request: StopRequest
    ) -> None:
        stopped, until = False, float("inf")
        while len(fleet) and time.monotonic() < until:
            ended = fleet.wait(_TURN)
            news = ray.get(actor.poll.remote(self._known_boards)).result()
            self._take(news, fleet, driver)
            for answer in ended:
                driver.worker_ended(answer.result())
            if ended:  # no trial is left, and none runs
                until = min(until, time.monotonic() + (0 if fleet.waits_alone else _GRACE))
            if driver.stop_asked:  # by `stop()`, in this process
                ray.get(actor.end_search.remote()).result()
            if stop_request.is_set:
                if not stopped:
                    ray.get(actor.stop.remote()).result()
                stopped = True
                if fleet.waits_alone:
                    break
                until = float("inf")
        news = ray.get(actor.poll.remote(self._known_boards)).result()
        self._take(news, fleet, driver)

    def _take(self, news: News, fleet: Fleet, driver: Any) -> None:
        self._known_boards += len(news.boards)
        fleet.note_asked(news.asked)
        fleet.replace(news.silent, "It was not heard from for too long.")
        fleet.replace(news.hung, "Its training did not go on.")
        driver.look(news)

    def _lose(self, ray: Any, actor: Any, name: str) -> None:
        ray.get(actor.lose.remote(name)).result()
