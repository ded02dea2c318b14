"""What passes the check can be written, read and applied; what does not changes nothing."""

import copy
import json
import math

import keras_tuner
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.records import events
from kt_extras.records.event_check import check
from kt_extras.records.events import from_record, to_record
from kt_extras.records.search_state import SearchState
from kt_extras.storage.journal import Journal
from tests.records.test_snapshot import COST, seen

END = {
    "trial": "0000",
    "state": "completed",
    "status": "COMPLETED",
    "score": 0.5,
    "best_step": 0,
    "values": {"x": 0.5},
    "message": None,
    "results": {},
}
PAST = {**END, "trial": "0009", "attempt": 1, "began": 0.0, "stop_asked": False, "executions": []}
TAKEN = events.Exploit(epoch=1, parent="0001", generation=0, before={}, after={})


def state_of_a_search():
    """Return a state with a running trial 0000, a paused one 0001, a finished one and a queue."""
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, 1.0)
    state = SearchState(COST, keras_tuner.HyperParameters())
    for event in (
        events.ProjectOpened(format=1, objective=str(COST), seed=0),
        events.SpaceDeclared(hyperparameters=hp.get_config()),
        events.PointEnqueued(values={"x": 0.5}),
        events.TrialBegun(trial="0000", values={"x": 0.1}, until=4),
        events.TrialBegun(trial="0001", values={"x": 0.2}, until=1),
        events.EpochReported(trial="0001", step=0, metrics={"cost": 1.0}),
        events.TrialEnded(**{**END, "trial": "0001", "state": "paused"}),
        events.TrialBegun(trial="0002", values={"x": 0.2}),
        events.TrialEnded(**{**END, "trial": "0002"}),
    ):
        check(event, state)
        state.apply(event)
    return state


