"""Which models take less time in a stack."""

import keras
import pytest

from kt_extras.stacking.expected_gain import reason_against

L = keras.layers


@pytest.mark.parametrize(("size", "reason"), [(8, None), (28, "4096 numbers for each sample")])
def test_convolutions_of_large_pictures_do_not_gain(size, reason):
    model = keras.Sequential([keras.Input((size, size, 1)), L.Conv2D(32, 3), L.Flatten()])
    found = reason_against(model)
    assert found is None if reason is None else reason in found
