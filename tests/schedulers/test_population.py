import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt_extras.schedulers import Population, Resume
from kt_extras.schedulers.population import perturbed
from kt_extras.schedulers.rungs import NEVER
from kt_extras.search import Boolean, Choice, Condition, Float, Int, Space, State
from kt_extras.testing.schedulers import SimulatedSearch
from tests.schedulers.searches import by_number, history_of

RATE = Float("rate", 1e-4, 1e-1, sampling="log")


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_every_member_trains_to_the_end(workers):
    population = Population(population_size=6, max_epochs=7, interval=2)
    history = history_of(population, loss=by_number, workers=workers)
    assert history.epochs.tolist() == [7] * 6
    assert set(history.states) == {State.COMPLETED}


def test_worst_members_take_over_from_the_best_at_every_interval():
    population = Population(population_size=8, max_epochs=6, interval=2)
    steps = SimulatedSearch(population, loss=by_number).run()
    taken = [(s.number, s.parent) for s in steps[8:] if s.parent is not None]
    assert {number for number, _ in taken} == {6, 7}
    assert {parent for _, parent in taken} <= {0, 1}
    assert len(taken) == 4  # two members, at epochs 2 and 4


def test_members_are_compared_by_their_last_loss_not_their_best():
    def rising(number, epoch):
        return (0.0 if epoch == 1 else 9.0) if number == 0 else 1.0 + number / 10

    population = Population(population_size=4, max_epochs=4, interval=2)
    steps = SimulatedSearch(population, loss=rising).run()
    assert next(step for step in steps if isinstance(step, Resume)).parent == 1


def test_member_with_an_infinite_loss_is_not_a_parent():
    population = Population(population_size=4, max_epochs=4, interval=2, quantile=0.5)
    steps = SimulatedSearch(population, loss=lambda n, _: math.inf if n else 1.0).run()
    assert {s.parent for s in steps[4:] if s.parent is not None} == {0}


def test_member_is_replaced_when_it_fails_in_its_first_epoch():
    population = Population(population_size=4, max_epochs=4, interval=2)
    history = history_of(population, loss=by_number, fails={1: 1})
    assert len(history) == 5


def test_states_that_slow_members_may_take_over_are_needed():
    population = Population(population_size=2, max_epochs=9, interval=3)
    history = history_of(population, loss=by_number)
    assert population.needed(history, max_trials=None).tolist() == [NEVER, NEVER]
    history.restart(0, kept=4)
    assert population.needed(history, max_trials=None).tolist() == [3, 3]


@given(
    value=st.floats(1e-4, 1e-1), factor=st.sampled_from([0.5, 0.8, 1.2, 2.0]), d=st.integers(0, 2)
)
def test_perturbed_number_stays_in_its_range(value, factor, d):
    dimension = [RATE, Float("f", 1e-4, 1e-1), Float("r", 1e-4, 1e-1, sampling="reverse_log")][d]
    assert dimension.low <= perturbed(dimension, value, factor) <= dimension.high


@given(value=st.integers(1, 9), up=st.booleans())
def test_perturbed_integer_changes_except_at_an_end(value, up):
    moved = perturbed(Int("n", 1, 9), value, 1.2 if up else 0.8)
    assert moved == value if value == (9 if up else 1) else (moved > value) == up


def test_perturbed_number_is_multiplied_by_the_factor():
    assert perturbed(RATE, 0.01, 1.2) == pytest.approx(0.012)
    assert perturbed(Float("rho", 0.1, 0.99, sampling="reverse_log"), 0.89, 2.0) == pytest.approx(
        0.99
    )


def test_perturbed_choice_is_a_neighbour():
    batch = Choice("batch", (16, 32, 64), ordered=True)
    assert perturbed(batch, 32, 1.2) == 64
    assert perturbed(batch, 32, 0.8) == 16
    assert perturbed(batch, 64, 1.2) == 64
    assert perturbed(Boolean("norm"), False, 1.2) is True


def test_value_is_that_of_the_parent_when_not_mutable():
    space = Space([RATE, Int("units", 1, 99), Float("drop", 0, 1)])
    population = Population(population_size=4, max_epochs=4, mutable=("rate", "drop"))
    parent = {"rate": 0.01, "units": 7, "drop": 0.5}
    for seed in range(20):
        point = population.explored(parent, space, np.random.default_rng(seed))
        assert point["units"] == 7
        assert point["rate"] != 0.01


def test_values_are_added_or_removed_when_a_branch_changes():
    space = Space(
        [Boolean("decay"), Float("rate", 0, 1, conditions=(Condition("decay", (True,)),))]
    )
    population = Population(population_size=4, max_epochs=4)
    points = [
        population.explored({"decay": False}, space, np.random.default_rng(seed))
        for seed in range(20)
    ]
    assert {("rate" in point) == point["decay"] for point in points} == {True}
    assert {point["decay"] for point in points} == {True, False}


def test_value_is_drawn_again_when_its_option_was_removed():
    space = Space([Choice("act", ("elu", "relu"))])
    population = Population(population_size=4, max_epochs=4)
    draws = [population.explored({"act": "x"}, space, np.random.default_rng(n)) for n in range(9)]
    assert {point["act"] for point in draws} == {"elu", "relu"}


def test_value_is_drawn_again_when_a_sibling_scope_lacks_it():
    space = Space(
        [
            Choice("kind", ("a", "b")),
            Int("units", 4, 16, conditions=(Condition("kind", ("a",)),)),
            Int("units", 32, 64, conditions=(Condition("kind", ("b",)),)),
            Float("wide", 0, 1, conditions=(Condition("units", (63,)),)),
        ]
    )
    population = Population(population_size=4, max_epochs=4, mutable=("kind",))
    parent = {"kind": "b", "units": 63, "wide": 0.5}
    points = [population.explored(parent, space, np.random.default_rng(seed)) for seed in range(20)]
    assert {point["kind"] for point in points} == {"a", "b"}
    for point in points:
        if point["kind"] == "b":
            assert point == parent
        else:
            assert 4 <= point["units"] <= 16
            assert set(point) == {"kind", "units"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population_size": 1}, "`population_size` must be an integer from 2"),
        ({"quantile": 0.6}, r"`quantile` must be in \(0, 0.5\]"),
        ({"resample_probability": 2}, "`resample_probability` must be in"),
        ({"perturbation_factors": (1.2, 0.8)}, "`perturbation_factors` must be two numbers"),
        ({"explore": "pb3"}, "`explore` must be 'perturb' or 'pb2', got 'pb3'"),
        ({"explore": "pb2", "resample_probability": 0}, "must be left out with `explore='pb2'`"),
        ({"interval": 0}, "`interval` must be an integer from 1"),
        ({"interval": 4}, "`interval` must be below `max_epochs`.* got 4 and 4"),
        ({"max_epochs": 1}, "`interval` must be below `max_epochs`.* got 1 and 1"),
        ({"quantile": "a"}, "`quantile` must be in"),
        ({"resample_probability": "a"}, "`resample_probability` must be in"),
        ({"perturbation_factors": 1.2}, "`perturbation_factors` must be two numbers"),
        ({"perturbation_factors": ("a", "b")}, "`perturbation_factors` must be two numbers"),
    ],
)
def test_constructor_raises_for_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        Population(**{"population_size": 4, "max_epochs": 4, **arguments})
