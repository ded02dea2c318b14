"""Variations differ in few values, and climbs end where no single value is better."""

import numpy as np
import pytest

from kt_extras.samplers.candidates import around_best, climbed, first_untried, varied
from kt_extras.search import Choice, Float, History, Int, Space, State
from kt_extras.testing.samplers import toy_spaces

SPACE = Space([Choice("act", ("relu", "tanh", "elu")), Int("units", 1, 500), Int("layers", 1, 4)])


def test_climb_ends_at_the_best_value_of_every_dimension():
    best = SPACE.encode({"act": "elu", "units": 417, "layers": 2})

    def score(rows):
        right_option = (rows[:, 0] == best[0]) * 1.0
        return right_option - np.abs(rows[:, 1:] - best[1:]).sum(axis=1)

    end, value = climbed(SPACE.encode({"act": "relu", "units": 3, "layers": 4}), SPACE, score)
    assert SPACE.decode(end) == {"act": "elu", "units": 417, "layers": 2}
    assert value == pytest.approx(1.0)


def test_climb_does_not_leave_a_row_without_better_neighbours():
    row = np.array([0.3])
    end, value = climbed(row, Space([Float("x", 0, 1)]), lambda rows: rows[:, 0])
    assert end.tolist() == [0.3]
    assert value == 0.3


@pytest.mark.parametrize("name", sorted(set(toy_spaces()) - {"empty"}))
def test_variations_of_a_trial_and_random_rows_are_on_the_grid(name):
    space = toy_spaces()[name]
    history, rng = History(space), np.random.default_rng(0)
    history.start(space.decode(rng.random(len(space))))
    rows = around_best(history, np.array([0]), 20, rng, mutations=0.5, scales=(0.01, 0.1))
    assert rows.shape == (20, len(space))
    for row in rows:
        point = space.decode(row)
        known = ~np.isnan(encoded := space.encode(point))
        assert np.allclose(encoded[known], row[known])


@pytest.mark.parametrize(
    ("dimension", "value"),
    [
        (Int("n", 1, 512, sampling="log"), 1),
        (Int("n", 1, 512, sampling="log"), 512),
        (Int("n", 1, 2), 2),
        (Choice("n", (1, 2, 4), ordered=True), 4),
    ],
)
def test_variation_of_a_number_has_another_value_at_an_end_of_the_range(dimension, value):
    space, rng = Space([dimension]), np.random.default_rng(0)
    unit, others = np.repeat(space.encode({"n": value})[None], 200, axis=0), rng.random((200, 1))
    rows = varied(unit, others, space, rng, mutations=0.5, scales=(0.002, 0.3))
    assert value not in {space.decode(row)["n"] for row in rows}


def test_first_new_point_is_taken_and_a_repeated_one_only_if_all_were_tried():
    space = Space([Choice("act", ("relu", "tanh"))])
    history, rng = History(space), np.random.default_rng(0)
    history.finish(history.start({"act": "relu"}), State.COMPLETED, 1.0)
    ranked = [np.array([0.25]), np.array([0.75])]
    assert first_untried(ranked, history, space, rng) == {"act": "tanh"}
    history.start({"act": "tanh"})
    assert first_untried(ranked, history, space, rng) == {"act": "relu"}
