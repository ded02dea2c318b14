"""What tests of several processes share."""

import threading
import time

import pytest

from kt_extras.parallel.ray_engine import running_ray
from kt_extras.parallel.settings import Settings


@pytest.fixture(scope="module")
def started_ray():
    """Start Ray once for all searches of a module."""
    with running_ray(Settings(2, None, None, 60, None), shows_output=False):
        yield


@pytest.fixture
def seen(tmp_path):
    """Return a folder in which trials leave a file for each attempt."""
    folder = tmp_path / "seen"
    folder.mkdir()
    return folder


@pytest.fixture
def when():
    """Return what calls a function, in a thread, once a condition holds."""
    threads, ended = [], threading.Event()

    def watch(condition, action):
        def run():
            while not ended.is_set():
                if condition():
                    action()
                    return
                time.sleep(0.05)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()

    yield watch
    ended.set()
    for thread in threads:
        thread.join()


def wait_for(condition, seconds=120):
    """Return once a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)
