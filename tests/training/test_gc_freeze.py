"""Which objects a search excludes from garbage collection, and for how long."""

import gc
from contextlib import suppress

import pytest

from kt_extras.training.gc_freeze import gc_freezer


@pytest.fixture
def nothing_frozen():
    gc.unfreeze()
    yield
    gc.freeze()  # as tests/conftest.py does


@pytest.mark.usefixtures("nothing_frozen")
def test_objects_are_frozen_until_the_search_ends():
    with suppress(KeyboardInterrupt), gc_freezer() as freeze:
        assert gc.get_freeze_count() == 0
        freeze()
        assert gc.get_freeze_count() > 1000
        raise KeyboardInterrupt
    assert gc.get_freeze_count() == 0


def test_what_the_callers_program_has_frozen_stays_frozen():
    frozen, later = gc.get_freeze_count(), [[] for _ in range(1000)]
    with gc_freezer() as freeze:
        freeze()
        assert 0 < gc.get_freeze_count() <= frozen
    assert 0 < gc.get_freeze_count() <= frozen
    assert len(later) == 1000
