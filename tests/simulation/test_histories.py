"""Random histories, in which no law may be broken.

`KT_EXTRAS_HISTORIES` sets how many there are, and `KT_EXTRAS_HISTORY_SEED` which ones.
"""

import os
import random
import uuid

import pytest

from tests.simulation.history import FOLDER, collect_garbage, random_history, violation_of
from tests.simulation.shrink import as_test, shrunk

COUNT = int(os.environ.get("KT_EXTRAS_HISTORIES", "1000"))
SEED = int(os.environ.get("KT_EXTRAS_HISTORY_SEED", "0"))
PARTS = 20  # each a test, and so with a time limit of its own

# A process that is killed closes none of its files, and they are collected at any time.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning",
    "ignore:Exception ignored in.*FileIO:pytest.PytestUnraisableExceptionWarning",
)


@pytest.fixture
def folder():
    return FOLDER / f"kt_extras-{uuid.uuid4().hex}"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_no_law_is_broken_in_random_histories(part, folder):
    for number in range(part, COUNT, PARTS):
        if number // PARTS % 50 == 0:
            collect_garbage()
        history = random_history(random.Random(SEED + number))
        violation = violation_of(history, folder)
        if violation is not None:
            shortest = shrunk(history, lambda other: violation_of(other, folder) is not None)
            pytest.fail(
                f"history {SEED + number}: {violation}\n"
                + as_test(shortest, violation_of(shortest, folder) or violation)
            )
