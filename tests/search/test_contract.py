"""Every sampler that ships keeps the contract that ships."""

from kt_extras.search import Random
from kt_extras.search.distinct import Distinct
from kt_extras.search.exhaustive import Exhaustive
from kt_extras.search.sobol import Sobol
from kt_extras.search.tpe import TPE
from kt_extras.testing import SamplerContract


class TestRandom(SamplerContract):
    def make(self):
        return Random()


class TestSobol(SamplerContract):
    def make(self):
        return Sobol(seed=0)


class TestTPE(SamplerContract):
    def make(self):
        return TPE()


class TestDistinct(SamplerContract):
    def make(self):
        return Distinct(Random())


class TestExhaustive(SamplerContract):
    def make(self):
        return Exhaustive(Random())


class TestExhaustiveDistinctTPE(SamplerContract):
    def make(self):
        return Exhaustive(Distinct(TPE()))
