import dataclasses

import numpy as np
import pytest

from kt_extras import pruners, samplers, schedulers
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


REQUIRED = {
    "Distinct": {"inner": samplers.Random()},
    "Exhaustive": {"inner": samplers.Random()},
    "PercentilePruner": {"percentile": 50},
    "ThresholdPruner": {"upper": 1.0},
    "ProgressiveHalving": {"max_epochs": 9},
    "SuccessiveHalving": {"max_epochs": 9},
    "Hyperband": {"max_epochs": 9},
    "Population": {"population_size": 4, "max_epochs": 4},
}
METHODS = ("suggest", "should_stop", "next_step")


def integer_arguments():
    """Yield every sampler, pruner and scheduler with each of its integer arguments."""
    for module in (samplers, pruners, schedulers):
        for kind in (getattr(module, name) for name in module.__all__):
            if dataclasses.is_dataclass(kind) and any(hasattr(kind, name) for name in METHODS):
                for field in dataclasses.fields(kind):
                    if field.init and field.type in {"int", "int | None"}:
                        yield pytest.param(kind, field.name, id=f"{kind.__name__}-{field.name}")


@pytest.mark.parametrize("value", [2.5, 3.0, True, "3", -1, np.nan])
@pytest.mark.parametrize(("kind", "name"), list(integer_arguments()))
def test_a_constructor_raises_if_an_argument_is_not_an_integer(kind, name, value):
    required = REQUIRED.get(kind.__name__, {})
    kind(**required)
    with pytest.raises(ValueError, match=f"`{name}` must be an integer"):
        kind(**{**required, name: value})


def test_the_integer_arguments_of_all_protocols_are_found():
    found = {parameter.id for parameter in integer_arguments()}
    assert {"TPE-candidates", "GaussianProcess-candidates", "Sobol-seed"} <= found
    assert {"PatientPruner-patience", "MedianPruner-n_min_trials"} <= found
    assert {"Hyperband-reduction_factor", "Population-interval"} <= found
