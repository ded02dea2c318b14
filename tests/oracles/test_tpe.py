import kt_extras as kte
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS


class TestTPEOracle(OracleContract):
    def make(self, **kwargs):
        return kte.TPEOracle(**kwargs)


def test_the_sampler_has_its_defaults_unless_one_is_given():
    assert kte.TPEOracle(LOSS).sampler.inner.inner == kte.samplers.TPE()
