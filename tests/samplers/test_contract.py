"""Every sampler of the package passes the contract of samplers."""

import pytest

from kt_extras.samplers.auto import Auto
from kt_extras.samplers.bayesian_optimization import BayesianOptimization
from kt_extras.samplers.cmaes import CMAES
from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.evolution import Evolution
from kt_extras.samplers.exhaustive import Exhaustive
from kt_extras.samplers.gaussian_process import GaussianProcess
from kt_extras.samplers.grid import Grid
from kt_extras.samplers.largest_budget import LargestBudget
from kt_extras.samplers.nsga2 import NSGA2
from kt_extras.samplers.random import Random
from kt_extras.samplers.random_forest import RandomForest
from kt_extras.samplers.sobol import Sobol
from kt_extras.samplers.tpe import TPE
from kt_extras.testing import SamplerContract
from kt_extras.testing.samplers import toy_spaces


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


class TestEvolution(SamplerContract):
    def make(self):
        return Evolution()


@pytest.mark.exhaustive
class TestExhaustiveDistinctEvolution(SamplerContract):
    def make(self):
        return Exhaustive(Distinct(Evolution(population_size=4)))


class TestNSGA2(SamplerContract):
    def make(self):
        return NSGA2()


@pytest.mark.exhaustive
class TestExhaustiveDistinctNSGA2(SamplerContract):
    def make(self):
        return Exhaustive(Distinct(NSGA2(population_size=4)))


class TestCMAES(SamplerContract):
    def make(self):
        return CMAES()

    def spaces(self):
        served = {"empty", "one value", "finite", "mixed", "stepped"}
        return {name: space for name, space in toy_spaces().items() if name in served}


class TestGrid(SamplerContract):
    trials = 15  # the smallest grid of a continuous space

    def make(self):
        return Grid()


class TestGridThatIsRefined(SamplerContract):
    trials = 8

    def make(self):
        return Grid(refine=2, resolution=4)


class TestLargestBudget(SamplerContract):
    def make(self):
        return LargestBudget()


class TestGaussianProcess(SamplerContract):
    def make(self):
        return GaussianProcess()


class TestAuto(SamplerContract):
    trials = 14  # four with a model

    def make(self):
        return Auto()


class TestBayesianOptimization(SamplerContract):
    trials = 14

    def make(self):
        return BayesianOptimization()


@pytest.mark.exhaustive
class TestBayesianOptimizationByConfidenceBound(SamplerContract):
    def make(self):
        return BayesianOptimization(n_startup_trials=3, noise=0.01, exploration=2.0)


class TestRandomForest(SamplerContract):
    trials = 14

    def make(self):
        return RandomForest()
