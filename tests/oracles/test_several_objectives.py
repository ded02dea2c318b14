"""A search with several objectives, with constraints, or with weights."""

import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.records.events import EpochReported, TrialBegun, TrialEnded
from kt_extras.records.past_searches import past_sources
from kt_extras.records.search_state import SearchState
from kt_extras.search.outcome import Goals, Target
from kt_extras.search.pareto import non_dominated_fronts

ERROR = keras_tuner.Objective("error", "min")
SIZE = keras_tuner.Objective("size", "min")


class Curve(kte.Tuner):
    """Trains nothing: error falls with the epochs and with x, size grows with x."""

    def run_trial(self, trial, **_):
        x = trial.hyperparameters.Float("x", 0.0, 1.0)
        y = trial.hyperparameters.Float("y", 0.0, 1.0)
        for epoch in range(4):
            error = (1 - x) ** 2 + (y - 0.5) ** 2 + 1 / (epoch + 1)
            metrics = {"error": error, "size": x + y, "recall": x}
            status = self.oracle.update_trial(trial.trial_id, metrics, epoch).status
            if status == "STOPPED":
                return


def searched(directory, sampler=None, trials=20, cls=Curve, **settings):
    settings.setdefault("objectives", [ERROR, SIZE])
    oracle = kte.SamplerOracle(
        sampler or kte.samplers.Random(), max_trials=trials, seed=0, **settings
    )
    tuner = cls(oracle, directory=str(directory), project_name="p")
    tuner.search(verbose=0)
    return tuner


def outcomes(tuner):
    return np.array([[row["error"], row["size"]] for row in tuner.results()])


def ids_of(tuner, num_trials):
    return [trial.trial_id for trial in tuner.oracle.get_best_trials(num_trials)]


def test_the_best_trials_are_those_of_the_front_first(tmp_path):
    tuner = searched(tmp_path)
    fronts = non_dominated_fronts(outcomes(tuner))
    assert fronts[[int(name) for name in ids_of(tuner, 20)]].tolist() == sorted(fronts)


def test_the_first_best_trial_is_no_extreme_of_the_front(tmp_path):
    tuner = searched(tmp_path, trials=40)
    found = outcomes(tuner)
    first = int(ids_of(tuner, 1)[0])
    front = found[non_dominated_fronts(found) == 0]
    assert (found[first] > front.min(axis=0)).all()


def test_the_score_is_the_value_of_the_first_objective(tmp_path):
    row = searched(tmp_path, trials=1).results()[0]
    assert row["score"] == row["error"]


def test_a_search_that_goes_on_is_the_one_that_was_not_interrupted(tmp_path):
    whole = searched(tmp_path / "a", kte.samplers.TPE(), trials=25)
    searched(tmp_path / "b", kte.samplers.TPE(), trials=13)
    resumed = searched(tmp_path / "b", kte.samplers.TPE(), trials=25)
    points = [[(row["x"], row["y"]) for row in tuner.results()] for tuner in (whole, resumed)]
    assert points[0] == points[1]
    assert ids_of(whole, 25) == ids_of(resumed, 25)


def test_a_snapshot_keeps_objectives_constraints_and_weights(tmp_path):
    settings = {"weights": {"error": 1, "size": 2}, "constraints": ["recall >= 0.5"]}
    tuner = searched(tmp_path, **settings)
    before = tuner._local_oracle._state.goals_recorded
    recorder = tuner._local_oracle._recorder
    with tuner._local_oracle.session():
        from kt_extras.records.events import to_record
        from kt_extras.records.snapshot import snapshot_events

        recorder._store.compact([to_record(e) for e in snapshot_events(recorder.state)])
    assert searched(tmp_path, **settings)._local_oracle._state.goals_recorded == before
    assert before["weights"] == {"error": 1.0, "size": 2.0}


def test_trials_that_violate_a_constraint_come_last(tmp_path):
    tuner = searched(tmp_path, objectives=None, objective=ERROR, constraints=["size <= 0.5"])
    rows = {row["trial_id"]: row for row in tuner.results()}
    feasible = [rows[name]["size"] <= 0.5 for name in ids_of(tuner, 20)]
    assert feasible == sorted(feasible, reverse=True)
    scores = [rows[name]["score"] for name in ids_of(tuner, sum(feasible))]
    assert scores == sorted(scores)


def test_the_best_score_of_a_search_with_a_constraint_is_feasible(tmp_path):
    tuner = searched(tmp_path, objectives=None, objective=ERROR, constraints=["size <= 0.5"])
    feasible = [row["score"] for row in tuner.results() if row["size"] <= 0.5]
    assert tuner.oracle.totals.best == min(feasible)


def test_weights_choose_one_end_of_the_front(tmp_path):
    small = searched(tmp_path / "a", weights={"error": 0, "size": 1})
    good = searched(tmp_path / "b", weights={"error": 1, "size": 0})
    assert int(ids_of(small, 1)[0]) == np.argmin(outcomes(small)[:, 1])
    assert int(ids_of(good, 1)[0]) == np.argmin(outcomes(good)[:, 0])


