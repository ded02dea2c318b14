import pytest

from kt_extras import testing


def test_the_contracts_are_found_where_they_are_promised():
    assert testing.SamplerContract.__module__ == "kt_extras.testing.samplers"
    assert testing.PrunerContract.__module__ == "kt_extras.testing.pruners"
    assert set(testing.__all__) <= set(dir(testing))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'PainterContract'"):
        testing.PainterContract  # noqa: B018 - looking it up is the test
