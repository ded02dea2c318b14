from dataclasses import dataclass, field

import pytest

from kt_extras.samplers.distinct import Distinct
from kt_extras.samplers.random import Random
from kt_extras.search import Choice, Float, History, Space, trial_rng

SPACE = Space([Choice("act", ("relu", "tanh", "elu"))])


@dataclass
class Recital:
    """Gives the same answers in the same order, and counts them."""

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


def test_a_new_point_is_taken_at_once():
    inner = Recital(["relu", "tanh"])
    assert ask(Distinct(inner), tried("elu")) == {"act": "relu"}
    assert inner.given == 1


def test_the_inner_sampler_is_asked_again_while_it_repeats_a_point():
    inner = Recital(["elu", "relu", "elu", "tanh", "tanh"])
    assert ask(Distinct(inner), tried("elu", "relu")) == {"act": "tanh"}
    assert inner.given == 4


def test_the_last_answer_stands_when_the_attempts_are_used_up():
    inner = Recital(["elu", "relu", "elu"])
    assert ask(Distinct(inner, attempts=2), tried("elu", "relu")) == {"act": "relu"}
    assert inner.given == 2


def test_without_repetition_the_suggestion_is_that_of_the_inner_sampler():
    history = History(Space([Float("x", 0, 1)]))
    for trial in range(5):
        assert ask(Distinct(Random()), history, trial) == ask(Random(), history, trial)


def test_asking_less_than_once_is_refused():
    with pytest.raises(ValueError, match="`attempts` must be an integer from 1, got 0"):
        Distinct(Random(), attempts=0)
