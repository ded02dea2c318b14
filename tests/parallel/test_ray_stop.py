"""`stop()` in the process that has called `search` with workers."""

import threading

import pytest

from tests.parallel.conftest import wait_for
from tests.parallel.slow_trials import begun, slow_tuner

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(200),
    pytest.mark.filterwarnings("ignore"),  # of Ray, about itself
]


def test_no_more_trials_begin_when_another_thread_stops_a_search_with_workers(tmp_path, seen):
    tuner = slow_tuner(tmp_path, max_trials=50)

    def stop():
        wait_for(lambda: begun(seen))
        tuner.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    tuner.search(0.1, str(seen), workers=2, verbose=0)
    stopping.join()
    assert 1 <= len(tuner.results()) < 50
    assert {row["state"] for row in tuner.results()} == {"completed"}
    assert "stop()" in tuner.oracle.ended_because
