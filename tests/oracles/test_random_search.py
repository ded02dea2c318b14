import kt_extras as kte
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS


class TestRandomSearchOracle(OracleContract):
    def make(self, **kwargs):
        return kte.RandomSearchOracle(**kwargs)


def test_points_are_those_of_the_random_sampler():
    assert kte.RandomSearchOracle(LOSS).sampler.inner.inner == kte.samplers.Random()
