"""A chief that serves threads of this process, as it serves workers."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace

import grpc
import keras_tuner
import pytest
from keras_tuner.src.distribute.oracle_client import OracleClient

import kt_extras as kte
from kt_extras.oracles.taken import TrialTakenError
from kt_extras.parallel import chief_stub
from kt_extras.parallel.address import Address, address_from_environment
from kt_extras.parallel.chief import ChiefServer, timeout_from_environment
from kt_extras.parallel.chief_stub import ChiefStub
from kt_extras.parallel.ended_search import EndedSearch
from kt_extras.parallel.wire import ChiefError, SearchOverError
from kt_extras.storage.errors import StorageError
from tests.tuners.processes import free_port

COST = keras_tuner.Objective("cost", "min")
TIMEOUT = 1.0


class Chief:
    """A project whose chief can be started, and killed, in a thread.

    Args:
        directory: Where the project is.
        monkeypatch: Sets the environment of KerasTuner's client.
    """

    def __init__(self, directory, monkeypatch):
        self.directory, self.port = directory, free_port()
        monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
        monkeypatch.setenv("KERASTUNER_ORACLE_PORT", str(self.port))
        monkeypatch.setenv("KERASTUNER_TUNER_ID", "theirs")
        self.address = Address("127.0.0.1", self.port)
        self.oracle = self.server = None
        self._channels = []

    def oracle_of(self, **arguments):
        arguments = {"max_trials": 3, "seed": 0, "objective": COST, **arguments}
        oracle = kte.SamplerOracle(kte.samplers.Random(), **arguments)
        oracle.hyperparameters.Int("units", 1, 1000)
        oracle._set_project_dir(str(self.directory), "shared")
        return oracle

    @contextmanager
    def served(self, grace=0.3, **arguments):
        """Serve; `wait` of what is yielded waits for the end of the chief."""
        self.oracle = self.oracle_of(**arguments)
        if self.oracle.is_recorded():
            self.oracle.reload()
        with self.oracle.session(), ThreadPoolExecutor(1) as pool:
            self.server = ChiefServer(self.oracle, self.address, timeout=TIMEOUT, grace=grace)
            served = pool.submit(self.server.serve)
            try:
                yield SimpleNamespace(wait=lambda: served.result(timeout=10), done=served.done)
            finally:
                self.kill()

    def kill(self):
        """End it as a signal would: without a word to anyone."""
        self.server._server.stop(grace=None).wait()
        calls = self.server._calls
        calls.told, calls.latest = {"nobody"}, -1e9
        for worker in self.server._service.workers:
            calls.told.add(worker)

    def client(self, tuner_id=None):
        """Return a client of KerasTuner's, or ours if it has a name."""
        client = OracleClient(self.oracle)
        if tuner_id is not None:
            project = self.directory / "shared"
            client.stub = ChiefStub(
                self.address, tuner_id, EndedSearch(project, self.oracle), lambda: False
            )
        return client


@pytest.fixture
def chief(tmp_path, monkeypatch):
    return Chief(tmp_path, monkeypatch)


def run_all(client, name):
    """Run trials until there are no more, and return their ids."""
    trained = []
    while (trial := client.create_trial(name)).status != "STOPPED":
        if trial.status != "IDLE":
            client.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
            trial.status = "COMPLETED"
            client.end_trial(trial)
            trained.append(trial.trial_id)
    return trained


@pytest.mark.parametrize("tuner_id", [None, "ours"])
def test_a_worker_trains_all_trials_and_then_the_chief_ends(chief, tuner_id):
    with chief.served() as served:
        client = chief.client(tuner_id)
        assert run_all(client, "worker") == ["0000", "0001", "0002"]
        assert client.get_best_trials(1)[0].score == 1.0
        assert not served.done()  # others may come
        served.wait()
        worker = chief.oracle.trial_record("0000").worker
        assert worker.startswith("ours@" if tuner_id else "worker")


def test_the_chief_stays_until_a_first_worker_has_come(chief):
    with chief.served(grace=0.0) as served:
        time.sleep(0.6)
        assert not served.done()
        run_all(chief.client("a"), "a")
        served.wait()


def test_the_chief_stays_for_a_worker_that_it_has_met(chief):
    with chief.served(grace=0.0, max_trials=2) as served:
        slow, quick = chief.client("slow"), chief.client("quick")
        with slow.stub.alive(), quick.stub.alive():
            trial = slow.create_trial("slow")
            with ThreadPoolExecutor(1) as pool:
                others = pool.submit(run_all, quick, "quick")
                time.sleep(2 * TIMEOUT)  # it is heard by its heartbeat alone
                slow.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
                trial.status = "COMPLETED"
                slow.end_trial(trial)
                assert others.result(timeout=5) == ["0001"]
            assert not served.done()
            assert slow.create_trial("slow").status == "STOPPED"
        served.wait()