def test_other_weights_can_be_given_when_a_search_goes_on(tmp_path):
    searched(tmp_path, weights={"error": 1, "size": 0})
    small = searched(tmp_path, weights={"error": 0, "size": 1})
    assert int(ids_of(small, 1)[0]) == np.argmin(outcomes(small)[:, 1])


def test_other_objectives_are_refused_when_a_search_goes_on(tmp_path):
    searched(tmp_path)
    with pytest.raises(ValueError, match="`objectives` is now"):
        searched(tmp_path, objectives=[ERROR, keras_tuner.Objective("recall", "max")])


def test_a_search_ends_when_the_front_stands_still(tmp_path):
    tuner = searched(tmp_path, trials=200, max_trials_without_improvement=3)
    rows, stale = outcomes(tuner), 0
    assert len(rows) < 200
    for n in range(len(rows)):
        dominated = (rows[:n] <= rows[n]).all(axis=1).any()
        stale = stale + 1 if dominated else 0
        assert (stale >= 3) == (n == len(rows) - 1)


def test_a_pruner_stops_dominated_trials_alone(tmp_path):
    tuner = searched(tmp_path, trials=40, pruner=kte.MedianPruner(n_startup_trials=5))
    states = np.array([row["state"] for row in tuner.results()])
    fronts = non_dominated_fronts(outcomes(tuner))
    assert (states == "pruned").sum() > 5
    assert fronts[states == "pruned"].min() > 0


@pytest.mark.parametrize(
    "scheduler",
    [
        kte.schedulers.SuccessiveHalving(max_epochs=4, min_epochs=1, reduction_factor=2),
        kte.schedulers.Hyperband(max_epochs=4, reduction_factor=2),
    ],
)
def test_rungs_promote_what_is_not_dominated(scheduler):
    oracle = kte.SamplerOracle(
        kte.samplers.Random(),
        objectives=[ERROR, SIZE],
        max_trials=16,
        seed=0,
        scheduler=scheduler,
    )
    for _ in range(200):
        trial = oracle.create_trial("worker")
        if trial.status == "STOPPED":
            break
        x = trial.hyperparameters.Float("x", 0.0, 1.0)
        oracle.update_space(trial.hyperparameters)
        for epoch in range(oracle.trial_record(trial.trial_id).trained, 4):
            # Half of the trials are dominated by the others.
            waste = 1.0 if int(trial.trial_id) % 2 else 0.0
            metrics = {"error": 1 - x + waste, "size": x + waste}
            if oracle.update_trial(trial.trial_id, metrics, epoch).status == "STOPPED":
                break
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    epochs = np.array([record.trained for record in oracle.trial_records()])
    good = np.arange(len(epochs)) % 2 == 0
    assert epochs[good].mean() > epochs[~good].mean()
    assert epochs.max() == 4


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"objectives": []}, "at least one"),
        ({"objectives": "error"}, "must be a list"),
        ({"objectives": ["val_loss", "val_loss"]}, "different ones"),
        ({"objectives": ["parameters", "val_loss"]}, "begin with a metric"),
        ({"objectives": ["val_loss", 3]}, "names of metrics"),
        ({"objectives": ["val_loss", "val_magic"]}, "direction is known"),
        ({"objective": "val_loss", "objectives": ["val_loss", "latency"]}, "must not be given"),
        ({"objective": "val_loss", "weights": {"val_loss": 1}}, "needs several `objectives`"),
        ({"objectives": ["val_loss", "latency"], "weights": {"val_loss": 1}}, "a number for each"),
        (
            {"objectives": ["val_loss", "latency"], "weights": {"val_loss": -1, "latency": 1}},
            "numbers from 0",
        ),
        ({"objectives": ["val_loss", "latency"], "target": 0.5}, "`target` must be left out"),
        (
            {"objectives": ["val_loss", "latency"], "pruner": kte.ThresholdPruner(upper=1.0)},
            "compare trials with each other",
        ),
        (
            {
                "objectives": ["val_loss", "latency"],
                "scheduler": kte.schedulers.ProgressiveHalving(9),
            },
            "at one epoch alone",
        ),
        ({"objective": ["loss", "val_loss"], "constraints": ["a < 1"]}, "one `objective`"),
        ({"objective": "val_loss", "constraints": "a < 1"}, "must be a list"),
        ({"objective": "val_loss", "constraints": ["a = 1"]}, "constraint must be"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments, match):
    with pytest.raises((TypeError, ValueError), match=match):
        kte.SamplerOracle(kte.samplers.Random(), **arguments)


def test_an_objective_that_is_never_reported_is_named(tmp_path):
    class Silent(Curve):
        def run_trial(self, trial, **_):
            self.oracle.update_trial(trial.trial_id, {"error": 1.0}, 0)

    with pytest.raises(Exception, match=r"\['size'\] never were"):
        searched(tmp_path, cls=Silent)


def test_the_summary_shows_all_objectives(tmp_path, capsys):
    tuner = searched(tmp_path, trials=5)
    tuner.results_summary(2)
    lines = [line for line in capsys.readouterr().out.splitlines() if "size" in line]
    assert [line.split(":")[0] for line in lines] == [f"Trial {name}" for name in ids_of(tuner, 2)]


