"""A trial that ASHA pauses goes on where it was, with its schedule, average and time."""

import keras
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.callbacks import LearningRateLogger, StochasticWeightAveraging, TimeStopping
from kt_extras.schedules import tunable

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")
EPOCHS, STEPS = 4, 2


def schedule(hp):
    return tunable(hp, STEPS, EPOCHS, families=["one_cycle", "stable_decay"], learning_rate=0.02)


def build(hp):
    norm, out = keras.layers.BatchNormalization(), keras.layers.Dense(1)
    model = keras.Sequential([keras.layers.Input((3,)), norm, out])
    # So few steps are faster without a trace.
    model.compile(keras.optimizers.SGD(schedule(hp), momentum=0.9), "mse", run_eagerly=True)
    return model


def curves(tuner):
    """Search, and return the hyperparameters and the two curves of each trial."""
    averaging = StochasticWeightAveraging(1, data=X, validate=True)
    callbacks = [TimeStopping(1e6), averaging, LearningRateLogger()]
    tuner.search(
        X,
        Y,
        validation_data=(X, Y),
        batch_size=len(X) // STEPS,
        shuffle=False,
        callbacks=callbacks,
        verbose=0,
    )
    return {
        trial_id: (
            trial.hyperparameters,
            [
                [observation.value[0] for observation in trial.metrics.get_history(name)]
                for name in ("val_loss", "learning_rate")
            ],
        )
        for trial_id, trial in tuner.oracle.trials.items()
    }


@pytest.mark.slow
def test_a_paused_trial_has_the_curve_and_rates_of_an_unpaused_one():
    settings = {"objective": "val_loss", "max_trials": 3, "seed": 0}
    settings |= {"max_epochs": EPOCHS, "reduction_factor": 2}
    paused = kte.ASHA(build, project_name="paused", **settings)
    whole = curves(kte.ASHA(build, project_name="whole", min_epochs=EPOCHS, **settings))
    lengths = []
    for trial_id, (hp, (losses, rates)) in curves(paused).items():
        lengths.append(len(losses))
        assert hp.values == whole[trial_id][0].values
        np.testing.assert_allclose(losses, whole[trial_id][1][0][: len(losses)], rtol=1e-5)
        expected = [float(schedule(hp)(STEPS * epoch)) for epoch in range(1, len(losses) + 1)]
        np.testing.assert_allclose(rates, expected, rtol=1e-5)
    assert max(lengths) == EPOCHS
    assert min(lengths) < EPOCHS
    best = paused.get_best_models()[0].evaluate(X, Y, verbose=0)
    np.testing.assert_allclose(best, paused.oracle.get_best_trials()[0].score, rtol=1e-5)
