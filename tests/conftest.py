"""For all tests: small thread pools, no GPU, the same Hypothesis examples, a directory each."""

import gc
import os
import signal

import pytest
from hypothesis import settings

# Before anything imports NumPy or TensorFlow: the test processes already fill the cores.
for variable, value in {
    "CUDA_VISIBLE_DEVICES": "-1",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
}.items():
    os.environ.setdefault(variable, value)

# The same examples every time, so that a change fails its own tests and no others.
# `HYPOTHESIS_PROFILE=random` looks for new ones.  No deadline: the cores may be busy elsewhere.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


# A shell lets what it runs in the background ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Exclude what the tests have imported from garbage collection.

    KerasTuner and Keras collect for each trial, which takes .8 s with the objects of all tests.  A
    search does the same for its own time, but not where it was done before.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _write_elsewhere(tmp_path: os.PathLike, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start every test in a directory of its own, since a search writes into the current one."""
    monkeypatch.chdir(tmp_path)