GOOD = [
    events.EpochReported(trial="0000", step=0, metrics={"cost": 0.5, "loss": "nan"}),
    events.StopRequested(trial="0000"),
    events.BudgetExtended(trial="0000", until=9),
    events.TrialAbandoned(trial="0000"),
    events.TrialEnded(**END),
    events.TrialResumed(trial="0001", until=4),
    events.TrialResumed(trial="0001", until=4, parent="0000", values={"x": 0.7}),
    events.TrialBegun(trial="0001", values={"x": 0.2}, kept=1),
    events.TrialBegun(trial="0003", values={"x": 1, "on": True, "act": "relu"}, enqueued=True),
    events.PointEnqueued(values={}),
    events.PastTrial(**PAST),
    events.TrialAdded(**PAST),
    events.PastKnown(source="old", points=[{"x": 0.5}], ranks=[0.0]),
    events.DataSeen(part="train", rows=3, sample=["00ff00ff00ff00ff"]),
    events.ModelEvaluated(trial="0002", metrics={"loss": "nan"}, rows=3, sample=[], at=9.0),
    events.TrialRepeated(trial="0002", seed=1, setup="a", epochs=None, metrics={"loss": 0.5}),
    events.SnapshotCompleted(ended=["0002"], totals={"best": None}),
]
BAD = [
    (events.EpochReported(trial="0000", step=-1, metrics={}), "`step` .* from 0 .* got -1"),
    (events.EpochReported(trial="0000", step=10**6, metrics={}), "`step` .* to 999999"),
    (events.EpochReported(trial="0000", step=1.0, metrics={}), "`step` .* got 1.0"),
    (events.EpochReported(trial="0000", step=True, metrics={}), "`step` .* got True"),
    (events.EpochReported(trial="0000", step=0, metrics={"a": None}), "metric 'a' .* got None"),
    (events.EpochReported(trial="0000", step=0, metrics={"a": "high"}), "metric 'a' .* 'high'"),
    (events.EpochReported(trial="0000", step=0, metrics={"a": math.nan}), "metric 'a' .* nan"),
    (
        events.EpochReported(trial="0000", step=0, metrics={3: 1.0}),
        "`metrics` must be of the type str",
    ),
    (events.EpochReported(trial="0000", step=0, metrics=[]), "`metrics` must be of the type dict"),
    (events.EpochReported(trial="0007", step=0, metrics={}), "`trial` .* 3 known trials"),
    (events.EpochReported(trial=["0000"], step=0, metrics={}), "`trial` .* known"),
    (events.EpochReported(trial="0002", step=0, metrics={}), "must be running, but '0002' is com"),
    (events.EpochReported(trial="0000", step=0, metrics={}, t=-1.0), "`t` must be at least 0"),
    (events.EpochReported(trial="0000", step=0, metrics={}, t=math.inf), "`t` .* finite"),
    (events.TrialAbandoned(trial="0002"), "`trial` must be running"),
    (events.TrialAbandoned(trial="0001"), "`trial` must be running"),
    (events.StopRequested(trial="0002"), "`trial` must be running"),
    (events.BudgetExtended(trial="0000", until=0), "`until` must be an integer from 1"),
    (events.TrialResumed(trial="0000", until=9), "`trial` must be paused"),
    (events.TrialResumed(trial="0001", until=1), "`until` must be an integer from 2"),
    (events.TrialResumed(trial="0001", until=4, parent="0009", values={}), "`trial` .* '0009'"),
    (
        events.TrialResumed(trial="0001", until=4, parent="0000"),
        "`values` must be of the type dict",
    ),
    (events.TrialBegun(trial="x/../../y", values={}), "`trial` must be an id .* 'x/../../y'"),
    (events.TrialBegun(trial="..", values={}), "`trial` must be an id"),
    (events.TrialBegun(trial="a\n", values={}), "`trial` must be an id"),
    (events.TrialBegun(trial="0003", values={"x": math.inf}), "that of 'x' is inf"),
    (events.TrialBegun(trial="0003", values={"x": [1]}), r"that of 'x' is \[1\]"),
    (events.TrialBegun(trial="0003", values={"x": 2**63}), "integers of 64 bits"),
    (events.TrialBegun(trial="0003", values={}, enqueued=True, dropped=1), "queued point, .* 1"),
    (events.TrialBegun(trial="0001", values={}, kept=2), "`kept` must be at most 1"),
    (events.TrialBegun(trial="0002", values={}), "must be running or waiting or paused"),
    (events.TrialBegun(trial="0003", values={}, takeovers=(TAKEN, None)), "`takeovers`"),
    (events.TrialEnded(**{**END, "trial": "0002"}), "must be running or waiting"),
    (events.TrialEnded(**{**END, "state": "running"}), "`state` .* got 'running'"),
    (events.TrialEnded(**{**END, "state": {}}), "`state` "),
    (events.TrialEnded(**{**END, "status": "DONE"}), "`status` must be one of"),
    (events.TrialEnded(**{**END, "score": math.nan}), "`score` must be a finite number"),
    (events.TrialEnded(**{**END, "best_step": -2}), "`best_step` must be an integer"),
    (events.TrialEnded(**{**END, "message": ValueError()}), "`message` must be of the type str"),
    (events.PointEnqueued(values={3: 1}), "`values` .* str, got 3"),
    (events.SpaceDeclared(hyperparameters={"space": [{}]}), "`hyperparameters` must be those"),
    (events.SpaceDeclared(hyperparameters=None), "`hyperparameters` must be those"),
    (events.ProjectOpened(format=0, objective="a", seed=0), "`format` must be an integer from 1"),
    (events.ProjectOpened(format=1, objective=None, seed=0), "`objective` must be of the type str"),
    (events.ProjectOpened(format=1, objective="a", seed=0.5), "`seed` must be an integer"),
    (events.PastKnown(source="old", points=[{}], ranks=[]), "`ranks` must be 1, one a point"),
    (events.PastKnown(source="old", points=[{"x": []}], ranks=[0.0]), "`points` must be texts"),
    (events.PastKnown(source="old", points=[{}], ranks=[-1.0]), "`ranks` must be at least 0"),
    (events.TrialAdded(**{**PAST, "score": None}), "`score` must be that of a completed trial"),
    (events.PastTrial(**{**PAST, "trial": "0000"}), "must not be recorded twice"),
    (events.PastTrial(**{**PAST, "executions": [{}]}), "`executions` must have `steps`"),
    (events.PastTrial(**{**PAST, "executions": None}), "`executions`"),
    (
        events.PastTrial(**{**PAST, "executions": [{"steps": [0], "metrics": {"a": []}}]}),
        "`metrics` must have 1 values of 'a'",
    ),
    (events.DataSeen(part="test", rows=3, sample=[]), "`part` must be one of"),
    (events.DataSeen(part="train", rows=-1, sample=[]), "`rows` must be an integer"),
    (events.DataSeen(part="train", rows=1, sample=["ff"]), "`sample` must be hashes of 16 digits"),
    (events.DataSeen(part="train", rows=1, sample=[], leaked=0.5), "`leaked` must be an integer"),
    (
        events.ModelEvaluated(trial="0009", metrics={}, rows=1, sample=[], at=0.0),
        "`trial` .* '0009'",
    ),
    (events.ModelEvaluated(trial=None, metrics={}, rows=1, sample=[], at="now"), "`at` must be"),
    (events.TrialRepeated(trial="0009", seed=1, setup="", epochs=1, metrics={}), "`trial` .* '00"),
    (events.TrialRepeated(trial="0002", seed=-1, setup="", epochs=1, metrics={}), "`seed` must"),
    (
        events.TrialRepeated(trial="0002", seed=1, setup="", epochs=1, metrics={}, parts=["nan"]),
        "`parts` must be a finite number",
    ),
    (events.TrialRepeated(trial="0002", seed=1, setup=1, epochs=1, metrics={}), "`setup` must"),
    (events.SnapshotCompleted(ended=["0009"]), "`trial` .* '0009'"),
    (events.SnapshotCompleted(totals={"points": 1}), "`totals` must be of"),
    (events.SnapshotCompleted(totals=3), "`totals`"),
]


