"""Layers and metrics have the same names in all trials, however they are built."""

import keras

import kt_extras as kte


def build(hp):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(hp.Int("units", 1, 4))])
    model.compile("sgd", "mse", metrics=[keras.metrics.MeanAbsoluteError()])
    return model


class Builds(kte.Tuner):
    """Builds its models without the methods of KerasTuner, two for each trial."""

    def run_trial(self, trial):
        models = [self.hypermodel.build(trial.hyperparameters) for _ in range(2)]
        self.names = [*getattr(self, "names", []), [model.layers[0].name for model in models]]
        return float(trial.hyperparameters.get("units"))


def test_names_begin_anew_in_each_trial_when_models_are_built_directly(tmp_path):
    oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=3, seed=0)
    tuner = Builds(oracle, build, directory=str(tmp_path))
    tuner.search(verbose=0)
    assert tuner.names == [["dense", "dense_1"]] * 3