def test_a_worker_that_waits_is_answered_when_a_trial_ends(chief):
    with chief.served(max_trials=1):
        busy, idle = chief.client("busy"), chief.client("idle")
        trial = busy.create_trial("busy")
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(idle.create_trial, "idle")
            time.sleep(0.5)
            assert not answer.done()  # it does not ask again and again
            busy.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
            trial.status = "COMPLETED"
            busy.end_trial(trial)
            began = time.monotonic()
            assert answer.result(timeout=5).status == "STOPPED"
            assert time.monotonic() - began < 1.0


def test_workers_that_wait_leave_threads_to_others(chief):
    with chief.served(max_trials=1), ThreadPoolExecutor(40) as pool:
        busy = chief.client("busy")
        trial = busy.create_trial("busy")
        idle = chief.client()
        waiting = [pool.submit(idle.create_trial, f"idle-{n}") for n in range(40)]
        time.sleep(0.5)
        began = time.monotonic()
        busy.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
        assert time.monotonic() - began < 0.5
        trial.status = "COMPLETED"
        busy.end_trial(trial)
        assert {answer.result(timeout=5).status for answer in waiting} == {"STOPPED"}


@pytest.mark.filterwarnings("ignore:Worker silent:UserWarning")
def test_a_late_worker_drops_the_trial_that_another_one_has(chief):
    with chief.served(max_trials=1):
        silent, other = chief.client("silent"), chief.client("other")
        with silent.stub.alive():
            trial = silent.create_trial("silent")
        with other.stub.alive():
            time.sleep(1.5 * TIMEOUT)
            assert other.create_trial("other").trial_id == trial.trial_id
        assert chief.oracle.trial_record(trial.trial_id).attempt == 2
        with pytest.raises(TrialTakenError, match=r"Trial '0000' was given to another worker"):
            silent.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
        trial.status = "COMPLETED"
        with pytest.raises(TrialTakenError):
            silent.end_trial(trial)


def test_a_worker_of_kerastuner_may_be_silent_for_longer(chief):
    with chief.served(max_trials=1):
        client = chief.client()
        trial = client.create_trial("theirs")
        time.sleep(1.5 * TIMEOUT)
        assert list(chief.oracle.ongoing_trials) == ["theirs"]
        client.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
        assert chief.oracle.trial_record(trial.trial_id).attempt == 1


def test_a_worker_that_is_started_anew_gets_its_trial_at_once(chief):
    with chief.served():
        trial = chief.client("a").create_trial("a")
        again = chief.client("a").create_trial("a")
        assert again.trial_id == trial.trial_id
        assert chief.oracle.trial_record(trial.trial_id).attempt == 2


@pytest.mark.filterwarnings("ignore:Worker a@:UserWarning", "ignore:No worker is left:UserWarning")
def test_an_error_that_ends_a_worker_gives_its_trial_back(chief):
    with chief.served():
        client = chief.client("a")
        trial = client.create_trial("a")
        with pytest.raises(MemoryError), client.stub.alive():
            raise MemoryError
        assert chief.client("b").create_trial("b").trial_id == trial.trial_id
        assert chief.oracle.trial_record(trial.trial_id).attempt == 1


def test_calls_go_on_when_the_chief_is_started_anew(chief):
    with chief.served():
        client = chief.client("a")
        trial = client.create_trial("a")
        client.update_trial(trial.trial_id, {"cost": 2.0}, step=0)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.update_trial, trial.trial_id, {"cost": 1.0}, step=1)
        time.sleep(0.5)
        with chief.served():
            assert answer.result(timeout=10).status == "RUNNING"
            record = chief.oracle.trial_record(trial.trial_id)
            assert record.executions == [{0: {"cost": 2.0}, 1: {"cost": 1.0}}]
            assert record.attempt == 1


def test_a_call_that_was_done_but_not_answered_is_not_done_again(chief, monkeypatch):
    with chief.served():
        client = chief.client("a")
        trial = client.create_trial("a")
        make = client.stub._stub.UpdateTrial
        lost = iter([True, False])

        def unanswered(*arguments, **keywords):
            answer = make(*arguments, **keywords)
            if next(lost):
                raise Unavailable
            return answer

        monkeypatch.setattr(client.stub._stub, "UpdateTrial", unanswered)
        client.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
        assert chief.oracle.trial_record(trial.trial_id).executions == [{0: {"cost": 1.0}}]


class Unavailable(grpc.RpcError):
    """What gRPC raises when a connection breaks."""

    def code(self):
        return grpc.StatusCode.UNAVAILABLE