def test_a_trial_of_elsewhere_is_added_with_all_objectives(tmp_path):
    tuner = searched(tmp_path, trials=5)
    with pytest.raises(ValueError, match=r"\['size'\] are missing"):
        tuner.add_trial({"x": 0.5, "y": 0.5}, 1.0)
    name = tuner.add_trial({"x": 0.5, "y": 0.5}, {"error": -1.0, "size": -1.0})
    assert ids_of(tuner, 1) == [name]
    assert tuner.add_trial({"x": 0.5, "y": 0.5}, {"error": -1.0, "size": -1.0}) == name
    assert tuner.add_trial({"x": 0.5, "y": 0.5}, {"error": -1.0, "size": 9.0}) != name
    assert ids_of(searched(tmp_path, trials=5), 1) == [name]


def test_stop_ends_the_search_and_another_call_goes_on(tmp_path):
    class Stopping(Curve):
        def on_trial_end(self, trial):
            super().on_trial_end(trial)
            if trial.trial_id == "0004":
                self.stop()

    tuner = searched(tmp_path, trials=8, cls=Stopping)
    assert len(tuner.results()) == 5
    assert "stop()" in tuner.oracle.ended_because
    tuner.search(verbose=0)
    assert len(tuner.results()) == 8


def test_the_score_of_a_trial_that_violates_constraints_reaches_no_target(tmp_path):
    low = searched(
        tmp_path,
        trials=20,
        objectives=None,
        objective=ERROR,
        constraints=["recall <= -1"],
        target=100.0,
    )
    assert len(low.results()) == 20


def test_the_best_score_is_that_of_a_feasible_trial_once_there_is_one(tmp_path):
    tuner = searched(tmp_path, constraints=["recall <= 0.3"])
    rows = tuner.results()
    feasible = [row["score"] for row in rows if row["recall"] <= 0.3]
    assert min(row["score"] for row in rows) < min(feasible) == tuner.oracle.totals.best


@pytest.mark.parametrize(
    "pruner",
    [
        kte.pruners.AnyOf(kte.pruners.MedianPruner(), kte.pruners.ThresholdPruner(upper=1.0)),
        kte.pruners.PatientPruner(kte.pruners.AnyOf(kte.pruners.ThresholdPruner(upper=1.0))),
    ],
)
def test_a_threshold_among_several_pruners_is_refused(pruner):
    with pytest.raises(ValueError, match="`pruner` must compare trials"):
        kte.SamplerOracle(kte.samplers.Random(), objectives=[ERROR, SIZE], pruner=pruner)


def test_the_weight_of_a_single_objective_is_on_record_as_none(tmp_path):
    settings = {"objectives": [ERROR], "weights": {"error": 2.0}, "constraints": ["recall > 0"]}
    searched(tmp_path, trials=2, **settings)
    assert len(searched(tmp_path, trials=3, **settings).results()) == 3


def test_a_paused_trial_that_runs_at_a_reload_keeps_its_place():
    state = SearchState(ERROR, keras_tuner.HyperParameters(), Goals((Target("error", "min"),) * 2))
    ended = {"status": "COMPLETED", "message": None, "results": {}, "values": {}}
    for name, error in (("0", 1.0), ("1", 2.0)):
        until = 1 if name == "0" else None
        state.apply(TrialBegun(trial=name, values={}, until=until, rested=until or 0))
        state.apply(EpochReported(trial=name, step=0, metrics={"error": error}))
    state.apply(TrialEnded(trial="1", state="completed", score=2.0, best_step=0, **ended))
    state.recover()
    assert [trial.trial_id for trial in state.best_trials()] == ["0", "1"]


def test_the_curve_of_an_added_trial_has_the_rest_of_its_metrics(tmp_path):
    tuner = searched(tmp_path, trials=3)
    tuner.add_trial({"x": 0.5, "y": 0.5}, {"error": 0.1, "size": 0.0}, curve=[0.2, 0.1])
    assert np.isfinite(tuner.oracle.history.ranked().best_by(1)).all()


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_warm_start_takes_the_goals_of_the_earlier_search(tmp_path, is_loaded):
    first = searched(tmp_path / "a", constraints=["recall <= 0.3"])
    best = {n: first.best_trial.values[n] for n in ("x", "y")}
    source = kte.load(tmp_path / "a" / "p") if is_loaded else str(tmp_path / "a" / "p")
    (past,) = past_sources([source])
    found = past.read(ERROR)
    recall = [point["x"] for point in found.points]
    assert best in found.points
    assert max(recall[:4]) <= 0.3 < max(recall)


def test_a_search_that_was_stopped_goes_on_when_it_is_called_again(tmp_path):
    class Stopping(Curve):
        def run_trial(self, trial, **kwargs):
            super().run_trial(trial, **kwargs)
            self.stop()

    tuner = searched(tmp_path, trials=5, cls=Stopping)
    assert len(tuner.results()) == 1
    tuner.search(verbose=0)
    assert len(tuner.results()) == 2
