"""Drives a scheduler as the workers of a search would, without any training."""

from __future__ import annotations

import heapq

import numpy as np

from kt_extras.samplers.random import Random
from kt_extras.schedulers import Start
from kt_extras.search import Float, History, Space, State, trial_rng

SPACE = Space([Float("x", 0, 1)])


def simulate(scheduler, *, loss, workers=1, max_trials=None, seed=0, fails=(), steps=10_000):
    """Run a search to its end; return its history and the steps it took.

    Args:
        loss: A function ``(number, epoch) -> loss``; epochs count from 1.
        workers: Who train at the same time, one epoch in one unit of time.
        fails: Numbers of trials that fail when they would report their first epoch.
    """
    history, log, busy = History(SPACE), [], []
    for _ in range(steps):
        while len(busy) < workers:
            may_start = max_trials is None or len(history) < max_trials
            step = scheduler.next_step(history, seed=seed, may_start=may_start)
            if step is None:
                break
            log.append(step)
            heapq.heappush(busy, (_begin(history, step, seed), step.until))
        if not busy:
            return history, log
        running, busy = busy, []
        for number, until in running:
            if number in fails:
                history.finish(number, State.INFEASIBLE, np.inf)
                continue
            epoch = int(history.epochs[number])
            history.report(number, epoch, loss(number, epoch + 1))
            until = _after(scheduler, history, number, until, max_trials, seed)
            if until is not None:
                heapq.heappush(busy, (number, until))
    raise AssertionError(f"the search did not end within {steps} epochs")


def _begin(history, step, seed):
    if isinstance(step, Start):
        rng = trial_rng(seed, len(history))
        return history.start(Random().suggest(history, SPACE, rng), step.bracket)
    history.resume(step.number)
    if step.point is not None:
        history.change(step.number, int(history.epochs[step.number]), step.point)
    return step.number


def _after(scheduler, history, number, until, max_trials, seed):
    """Return until when a trial goes on training, None if it stops."""
    epochs, best = int(history.epochs[number]), history.curve(number).best
    if epochs < until:
        return until
    if until >= scheduler.max_epochs:
        history.finish(number, State.COMPLETED, best)
        return None
    may_start = max_trials is None or len(history) < max_trials
    more = scheduler.goes_on(history, number, seed=seed, may_start=may_start)
    if more > epochs:
        return more
    history.finish(number, State.PAUSED if scheduler.resumes else State.PRUNED, best)
    return None
