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


def test_the_first_ctrl_c_is_a_wish_and_the_second_an_order(capsys):
    with interruptible() as wish:
        assert not wish.asked
        interrupt()
        assert wish.asked
        assert "Ctrl-C once more" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            interrupt()


def test_a_wish_is_heeded_where_it_is_asked_for(capsys):
    with interruptible(visible=False) as wish:
        wish.heed()
        interrupt()
        with pytest.raises(KeyboardInterrupt, match="it can go on"):
            wish.heed()
    assert capsys.readouterr().err == ""


def test_the_handler_is_put_back():
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyError), interruptible():
        raise KeyError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_somebody_elses_handler_is_left_alone():
    def mine(number, frame):
        pass

    signal.signal(signal.SIGINT, mine)
    with interruptible() as wish:
        interrupt()
    assert not wish.asked
    assert signal.getsignal(signal.SIGINT) is mine


def test_another_thread_than_the_main_one_leaves_signals_alone():
    seen = []

    def enter():
        with interruptible():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
