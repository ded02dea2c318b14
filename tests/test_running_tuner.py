import keras_tuner
import pytest

import kt_extras as kte
from kt_extras.running_tuner import running_tuner


def seen_by(tuner):
    """Return what each call of a tuner's `run_trial` sees of it."""
    seen = []

    class Watching(tuner):
        def run_trial(self, trial):
            seen.append((trial.trial_id, running_tuner()))
            return trial.hyperparameters.Float("x", 0.0, 1.0)

    objective = keras_tuner.Objective("default_objective", "min")
    watching = Watching(lambda _: None, objective, max_trials=2, directory="here")
    watching.search()
    return watching, seen


@pytest.mark.parametrize("tuner", [kte.TPE, keras_tuner.RandomSearch])
def test_a_trial_is_found_by_what_it_calls(tuner):
    watching, seen = seen_by(tuner)
    assert len(seen) == 2
    for trial_id, running in seen:
        assert running.tuner is watching
        assert running.trial_id == trial_id
        assert not running.fits_plainly
    assert running_tuner() is None


def test_a_tuner_is_found_without_a_trial_while_it_declares_the_space():
    found = []

    def build(hp):
        found.append((hp, running_tuner()))

    tuner = keras_tuner.RandomSearch(build, "val_loss", max_trials=1, directory="here")
    running = found[0][1]
    assert running.tuner is tuner
    assert (running.trial_id, running.fits_plainly) == (None, True)
