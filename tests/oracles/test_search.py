import kt_extras as kte
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS


class TestSearchOracle(OracleContract):
    def make(self, **kwargs):
        return kte.SearchOracle(**kwargs)


def test_the_sampler_is_chosen_by_the_search_when_none_is_given():
    assert kte.SearchOracle(LOSS).sampler.inner.inner == kte.samplers.Auto()


def test_a_sampler_may_be_given_by_its_name():
    oracle = kte.SearchOracle(LOSS, sampler="forest")
    assert oracle.sampler.inner.inner == kte.samplers.RandomForest()
