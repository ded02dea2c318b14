"""Rows are masked as points are decoded, and have a column for each option."""

import numpy as np
import pytest

from kt_extras.samplers.gp_columns import columns_of, masked, owner_of, snapped
from kt_extras.search import Choice, Float, Int, Space
from kt_extras.testing.samplers import toy_spaces


@pytest.mark.parametrize("name", sorted(set(toy_spaces()) - {"empty"}))
def test_rows_are_masked_and_on_the_grid_as_points_are(name):
    space = toy_spaces()[name]
    rows = np.random.default_rng(0).random((40, len(space)))
    expected = [space.encode(space.decode(row)) for row in rows]
    assert np.allclose(masked(snapped(rows, space), space), expected, equal_nan=True)


def test_two_options_are_at_distance_1():
    space = Space([Choice("act", ("relu", "tanh", "elu"))])
    columns = columns_of(np.array([[1 / 6], [0.5], [5 / 6]]), space)
    distances = np.linalg.norm(columns[:, None] - columns, axis=2)
    assert np.allclose(distances, 1 - np.eye(3))


@pytest.mark.parametrize("name", sorted(toy_spaces()))
def test_every_column_has_an_owner(name):
    space = toy_spaces()[name]
    unit = masked(np.random.default_rng(0).random((5, len(space))), space)
    assert columns_of(unit, space).shape == (5, len(owner_of(space)))
    assert np.isfinite(columns_of(unit, space)).all()


def test_unknown_value_is_in_the_middle_of_a_number_and_no_option():
    space = Space([Choice("act", ("relu", "tanh")), Int("units", 1, 4)])
    assert columns_of(np.full((1, 2), np.nan), space).tolist() == [[0.0, 0.0, 0.5]]


def test_row_in_a_continuous_space_is_unchanged():
    rows = np.random.default_rng(0).random((3, 2))
    space = Space([Float("x", 0, 1), Float("y", 0, 1)])
    assert masked(snapped(rows, space), space).tolist() == rows.tolist()
