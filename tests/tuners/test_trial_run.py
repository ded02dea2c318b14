import keras_tuner
import numpy as np
import pytest

from kt_extras.search import trial_rng
from kt_extras.tuners import trial_run


def seeds_of(monkeypatch, *arguments):
    """Return the seeds of trainings of trial 3 of a search with seed 7."""
    seeds = []
    monkeypatch.setattr(trial_run, "set_seed", seeds.append)
    trial = keras_tuner.engine.trial.Trial(None, "0003")
    for execution, epochs_before in arguments:
        trial_run.set_trial_seed(7, trial, execution, epochs_before)
    return seeds


def test_a_training_draws_other_numbers_than_the_suggestion(monkeypatch):
    seeds = seeds_of(monkeypatch, (0, 0), (1, 0), (0, 3))
    assert len(set(seeds)) == 3
    assert np.random.SeedSequence([7, 3]).generate_state(1)[0] not in seeds


@pytest.mark.parametrize(("trial", "first"), [(0, 0.6369616873214543), (3, 0.8949727407898387)])
def test_suggestions_of_a_seed_stay_as_they_were(trial, first):
    assert trial_rng(0, trial).random() == pytest.approx(first)
