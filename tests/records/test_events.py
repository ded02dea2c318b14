"""Records of events: what is written is read, and what cannot be read is named."""

import json

import pytest

from kt_extras.records import events
from kt_extras.storage import StorageError

EXPLOIT = events.Exploit(epoch=1, parent="0001", generation=0, before={"x": 1}, after={"x": 2})
END = {
    "trial": "0000",
    "state": "completed",
    "status": "COMPLETED",
    "score": 0.5,
    "best_step": 2,
    "values": {"x": 1},
    "message": None,
    "results": {"loss": "nan"},
}
ONE_OF_EACH = [
    events.ProjectOpened(format=1, objective="Objective(name='a', direction='min')", seed=0),
    events.SpaceDeclared(hyperparameters={"space": [], "values": {}}, trial="0000", anew=True),
    events.PointEnqueued(values={"x": 1}),
    events.PastKnown(source="runs/old", points=[{"x": 1}], ranks=[0.0]),
    events.TrialBegun(trial="0000", values={"x": 1}, until=3, takeovers=(EXPLOIT,)),
    events.TrialAbandoned(trial="0000"),
    events.BudgetExtended(trial="0000", until=9),
    events.TrialResumed(trial="0000", until=9, parent="0001", values={"x": 2}),
    events.EpochReported(trial="0000", step=0, metrics={"loss": "inf"}),
    events.StopRequested(trial="0000", withdrawn=True),
    events.TrialEnded(**END),
    events.PastTrial(**END, attempt=1, began=0.0, stop_asked=False, executions=[]),
    events.TrialAdded(**END, attempt=1, began=0.0, stop_asked=False, executions=[]),
    events.DataSeen(part="validation", rows=3, sample=["00ff00ff00ff00ff"], leaked=0),
    events.ModelEvaluated(trial=None, metrics={"loss": "inf"}, rows=3, sample=[], at=9.0),
    events.TrialRepeated(trial="0000", seed=1, setup="a", epochs=2, metrics={"loss": 0.5}),
    events.SnapshotCompleted(found=["x"], ended=["0000"], totals={"ended": 1}),
]


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.kind)
def test_an_event_is_read_as_it_was_written(event):
    record = json.loads(json.dumps(events.to_record(event), allow_nan=False))
    assert record["kind"] == event.kind
    assert events.from_record(record) == event


def test_every_kind_is_tried_here():
    assert {type(event) for event in ONE_OF_EACH} == set(events._KINDS.values())


def test_a_field_of_a_newer_version_is_passed_over():
    record = {"kind": "abandon", "trial": "0000", "t": 1.0, "reason": "unknown yet"}
    assert events.from_record(record) == events.TrialAbandoned(trial="0000", t=1.0)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"kind": "teleport"}, "has the kind 'teleport', which this version"),
        ({}, "has the kind None"),
        ({"kind": "report", "trial": "0000", "step": 1}, "'report' lacks a field.*metrics"),
    ],
)
def test_a_record_that_cannot_be_read_is_named(record, message):
    with pytest.raises(StorageError, match=message):
        events.from_record(record)
