import numpy as np
import pytest

from kt_extras.arguments import check_integer, is_integer, is_number


@pytest.mark.parametrize("value", [3, np.int32(3), np.uint8(200)])
def test_check_integer_accepts_numpy_integers(value):
    assert is_integer(value)
    check_integer("n", value, minimum=3)


@pytest.mark.parametrize("value", [2, 3.0, True, "3", None, np.float64(3), np.bool_(True)])
def test_check_integer_raises_if_the_value_is_not_an_integer_or_too_small(value):
    with pytest.raises(ValueError, match=r"`n` must be an integer from 3, got .*; 5 is usual\."):
        check_integer("n", value, minimum=3, hint="5 is usual")


def test_is_number_accepts_numpy_numbers_but_not_numpy_booleans():
    assert is_number(np.float32(1))
    assert is_number(np.int64(1))
    assert not is_number(np.bool_(True))
