"""The state of a search is the fold of its events, whatever happens in whatever order."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import keras_tuner
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import kt_extras as kte
from kt_extras.records.events import from_record
from kt_extras.records.scores import best_epochs
from kt_extras.records.search_state import SearchState
from kt_extras.storage import StorageError
from kt_extras.storage.journal import Journal
from tests.cases import some
from tests.records.faulty_store import faulty
from tests.records.test_snapshot import COST, seen

LENIENT = {"max_retries_per_trial": 1, "max_failure_fraction": None, "seed": 0}
LENIENT |= {"max_consecutive_failed_trials": 10**6}
MAKE = {
    "pruner": lambda: kte.SamplerOracle(
        kte.samplers.Random(), kte.MedianPruner(1, 0), COST, 12, **LENIENT
    ),
    "asha": lambda: kte.ASHAOracle(COST, max_epochs=4, sampler="random", **LENIENT),
    "stopping": lambda: kte.ASHAOracle(
        COST, max_epochs=4, mode="stopping", sampler="random", **LENIENT
    ),
    "bohb": lambda: kte.BOHBOracle(COST, max_epochs=4, reduction_factor=2, **LENIENT),
    "hyperband": lambda: kte.HyperbandOracle(COST, 3, 2, None, **LENIENT),
    "grid": lambda: kte.GridSearchOracle(COST, refine=1, resolution=2, **LENIENT),
    "pasha": lambda: kte.PASHAOracle(COST, max_epochs=4, sampler="random", **LENIENT),
    "pbt": lambda: kte.PBTOracle(COST, population_size=4, max_epochs=4, **LENIENT),
    "pb2": lambda: kte.PBTOracle(COST, population_size=4, max_epochs=4, explore="pb2", **LENIENT),
}
workers = st.sampled_from(["one", "two", "three"])
costs = st.sampled_from([0.1, 0.2, 0.5, 0.9, float("nan"), float("inf")])


class Search(RuleBasedStateMachine):
    """Workers that train, fail, give back or die, sessions, disks that fail, and programs that are
    killed and begun again.
    """

    kind = "pruner"

    def __init__(self):
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.oracle = self.begin()
        self.running = {}  # what each worker has in hand

    def begin(self):
        oracle = MAKE[self.kind]()
        oracle._set_project_dir(str(self.directory), "project")
        oracle.hyperparameters.Float("x", 0.0, 1.0)
        oracle.hyperparameters.Choice("c", ["a", "b"])
        self.store = faulty(oracle)
        return oracle

    @rule(worker=workers)
    def create(self, worker):
        self.running.pop(worker, None)
        trial = self.oracle.create_trial(worker)
        if trial.status == "RUNNING":
            self.running[worker] = trial

    @precondition(lambda self: self.running)
    @rule(data=st.data(), cost=costs)
    def report(self, data, cost):
        worker = data.draw(st.sampled_from(sorted(self.running)))
        trial = self.running[worker]
        step = self.oracle.trial_record(trial.trial_id).trained
        if step < 4:
            answer = self.oracle.update_trial(trial.trial_id, {"cost": cost, "loss": 1.0}, step)
            if answer.status == "STOPPED":  # pruned, or paused
                self.end(worker, "STOPPED")

    @precondition(lambda self: self.running)
    @rule(data=st.data(), status=st.sampled_from(["COMPLETED", "INVALID", "FAILED", "IDLE"]))
    def hand_back(self, data, status):
        worker = data.draw(st.sampled_from(sorted(self.running)))
        record = self.oracle.trial_record(self.running[worker].trial_id)
        if status != "COMPLETED" or best_epochs(record, self.oracle.objective):
            self.end(worker, status)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def declare_late_and_end(self, data):
        worker = data.draw(st.sampled_from(sorted(self.running)))
        if self.kind in {"pruner", "pbt", "pb2"}:
            self.running[worker].hyperparameters.Int("late", 1, 5)
            self.end(worker, "INVALID")

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def abandon(self, data):
        worker = data.draw(st.sampled_from(sorted(self.running)))
        self.oracle.abandon(worker)
        del self.running[worker]

    @rule(x=st.floats(0, 1))
    def enqueue(self, x):
        self.oracle.enqueue({"x": x})

    @rule()
    def kill_and_reload(self):
        if Journal(self.journal).exists():
            self.oracle.close_session()  # as the death of a process does
            self.oracle = self.begin()
            self.oracle.reload()
            self.running = {}

    @rule()
    def reload_in_the_same_object(self):
        if Journal(self.journal).exists():
            self.oracle.reload()
            self.running = {}

    @rule()
    def close_and_open_a_session(self):
        self.oracle.close_session()
        self.oracle.open_session()

    @rule(worker=workers, when=st.sampled_from(["before", "after"]), data=st.data())
    def disk_fails(self, worker, when, data):
        acts = {"create": self.create, "enqueue": lambda _: self.oracle.enqueue({"x": 0.5})}
        if worker in self.running:
            acts |= {"end": lambda w: self.end(w, "INVALID"), "abandon": self.oracle.abandon}
        self.store.fails = when
        act = acts[data.draw(st.sampled_from(sorted(acts)))]
        with suppress(OSError):  # nothing was written where there is no further trial
            act(worker)
        if self.store.fails:
            self.store.fails = None
            return
        with suppress(StorageError):
            self.oracle.abandon(worker)
        self.oracle.close_session()
        self.oracle.open_session()
        self.running = {}

    @invariant()
    def epochs_are_those_of_the_trials(self):
        state = self.oracle._state
        assert state.totals.epochs == sum(record.reports for record in state.trials.values())
        assert 0 <= state.epochs <= state.totals.epochs

    @invariant()
    def replayed_journal_equals_live_state(self):
        if not Journal(self.journal).exists():
            return
        replayed = SearchState(COST, keras_tuner.HyperParameters())
        for record in Journal(self.journal).read():
            replayed.apply(from_record(record))
        replayed.recover({trial.trial_id for trial in self.running.values()})
        one, other = (json.loads(seen(state)) for state in (self.oracle._state, replayed))
        for one_of_two in (one, other):
            one_of_two["waiting"].sort()  # after a kill, those that it interrupted come last
            for trial in one_of_two["trials"]:
                del trial["hyperparameters"]["space"]  # a copy, as old as the first look at it
        assert {k: repr(v) for k, v in one.items()} == {k: repr(v) for k, v in other.items()}

    @property
    def journal(self):
        return self.directory / "project" / "journal.jsonl"

    def end(self, worker, status):
        trial = self.running.pop(worker)
        trial.status, trial.message = status, None if status == "COMPLETED" else "a message"
        self.oracle.end_trial(trial)


@pytest.mark.parametrize("kind", some(MAKE, {"pruner", "asha", "hyperband", "grid", "pbt"}))
def test_a_replayed_journal_equals_the_live_state(kind):
    machine = type(f"Search_{kind}", (Search,), {"kind": kind})
    run_state_machine_as_test(
        machine, settings=settings(settings(), max_examples=15, stateful_step_count=30)
    )
