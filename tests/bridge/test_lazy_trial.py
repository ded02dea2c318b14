import keras_tuner

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
