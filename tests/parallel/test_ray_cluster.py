"""A search on a cluster of several machines goes on when one of them disappears."""

import threading

import pytest
import ray
from ray.cluster_utils import Cluster

from tests.parallel.conftest import wait_for
from tests.parallel.slow_trials import begun, slow_tuner

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(200),
    pytest.mark.filterwarnings("ignore"),  # of Ray, about itself
]


@pytest.fixture
def cluster():
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_search_goes_on_without_a_machine_and_uses_a_new_one(cluster, tmp_path, seen):
    node = cluster.add_node(num_cpus=1)
    tuner = slow_tuner(tmp_path, max_trials=4)

    def search():
        tuner.search(
            0.0, str(seen), "waits for a third", workers=2, address=cluster.address, verbose=0
        )

    searching = threading.Thread(target=search)  # machines are added by the main thread alone
    searching.start()
    wait_for(lambda: len({pid for _, pid in begun(seen)}) == 2)
    cluster.remove_node(node, allow_graceful=False)
    cluster.add_node(num_cpus=1)
    searching.join()
    assert [row["state"] for row in tuner.results()] == ["completed"] * 4
    assert sum(record.attempt for record in tuner.oracle.trial_records()) == len(begun(seen)) == 5
    assert len({pid for _, pid in begun(seen)}) == 3
