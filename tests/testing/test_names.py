import pytest

from kt_extras import testing


def test_contracts_are_imported_from_their_modules():
    assert testing.SamplerContract.__module__ == "kt_extras.testing.samplers"
    assert testing.PrunerContract.__module__ == "kt_extras.testing.pruners"
    assert set(testing.__all__) <= set(dir(testing))


def test_attribute_error_is_raised_for_an_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'PainterContract'"):
        testing.PainterContract  # noqa: B018 - looking it up is the test
