"""The numbers of a model are known without a build where they follow from recorded ones."""

from kt_extras.model_reuse.number_sources import NumberSources


def recorded(rates, **others):
    sources = NumberSources()
    for rate in rates:
        sources.record({"rate": rate, **others}, {"learning_rate": rate})
    return sources


def test_a_number_between_three_recorded_ones_is_known():
    sources = recorded((0.1, 0.2, 0.4))
    assert sources.numbers({"rate": 0.3}) == {"learning_rate": 0.3}


def test_a_number_beyond_the_recorded_ones_is_not_known():
    assert recorded((0.1, 0.2, 0.4)).numbers({"rate": 0.5}) is None


def test_the_numbers_of_a_recorded_model_are_known():
    sources = recorded((0.1,))
    assert sources.numbers({"rate": 0.1}) == {"learning_rate": 0.1}
    assert sources.numbers({"rate": 0.2}) is None


def test_a_number_that_is_computed_has_no_source():
    sources = NumberSources()
    for rate in (0.1, 0.2, 0.3, 0.4):
        sources.record({"rate": rate}, {"learning_rate": rate**2})
    assert sources.numbers({"rate": 0.25}) is None


def test_a_number_that_equals_two_hyperparameters_has_no_source():
    sources = NumberSources()
    for rate in (0.1, 0.2, 0.3):
        sources.record({"rate": rate, "other": rate}, {"learning_rate": rate})
    assert sources.numbers({"rate": 0.25, "other": 0.15}) is None


def test_a_new_value_of_another_hyperparameter_needs_a_comparison():
    sources = recorded((0.1, 0.2, 0.3), kind="a")
    assert sources.numbers({"rate": 0.25, "kind": "a"}) == {"learning_rate": 0.25}
    assert sources.numbers({"rate": 0.25, "kind": "b"}) is None
    assert sources.numbers({"kind": "a"}) is None
