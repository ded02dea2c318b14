"""The arguments of a search in several processes are checked before anything starts."""

import sys

import pytest

from kt_extras.parallel import ray_engine
from kt_extras.parallel.settings import Settings


def settings(workers=1, resources=None, address=None, heartbeat=60, progress=None):
    return Settings(workers, resources, address, heartbeat, progress)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"workers": 0}, ValueError, "`workers` must be an integer from 1"),
        ({"workers": 1.5}, ValueError, "`workers` must be an integer"),
        ({"resources": ["GPU"]}, TypeError, "`resources_per_worker` must be a dictionary"),
        ({"resources": {"GPU": -1}}, ValueError, "must map names to numbers from 0"),
        ({"address": 6379}, TypeError, "`address` must be a string or None"),
        ({"address": ""}, ValueError, "`address` must name a cluster"),
        ({"heartbeat": 0}, ValueError, "`heartbeat_timeout` must be a number of seconds above 0"),
        ({"heartbeat": "60"}, TypeError, "`heartbeat_timeout` must be a number of seconds"),
        ({"progress": -1}, ValueError, "`progress_timeout` must be a number of seconds above 0"),
    ],
)
def test_wrong_arguments_are_refused(given, error, match):
    with pytest.raises(error, match=match):
        settings(**given)


def test_threads_are_divided_among_workers(monkeypatch):
    monkeypatch.setattr("kt_extras.parallel.settings.cores", lambda: 16)
    assert settings(1).threads == 16
    assert settings(4).threads == 4
    assert settings(64).threads == 1
    assert settings(4, {"CPU": 8}).threads == 8
    assert settings(4, {"CPU": 2}, "auto").threads == 2


def test_threads_of_the_users_own_come_first(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    assert settings(1).environment()["TF_NUM_INTRAOP_THREADS"] == "3"


def test_without_ray_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kt_extras\[ray\]'"):
        ray_engine.imported_ray()