def test_an_error_of_a_call_is_raised_in_the_worker_alone(chief):
    with chief.served() as served:
        client = chief.client("a")
        with pytest.raises(KeyError, match="0009"):
            client.get_trial("0009")
        trial = client.create_trial("a")
        trial.status = "COMPLETED"
        with pytest.raises(ValueError, match=r"`objective` .*'cost'.* was never reported"):
            client.end_trial(trial)
        assert not served.done()


def test_an_error_of_the_chief_ends_it_and_all_workers(chief, monkeypatch):
    with chief.served() as served:
        caller, other = chief.client("a"), chief.client("b")
        trial = caller.create_trial("a")

        def full(*_, **__):
            raise StorageError("the disk is full")

        with other.stub.alive():
            monkeypatch.setattr(chief.oracle._recorder, "write", full)
            with pytest.raises(ChiefError, match="ended with an error: StorageError: the disk is"):
                caller.update_trial(trial.trial_id, {"cost": 1.0}, step=0)
            with pytest.raises(StorageError, match="the disk is full"):
                served.wait()
            with pytest.raises(ChiefError, match="the disk is full"):  # with no chief any more
                other.create_trial("b")


def test_a_worker_without_a_chief_hears_that_the_search_is_over(chief, monkeypatch):
    monkeypatch.setattr(chief_stub, "_TURN", 0.1)
    monkeypatch.setattr(chief_stub, "_UNTIL_OVER", 0.5)
    with chief.served() as served:
        run_all(chief.client("a"), "a")
        served.wait()
        EndedSearch(chief.directory / "shared", chief.oracle).write()
    with pytest.raises(SearchOverError, match=r"The search has ended, and its chief .*max_trials"):
        chief.client("late").create_trial("late")


def test_a_search_with_higher_limits_is_not_over(chief, tmp_path):
    ended = EndedSearch(tmp_path, chief.oracle_of(max_trials=3))
    ended.write()
    assert ended.reason()
    assert EndedSearch(tmp_path, chief.oracle_of(max_trials=4)).reason() is None
    assert EndedSearch(tmp_path, chief.oracle_of(), overwrite=True).reason() is None
    ended.clear()
    assert ended.reason() is None


def test_a_worker_that_never_meets_a_chief_is_told_what_to_check(chief, monkeypatch):
    monkeypatch.setattr(chief_stub, "_TURN", 0.1)
    client = chief.client("a")
    with pytest.raises(ChiefError, match=r"No chief has answered at 127\.0\.0\.1:"):
        client.stub._call("GetSpace", chief_stub_request(), timeout=0.3)


def chief_stub_request():
    from kt_extras.bridge.chief_protocol import messages

    return messages().GetSpaceRequest()


def test_the_chief_listens_at_its_address_alone(chief):
    with chief.served(), socket.socket() as other:
        socket.create_connection(("127.0.0.1", chief.port), timeout=5).close()
        other.settimeout(5)
        assert other.connect_ex(("127.0.0.2", chief.port)) != 0


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_the_chief_listens_at_other_kinds_of_addresses(chief, host):
    try:
        Address(host, chief.port).check_free()
    except OSError as error:
        pytest.skip(f"this machine has no such address: {error}")
    chief.address = Address(host, chief.port)
    with chief.served() as served:
        assert len(run_all(chief.client("a"), "a")) == 3
        served.wait()


def test_a_port_that_is_in_use_is_an_error_at_once(chief):
    with socket.socket() as used:
        used.bind(("127.0.0.1", chief.port))
        used.listen()
        with pytest.raises(OSError, match=r"Another process listens at 127\.0\.0\.1"):
            ChiefServer(chief.oracle_of(), chief.address)


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("192.0.2.1", "cannot listen at 192.0.2.1:8000"),
        ("no-such-host.invalid", "must be an IP address or the name of a machine"),
    ],
)
def test_an_address_of_another_machine_is_an_error_at_once(host, text):
    with pytest.raises(OSError, match=text):
        Address(host, 8000).check_free()


def test_addresses_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "[::1]")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "8000")
    assert address_from_environment() == Address("::1", 8000)
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "0")
    with pytest.raises(ValueError, match="`KERASTUNER_ORACLE_PORT` must be a number from 1 to"):
        address_from_environment()


@pytest.mark.parametrize("given", ["0", "soon", "inf"])
def test_a_timeout_that_is_none_is_refused(monkeypatch, given):
    monkeypatch.setenv("KT_EXTRAS_WORKER_TIMEOUT", given)
    with pytest.raises(ValueError, match="`KT_EXTRAS_WORKER_TIMEOUT` must be a number of seconds"):
        timeout_from_environment()


def test_no_thread_of_a_chief_is_left(chief):
    with chief.served() as served:
        client = chief.client("a")
        with client.stub.alive():
            run_all(client, "a")
        served.wait()
    left = [thread.name for thread in threading.enumerate() if "kt_extras" in thread.name]
    assert all(name.startswith("kt_extras-chief") for name in left)
