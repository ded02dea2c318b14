"""What the loggers of a search are told, in one process and when they fail."""

import copy
import pickle
import re
import time
import warnings

import numpy as np
import pytest

import kt_extras as kte
from kt_extras.analysis.search_data import TrialData
from kt_extras.loggers import SearchInfo, TrialLogger
from kt_extras.loggers.search_log import SearchLog, search_id
from kt_extras.search.outcome import Target
from tests.loggers.recorded import Recorded

INFO = SearchInfo("digits-1", "digits", "runs/digits", (Target("val_f1", "max"),), 0)


def log_of(*loggers):
    def trial(trial_id):
        return TrialData(number=int(trial_id), trial_id=trial_id, state="completed", values={})

    return SearchLog(loggers, lambda: INFO, trial, lambda: {"0001": "weights"})


def test_a_logger_is_told_of_the_beginning_the_trials_and_the_end():
    logger = Recorded()
    log = log_of(logger)
    log.begin()
    log.ended("0000")
    log.close(finished=True)
    told = [("begin", INFO), ("0000", "completed", 0), ("end", True, ["0001"])]
    assert logger.told == told


def test_epochs_are_told_at_most_once_in_a_second_and_none_is_lost(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    logger = Recorded()
    log = log_of(logger)
    log.begin()
    for seconds in (0.1, 0.2, 1.5, 1.6):
        now[0] = seconds
        log.trained("0000")
    assert len(logger.told) == 2
    log.close(finished=False)
    assert [one[0] for one in logger.told] == ["begin", "0000", "0000", "end"]


def test_a_search_goes_on_when_a_logger_fails_and_tells_it_later(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    failing, other = Recorded(errors=2), Recorded()
    log = log_of(failing, other)
    log.begin()
    with pytest.warns(UserWarning, match=r"Recorded does not log.*no tracker"):
        log.ended("0000")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log.ended("0001")  # too soon
        now[0] = 100.0
        log.ended("0002")  # the second error
        now[0] = 200.0
        log.ended("0003")
    assert [one[0] for one in failing.told] == ["begin", "0001", "0002", "0000", "0003"]
    assert [one[0] for one in other.told] == ["begin", "0000", "0001", "0002", "0003"]


def test_a_trial_that_a_logger_cannot_take_does_not_hold_up_the_others(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    class Choosy(Recorded):
        def log_trial(self, trial):
            if trial.trial_id == "0000":
                raise ValueError("no epochs")
            super().log_trial(trial)

    logger = Choosy()
    log = log_of(logger)
    log.begin()
    with pytest.warns(UserWarning, match="no epochs"):
        log.ended("0000")
    for name in ("0001", "0002"):
        now[0] += 100.0
        log.ended(name)
    log.close(finished=True)
    assert [one[0] for one in logger.told] == ["begin", "0001", "0002", "end"]


def test_copies_for_trainings_and_for_workers_tell_nothing():
    logger = kte.loggers.TrialLogger()
    logger.client = lambda: None  # cannot be pickled
    assert type(copy.deepcopy(logger)) is TrialLogger
    assert vars(pickle.loads(pickle.dumps(logger))).get("client") is None


def test_the_id_has_only_characters_that_trackers_take(tmp_path):
    assert re.fullmatch(r"o_brien__1_-[0-9a-f]{8}", search_id(tmp_path / "o'brien:#1?"))


def test_a_search_has_one_id_until_its_records_are_removed(tmp_path):
    project = tmp_path / "digits"
    first = search_id(project)
    assert first.startswith("digits-")
    assert search_id(project) == first
    (project / "logged_as.txt").unlink()
    assert search_id(project) != first


class Steps(kte.Tuner):
    """Reports three epochs of each trial; the second one fails."""

    def run_trial(self, trial, *args, **kwargs):
        x = trial.hyperparameters.Float("x", -1, 1)
        for step in range(3):
            self.oracle.update_trial(trial.trial_id, {"score": x**2 + step}, step=step)
        if trial.trial_id == "0001":
            raise ValueError("no good")


def steps(directory, max_trials=3, **kwargs):
    objective = kte.Objective("score", "min")
    oracle = kte.SamplerOracle(
        kte.samplers.Random(), objective=objective, max_trials=max_trials, seed=0
    )
    return Steps(oracle, directory=directory, project_name="steps", **kwargs)


def test_a_tuner_tells_the_loggers_among_its_callbacks(tmp_path):
    logger = Recorded()
    steps(tmp_path).search(callbacks=[logger], verbose=0)
    begin, *trials, end = logger.told
    assert begin[1].name == "steps"
    assert begin[1].objectives == (Target("score", "min"),)
    assert trials == [("0000", "completed", 3), ("0001", "failed", 3), ("0002", "completed", 3)]
    assert end == ("end", True, [])


def test_a_search_that_goes_on_has_its_id_and_one_that_begins_again_has_not(tmp_path):
    loggers = [Recorded() for _ in range(3)]
    steps(tmp_path).search(callbacks=[loggers[0]], verbose=0)
    steps(tmp_path, max_trials=4).search(callbacks=[loggers[1]], verbose=0)
    steps(tmp_path, overwrite=True).search(callbacks=[loggers[2]], verbose=0)
    ids = [logger.told[0][1].search_id for logger in loggers]
    assert ids[0] == ids[1] != ids[2]
    assert [one[0] for one in loggers[1].told] == ["begin", "0003", "end"]


def test_a_search_that_is_interrupted_says_so(tmp_path):
    class Interrupted(Steps):
        def run_trial(self, trial, *args, **kwargs):
            raise KeyboardInterrupt

    logger = Recorded()
    tuner = Interrupted(steps(tmp_path).oracle, directory=tmp_path, project_name="other")
    with pytest.raises(KeyboardInterrupt):
        tuner.search(callbacks=[logger], verbose=0)
    assert logger.told[-1] == ("end", False, [])


def build(hp):
    import keras

    units = hp.Int("units", 1, 3)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_a_training_is_logged_with_its_curves_and_weights(tmp_path):
    logger, x = Recorded(), np.ones((4, 2))
    tuner = kte.RandomSearch(build, "loss", max_trials=1, seed=0, directory=tmp_path)
    tuner.search(x, x[:, :1], epochs=2, callbacks=[logger], verbose=0)
    (name, *ended), end = logger.told[-2:]
    assert ended == ["completed", 2]
    assert end == ("end", True, [name])


def test_a_logger_that_a_function_returns_is_refused(tmp_path):
    x = np.ones((4, 2))
    tuner = kte.RandomSearch(build, "loss", max_trials=1, seed=0, directory=tmp_path)
    with pytest.raises(TypeError, match="list of callbacks"):
        tuner.search(x, x[:, :1], callbacks=lambda _, __: [Recorded()], verbose=0)
