"""A search on a cluster of several machines goes on when one of them disappears."""

import pytest
import ray
from ray.cluster_utils import Cluster

from tests.parallel.slow_trials import begun, slow_tuner
from tests.parallel.test_ray_search import when

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # of Ray, about itself
]


@pytest.fixture
def cluster():
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_search_goes_on_without_a_machine_and_uses_a_new_one(cluster, tmp_path):
    seen = tmp_path / "seen"
    seen.mkdir()
    node = cluster.add_node(num_cpus=1)
    tuner = slow_tuner(tmp_path, max_trials=8)

    def both_train():
        return True if len({pid for _, pid in begun(seen)}) == 2 else None

    def remove(_):
        cluster.remove_node(node, allow_graceful=False)
        cluster.add_node(num_cpus=1)

    remover = when(both_train, remove)
    tuner.search(1.0, str(seen), workers=2, address=cluster.address, verbose=0)
    assert not remover.is_alive()
    assert [row["state"] for row in tuner.results()] == ["completed"] * 8
    assert sum(record.attempt for record in tuner.oracle.trial_records()) == len(begun(seen))
    assert len({pid for _, pid in begun(seen)}) >= 2