@pytest.mark.parametrize("event", GOOD, ids=lambda event: event.kind)
def test_an_event_that_may_happen_passes(event):
    state = state_of_a_search()
    check(event, state)
    state.apply(event)


@pytest.mark.parametrize(("event", "message"), BAD)
def test_an_error_names_field_rule_and_value(event, message):
    state = state_of_a_search()
    before, given_event = seen(state), copy.deepcopy(event)
    with pytest.raises(ValueError, match=message):
        check(event, state)
    assert (seen(state), repr(event)) == (before, repr(given_event))


def test_records_of_a_newer_version_are_refused_and_not_called_damaged():
    with pytest.raises(RuntimeError, match=r"format 99, written by a newer kt_extras.*Upgrade"):
        check(events.ProjectOpened(format=99, objective="a", seed=0), state_of_a_search())


def test_the_check_leaves_the_declared_hyperparameters_as_they_are():
    hp = keras_tuner.HyperParameters()
    hp.Choice("a", [1, 2])
    with hp.conditional_scope("a", [1]):
        hp.Int("b", 1, 3)
    event = events.SpaceDeclared(hyperparameters=hp.get_config())
    check(event, state_of_a_search())
    json.dumps(to_record(event))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(data=st.data(), event=st.sampled_from(GOOD + [event for event, _ in BAD]))
def test_what_passes_can_be_written_read_and_applied(data, event, tmp_path_factory):
    fields = sorted(set(vars(event)) - {"takeovers"})
    changed = {name: data.draw(anything) for name in data.draw(st.sets(st.sampled_from(fields)))}
    event = type(event)(**{**vars(event), **changed})
    live, again = state_of_a_search(), state_of_a_search()
    try:
        check(event, live)
    except (ValueError, RuntimeError):
        return
    journal = Journal(tmp_path_factory.mktemp("law") / "project" / "journal.jsonl")
    journal.append(to_record(event))
    live.apply(event)
    (record,) = journal.read()
    again.apply(from_record(record))
    assert seen(live) == seen(again)
