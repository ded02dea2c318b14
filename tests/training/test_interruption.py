import signal
import threading

import pytest

from kt_extras.training.interruption import interruptible


@pytest.fixture(autouse=True)
def _default_handler():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt():
    signal.raise_signal(signal.SIGINT)


def test_first_ctrl_c_sets_the_request_and_the_second_raises(capsys):
    with interruptible() as request:
        assert not request.is_set
        interrupt()
        assert request.is_set
        assert "Ctrl-C once more" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            interrupt()


def test_raise_if_set_raises_once_ctrl_c_was_pressed(capsys):
    with interruptible(visible=False) as request:
        request.raise_if_set()
        interrupt()
        with pytest.raises(KeyboardInterrupt, match="it can be resumed"):
            request.raise_if_set()
    assert capsys.readouterr().err == ""


def test_handler_is_restored_on_exit():
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyError), interruptible():
        raise KeyError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_handlers_are_left_alone():
    def mine(number, frame):
        pass

    signal.signal(signal.SIGINT, mine)
    with interruptible() as request:
        interrupt()
    assert not request.is_set
    assert signal.getsignal(signal.SIGINT) is mine


def test_signals_are_left_alone_outside_the_main_thread():
    seen = []

    def enter():
        with interruptible():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
