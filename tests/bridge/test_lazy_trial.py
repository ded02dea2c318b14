import copy
import pickle
import random

import keras_tuner
import pytest
from keras_tuner.engine.trial import Trial

from kt_extras.bridge.lazy_trial import LazyTrial


def test_a_trial_can_declare_what_others_declared_after_it_began():
    space = keras_tuner.HyperParameters()
    space.Int("units", 1, 9)
    trial = LazyTrial({"units": 3}, lambda: space, "0000")
    space.Int("late", 1, 5, default=4)
    hp = trial.hyperparameters
    assert (hp.Int("units", 1, 9), hp.Int("late", 1, 5, default=4)) == (3, 4)


def test_values_are_kept_when_the_space_is_copied():
    space = keras_tuner.HyperParameters()
    space.Int("units", 1, 9)
    space.Choice("kind", ["a", "b"])
    with space.conditional_scope("kind", ["b"]):
        space.Float("rate", 0.0, 1.0)
    trial = LazyTrial({"units": 3, "kind": "a"}, lambda: space, "0000")
    assert trial.hyperparameters.values == {"units": 3, "kind": "a"}
    assert [p.name for p in trial.hyperparameters.space] == ["units", "kind", "rate"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_trial_of_keras_tuner_is_made_when_one_is_pickled(copied):
    space = keras_tuner.HyperParameters()
    space.Int("units", 1, 9)
    trial = LazyTrial({"units": 3}, lambda: space, "0000")
    trial.score, trial.best_step, trial.status = 0.5, 4, "COMPLETED"
    trial.metrics.register("loss", "min")
    trial.metrics.update("loss", 0.5, step=4)
    before = random.getstate()
    made = copied(trial)
    assert type(made) is Trial
    assert made.get_state() == trial.get_state()
    assert random.getstate() == before


def test_a_shallow_copy_is_still_lazy():
    space = keras_tuner.HyperParameters()
    space.Int("units", 1, 9)
    trial = LazyTrial({"units": 3}, lambda: space, "0000")
    made = copy.copy(trial)
    made.status = "STOPPED"
    assert (type(made), made.values, trial.status) == (LazyTrial, {"units": 3}, "RUNNING")
    assert made.hyperparameters.get("units") == 3
