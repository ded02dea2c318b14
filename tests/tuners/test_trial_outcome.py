import pytest

from kt_extras.tuners.trial_outcome import is_infeasible


@pytest.mark.parametrize("name", ["InternalError", "UnknownError", "XlaRuntimeError"])
def test_errors_of_accelerators_without_memory_are_infeasible(name):
    kind = type(name, (Exception,), {})
    assert is_infeasible(kind("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"))
    assert not is_infeasible(kind("unsupported dtype"))
