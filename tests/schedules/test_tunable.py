"""The choice of a schedule is a conditional space, and each of its points is a schedule."""

import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.schedules import FAMILIES, Scaled, tunable

OWN = {
    "constant": {"warmup"},
    "cosine": {"warmup"},
    "cyclical": {"cycles", "cycle_ratio", "cycle_policy"},
    "inverse_square_root": {"warmup", "inverse_timescale"},
    "one_cycle": {"cycle_rise"},
    "restarts": {"warmup", "restart_cycles", "restart_growth"},
    "stable_decay": {"warmup", "stable_decay"},
    "step": {"warmup", "step_drops", "step_factor"},
}


def rates(schedule, steps):
    return np.array([float(schedule(step)) for step in steps])


def chosen(family, **values):
    hp = keras_tuner.HyperParameters()
    hp.values = {"schedule": family, **values}
    return hp


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_numbers_of_the_chosen_family_are_active(family):
    hp = chosen(family)
    tunable(hp, 10, 5)
    assert set(hp.values) == {"schedule", "learning_rate", *OWN[family]}


def test_the_whole_space_is_known_from_the_first_build_on():
    hp = keras_tuner.HyperParameters()
    tunable(hp, 10, 5)
    declared = {dimension.name for dimension in hp.space}
    assert declared == {"schedule", "learning_rate"}.union(*OWN.values())


def sampled(tmp_path, count=24):
    """Return the hyperparameters of trials that an oracle suggests."""
    hp = keras_tuner.HyperParameters()
    tunable(hp, 10, 5)
    oracle = kte.TPEOracle(objective="val_loss", max_trials=count, hyperparameters=hp, seed=0)
    oracle._set_project_dir(str(tmp_path), "space")
    for _ in range(count):
        trial = oracle.create_trial("tuner0")
        yield trial.hyperparameters
        oracle.update_trial(trial.trial_id, {"val_loss": 1.0})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)


def test_every_point_of_the_space_is_a_schedule_below_its_peak(tmp_path):
    families = set()
    for hp in sampled(tmp_path):
        families.add(hp.get("schedule"))
        found = rates(tunable(hp, 10, 5), range(0, 50, 2))
        assert np.all(found >= 0)
        assert 0.3 * hp.get("learning_rate") < found.max() <= hp.get("learning_rate") * (1 + 1e-5)
    assert families == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_trial_that_is_built_again_goes_on_along_the_same_schedule(family):
    first, again = (tunable(chosen(family, warmup=0.1), 10, 9) for _ in range(2))
    np.testing.assert_array_equal(rates(first, range(0, 90, 8)), rates(again, range(0, 90, 8)))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_batch_size_does_not_change_what_a_value_means(family):
    hp = chosen(family, warmup=0.1, learning_rate=1.0)
    coarse, fine = tunable(hp, 50, 8), tunable(hp, 500, 8)
    epochs = np.array([0.5, 1.5, 2.5, 3.3, 4.4, 5.5, 6.6, 7.7])
    np.testing.assert_allclose(
        rates(coarse, (epochs * 50).astype(int)), rates(fine, (epochs * 500).astype(int)), atol=0.06
    )


@pytest.mark.parametrize("family", ["cosine", "one_cycle", "restarts", "stable_decay"])
def test_a_schedule_that_falls_has_fallen_when_the_training_ends(family):
    schedule = tunable(chosen(family, warmup=0.2, learning_rate=1.0), 100, 10)
    assert float(schedule(999)) < 0.01
    assert float(schedule(800)) > 0.02


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 3)])
def test_the_shortest_training_has_a_schedule_too(family, size):
    assert np.all(np.isfinite(rates(tunable(chosen(family, warmup=0.2), *size), range(5))))


def test_the_rate_rises_during_the_warm_up():
    schedule = tunable(chosen("constant", warmup=0.1, learning_rate=1.0), 10, 10)
    np.testing.assert_allclose(rates(schedule, [0, 5, 10, 99]), [0.0, 0.5, 1.0, 1.0])


def test_one_family_and_a_fixed_rate_are_not_hyperparameters():
    hp = keras_tuner.HyperParameters()
    schedule = tunable(hp, 10, 5, families=["one_cycle"], learning_rate=0.5)
    assert set(hp.values) == {"cycle_rise"}
    assert rates(schedule, range(50)).max() == pytest.approx(0.5)


def test_a_prefix_keeps_two_schedules_apart():
    hp = keras_tuner.HyperParameters()
    tunable(hp, 10, 5, prefix="generator_")
    tunable(hp, 10, 5, prefix="critic_")
    names = [dimension.name for dimension in hp.space]
    assert len(names) == len(set(names))
    assert {name.split("_")[0] for name in names} == {"generator", "critic"}


def test_tunable_works_in_a_conditional_scope():
    hp = keras_tuner.HyperParameters()
    hp.Choice("optimizer", ["sgd", "adam"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        assert tunable(hp, 10, 5) is not None


def test_the_schedule_can_be_scaled_while_it_runs():
    schedule = tunable(chosen("cosine", learning_rate=1.0), 10, 5)
    assert isinstance(schedule, Scaled)
    schedule.scale = 0.5
    assert float(schedule(0)) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"families": ["sine"]}, "`families` must be a list of some of cosine, .*'sine'"),
        ({"families": []}, "`families` must be a list"),
        ({"families": "cosine"}, "`families` must be a list"),
        ({"learning_rate": (0.1, 0.01)}, "`learning_rate` must be a number or a pair"),
        ({"learning_rate": (0.1,)}, "`learning_rate` must be a number or a pair"),
        ({"learning_rate": -1}, "`learning_rate` must be a finite number above 0"),
        ({"epochs": 0}, "`epochs` must be a whole number"),
        ({"steps_per_epoch": 2.5}, "`steps_per_epoch` must be a whole number"),
    ],
)
def test_a_wrong_argument_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        tunable(keras_tuner.HyperParameters(), **{"steps_per_epoch": 10, "epochs": 5, **options})
