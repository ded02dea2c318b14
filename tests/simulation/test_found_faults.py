"""The shortest histories of faults that the simulator has found, each of which is mended."""

import pytest

from tests.simulation.history import History, violation_of

# A process that is killed closes none of its files, and they are collected at any time.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning",
    "ignore:Exception ignored in.*FileIO:pytest.PytestUnraisableExceptionWarning",
)

FAULTS = {
    "a member of a population that took over a state is killed before its end": History(
        "pbt", (("search",), ("run", 34), ("kill",))
    ),
    "a member of a population that others took over from is killed": History(
        "pbt", (("search",), ("run", 22), ("kill",)), seed=2
    ),
    "the power is cut after a search": History(
        "random", (("search",), ("run", 99), ("cut",)), ordered=True
    ),
    "the power is cut while trials are paused": History(
        "asha", (("search",), ("run", 99), ("cut",)), ordered=True
    ),
    "the power is cut and the entries of folders are lost": History(
        "random", (("search",), ("run", 99), ("cut",))
    ),
    "the power is cut after a resumed trial has replaced the weights of its pause": History(
        "asha", (("search",), ("run", 34), ("cut",)), seed=3
    ),
    "a program with another space reads the results of a running search": History(
        "random", (("search",), ("reader", 1))
    ),
    "another process enqueues a point while a search runs": History(
        "random", (("search",), ("enqueue", 0, 9))
    ),
    "two scripts enqueue the same point": History("random", (("enqueue", 0, 4), ("enqueue", 0, 4))),
    "a step below 0 is reported": History("random", (("search",), ("mistake", 0))),
    "a point is enqueued that a narrowed range does not have": History(
        "random", (("enqueue", 0, 9), ("edit",))
    ),
    "a process is killed before its first record is written": History(
        "random", (("kill_at", 4, 1), ("search",))
    ),
    "the disk is full, and the trial cannot be given back": History(
        "random", (("search",), ("full", 0))
    ),
    "Ctrl-C comes while a record is written": History(
        "random", (("search",), ("interrupt_at", 2, 1))
    ),
    "a file cannot be written after the end of a trial, and the same object goes on": History(
        "random", (("search",), ("run", 3), ("error_at", 4, 0, 0), ("again",))
    ),
    "a member's file cannot be written after its end, and the same object goes on": History(
        "pbt", (("search",), ("run", 26), ("error_at", 4, 0, 0), ("again",))
    ),
    "a line of the journal is lost": History(
        "random", (("search",), ("run", 99), ("damage", 0, 4))
    ),
    "the line of a trial's beginning is lost": History(
        "random", (("search",), ("run", 99), ("damage", 0, 2))
    ),
    "a line of the journal is doubled": History(
        "random", (("search",), ("run", 99), ("damage", 1, 4))
    ),
    "lines of the journal have changed places": History(
        "random", (("search",), ("run", 99), ("damage", 2, 4))
    ),
    "a line of the journal is nested too deeply": History(
        "random", (("search",), ("run", 99), ("damage", 5, 4))
    ),
    "the line of a trial's end is lost": History(
        "tpe", (("search",), ("run", 19), ("damage", 0, 13))
    ),
    "Ctrl-C comes while the lock is given back": History(
        "random", (("search",), ("run", 10), ("interrupt_at", 8, 0), ("cell",))
    ),
    "a repaired trial begins again whose second beginning is lost": History(
        "bohb",
        (
            ("search",),
            ("interrupt_at", 108, 1),
            ("search",),
            ("kill_at", 37, 0),
            ("damage", 0, 32),
        ),
    ),
    "the power fails after a repair has moved the folder of a trial": History(
        "pb2", (("search",), ("kill_at", 54, 1), ("damage", 0, 17), ("cut",)), seed=2
    ),
    "a repair loses all epochs of a trial": History(
        "tpe", (("search",), ("run", 19), ("damage", 0, 32))
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_nothing_is_lost_when(what, tmp_path):
    assert violation_of(FAULTS[what], tmp_path / "disk") is None
