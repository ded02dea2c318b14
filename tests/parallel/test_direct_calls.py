"""Calls over a connection to a process that may die and be started anew; here it is a thread."""

import socket
from types import SimpleNamespace

import pytest

from kt_extras.parallel import direct_calls
from kt_extras.parallel.answers import Answer, RemoteTracebackError, answered
from kt_extras.parallel.direct_calls import CallServer, Contact, DirectCalls
from kt_extras.parallel.oracle_actor import OracleActor

ray = pytest.importorskip("ray")


class Actor:
    """Has the methods that are called over Ray, and one that is called directly."""

    def __init__(self):
        self.over_ray = self.started = 0
        self.servers = []
        self.contact = SimpleNamespace(remote=self._contact)
        self.call = SimpleNamespace(remote=self._call)
        self.start()

    def start(self):
        self.started += 1
        self.servers.append(CallServer("127.0.0.1", lambda *args: answered(lambda: sum(args))))

    def _contact(self):
        return Answer(self.servers[-1].contact)

    def _call(self, *args):
        self.over_ray += 1
        return Answer(sum(args))


@pytest.fixture
def actor():
    actor = Actor()
    yield actor
    for server in actor.servers:
        server.close()


@pytest.fixture
def calls(actor):
    return DirectCalls(SimpleNamespace(get=lambda ref: ref, cloudpickle=ray.cloudpickle), actor)


def test_calls_are_answered_without_ray(calls, actor):
    assert [calls.call(1, 2).result(), calls.call(3).result()] == [3, 3]
    assert not actor.over_ray


def test_an_error_comes_back_with_its_traceback(calls):
    with pytest.raises(TypeError, match="unsupported operand") as raised:
        calls.call("a").result()
    assert isinstance(raised.value.__cause__, RemoteTracebackError)
    assert calls.call(1).result() == 1


def test_a_call_that_cannot_be_read_is_an_error_not_repeated(calls):
    class Unknown:
        def __reduce__(self):
            return int, ("no number",)

    with pytest.raises(ValueError, match="no number"):
        calls.call(Unknown()).result()


def test_a_call_goes_on_when_the_connection_breaks(calls, actor):
    calls.call(1)
    calls._connection.close()
    actor.start()
    assert calls.call(2).result() == 2
    assert not actor.over_ray


def test_an_interrupted_call_leaves_no_answer_for_the_next(calls, monkeypatch):
    calls.call(1)
    connection = calls._connection

    class Interrupted:
        def send_bytes(self, data):
            connection.send_bytes(data)
            raise KeyboardInterrupt

    calls._connection = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        calls.call(2)
    assert calls.call(3).result() == 3


@pytest.mark.parametrize("fault", ["nothing listens", "another key"])
def test_ray_takes_the_calls_where_no_connection_can_be_made(calls, actor, monkeypatch, fault):
    monkeypatch.setattr(direct_calls, "_PAUSE", 0.01)
    contact = actor.servers[-1].contact
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()
    wrong = {
        "nothing listens": Contact(free, contact.key),
        "another key": contact._replace(key=b""),
    }
    actor.contact = SimpleNamespace(remote=lambda: Answer(wrong[fault]))
    assert [calls.call(1, 2).result(), calls.call(3).result()] == [3, 3]
    assert actor.over_ray == 2


def test_an_oracle_is_called_directly_only_once_it_is_loaded(monkeypatch):
    def fails(_):
        raise LookupError("no records")

    monkeypatch.setattr(OracleActor, "_open", fails)
    with pytest.raises(LookupError, match="no records"):
        OracleActor(b"", None, 60.0, None).contact().result()
