import numpy as np
import pytest

from kt_extras.arguments import check_integer, is_number


@pytest.mark.parametrize("value", [3, np.int32(3), np.uint8(200)])
def test_integers_of_any_library_are_taken(value):
    check_integer("n", value, least=3)


@pytest.mark.parametrize("value", [2, 3.0, True, "3", None, np.float64(3), np.bool_(True)])
def test_what_is_no_integer_or_too_small_is_named(value):
    with pytest.raises(ValueError, match=r"`n` must be an integer from 3, got .*; 5 is usual\."):
        check_integer("n", value, least=3, cure="5 is usual")


def test_numpys_numbers_are_numbers_and_its_truth_values_are_not():
    assert is_number(np.float32(1))
    assert is_number(np.int64(1))
    assert not is_number(np.bool_(True))
