from dataclasses import dataclass, field

import pytest

from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.random import Random
from kt_extras.search import Choice, Float, History, Space, trial_rng

SPACE = Space([Choice("act", ("relu", "tanh", "elu"))])


@dataclass
class Scripted:
    """Suggests the given points in order, and counts them."""

    answers: list
    given: int = field(default=0)

    def suggest(self, history, space, rng):
        self.given += 1
        return {"act": self.answers[self.given - 1]}


def tried(*options):
    history = History(SPACE)
    for option in options:
        history.start({"act": option})
    return history


def ask(sampler, history, trial=0):
    return sampler.suggest(history, history.space, trial_rng(0, trial))


def test_inner_sampler_is_asked_once_when_its_point_is_new():
    inner = Scripted(["relu", "tanh"])
    assert ask(Distinct(inner), tried("elu")) == {"act": "relu"}
    assert inner.given == 1


def test_inner_sampler_is_asked_again_while_it_repeats_a_point():
    inner = Scripted(["elu", "relu", "elu", "tanh", "tanh"])
    assert ask(Distinct(inner), tried("elu", "relu")) == {"act": "tanh"}
    assert inner.given == 4


def test_last_suggestion_is_returned_after_all_attempts():
    inner = Scripted(["elu", "relu", "elu"])
    assert ask(Distinct(inner, attempts=2), tried("elu", "relu")) == {"act": "relu"}
    assert inner.given == 2


def test_suggestion_is_that_of_the_inner_sampler_without_repetition():
    history = History(Space([Float("x", 0, 1)]))
    for trial in range(5):
        assert ask(Distinct(Random()), history, trial) == ask(Random(), history, trial)


def test_constructor_raises_for_less_than_one_attempt():
    with pytest.raises(ValueError, match="`attempts` must be an integer from 1, got 0"):
        Distinct(Random(), attempts=0)
