"""A search as a study of Optuna, and back, with the real Optuna and its local storage."""

import math
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

import kt_extras as kte
from kt_extras.analysis.optuna_export import to_optuna
from kt_extras.analysis.optuna_study import added_trials, data_of_study
from kt_extras.analysis.search_data import SearchData, Takeover, TrialData
from kt_extras.search import Boolean, Choice, Condition, Fixed, Float, Int, Space
from kt_extras.search.outcome import Target

optuna = pytest.importorskip("optuna")

SPACE = Space(
    [
        Float("rate", 1e-4, 1e-1, sampling="log"),
        Float("drop", 0.0, 0.55, step=0.1),
        Int("units", 8, 67, step=8),
        Choice("model", ("cnn", "mlp")),
        Int("kernel", 3, 7, conditions=(Condition("model", ("cnn",)),)),
        Boolean("norm"),
        Fixed("batch", 32),
    ]
)
POINT = {"rate": 0.01, "drop": 0.2, "units": 16, "model": "mlp", "norm": True, "batch": 32}


F1 = (Target("val_f1", "max"),)


def epochs(*values, metric="val_f1"):
    return ({"steps": list(range(len(values))), "metrics": {metric: list(values)}},)


def trial(number, state="completed", score=0.5, **facts):
    scored = {} if score is None else {"score": score, "objective_values": {"val_f1": score}}
    made = {
        "trial_id": f"{number:04d}",
        "values": POINT,
        "executions": epochs(0.1, 0.3, *([] if score is None else [score])),
        "best_epoch": None if score is None else 2,
        "epochs": 3,
        "began": 10.0 * number,
        "ended": 10.0 * number + 5,
        "seconds": 5.0,
        **scored,
    }
    return TrialData(number=number, state=state, **{**made, **facts})


def search(*trials, objectives=F1, **facts):
    made = {"name": "digits", "space": SPACE, "seconds": 100.0, "seed": 3, **facts}
    return SearchData(objectives=objectives, trials=trials, **made)


def several_states():
    return search(
        trial(0),
        trial(1, score=0.75, values={**POINT, "model": "cnn", "kernel": 5}),
        trial(2, "pruned", 0.3, ended=24.0),
        trial(3, "failed", None, message="ValueError: no", worker="w1"),
        trial(4, "infeasible", None, message="out of memory"),
        trial(5, "rejected", None, executions=(), epochs=0),
        trial(6, "paused", 0.4),
        trial(7, "running", None, ended=None, seconds=None),
        trial(8, "waiting", None, ended=None, seconds=None, message="it crashed"),
    )


def test_each_trial_has_its_state_and_its_score():
    study = to_optuna(several_states())
    assert study.study_name == "digits"
    assert [one.state.name for one in study.trials] == (
        ["COMPLETE", "COMPLETE", "PRUNED", "FAIL", "FAIL", "FAIL", "RUNNING", "RUNNING", "WAITING"]
    )
    assert study.best_trial.number == 1
    assert [one.value for one in study.trials[:4]] == [0.5, 0.75, 0.3, None]
    assert study.trials[3].user_attrs["message"] == "ValueError: no"
    assert study.trials[3].user_attrs["worker"] == "w1"
    assert study.trials[4].user_attrs["state"] == "infeasible"
    assert study.metric_names == ["val_f1"]


def test_curves_are_intermediate_values_as_means_over_executions():
    runs = (*epochs(0.1, 0.2), *epochs(0.3, 0.4, 0.5))
    study = to_optuna(search(trial(0, executions=runs)))
    assert study.trials[0].intermediate_values == pytest.approx({0: 0.2, 1: 0.3, 2: 0.5})


def test_trials_begin_and_end_as_on_the_clock_of_the_search():
    study = to_optuna(several_states())
    first, second, *_ = study.trials
    assert (second.datetime_start - first.datetime_start).total_seconds() == 10
    assert first.duration.total_seconds() == 5
    assert abs((datetime.now() - first.datetime_start).total_seconds() - 100) < 60


def test_distributions_are_those_of_the_space_and_inactive_ones_are_left_out():
    mlp, cnn = to_optuna(several_states()).trials[:2]
    kinds = optuna.distributions
    assert mlp.distributions == {
        "rate": kinds.FloatDistribution(1e-4, 1e-1, log=True),
        "drop": kinds.FloatDistribution(0.0, 0.5, step=0.1),
        "units": kinds.IntDistribution(8, 64, step=8),
        "model": kinds.CategoricalDistribution(("cnn", "mlp")),
        "norm": kinds.CategoricalDistribution((False, True)),
        "batch": kinds.CategoricalDistribution((32,)),
    }
    assert cnn.params["kernel"] == 5
    assert cnn.distributions["kernel"] == kinds.IntDistribution(3, 7)


def test_values_outside_the_space_widen_it_or_are_attributes():
    values = {**POINT, "rate": 0.5, "units": 10, "model": "gone", "was": 1}
    first, other = to_optuna(search(trial(0), trial(1, values=values))).trials
    assert other.params["rate"] == 0.5
    assert other.distributions["rate"].high == 0.5
    assert other.params["units"] == 10
    assert other.params["model"] == "gone"
    assert first.distributions["model"].choices == ("cnn", "mlp", "gone")
    assert other.user_attrs["other_values"] == {"was": 1}


def test_several_objectives_have_their_directions_values_and_constraints():
    objectives = (Target("val_f1", "max"), Target("parameters", "min"))
    trials = [
        trial(
            i,
            score=f1,
            objective_values={"val_f1": f1, "parameters": n},
            violations={"n <= 60": over},
        )
        for i, (f1, n, over) in enumerate([(0.5, 10.0, 0), (0.9, 90.0, 30), (0.4, 20.0, 0)])
    ]
    study = to_optuna(search(*trials, objectives=objectives, constraints=("n <= 60",)))
    assert [one.name for one in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert [one.number for one in study.best_trials] == [0]
    assert study.trials[1].constraints == {"n <= 60": 30}
    back = data_of_study(study)
    assert back.objectives == objectives
    assert back.constraints == ("n <= 60",)
    assert [one.violation for one in back.trials] == [0, 30, 0]


def test_a_completed_trial_without_a_value_has_failed():
    study = to_optuna(search(trial(0, score=math.nan)))
    assert study.trials[0].state.name == "FAIL"


def test_a_second_call_adds_and_updates_and_never_doubles(tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    begun = trial(1, "running", None, ended=None, seconds=None, values={"rate": 0.01})
    to_optuna(search(trial(0), begun, trial(2, "paused", 0.3)), storage)
    ended = trial(1, score=0.9, values={**POINT, "units": 24})
    paused = trial(2, "paused", 0.35, executions=epochs(0.1, 0.3, 0.3, 0.35))
    data = search(trial(0), ended, paused, trial(3, "failed", None))
    for _ in range(2):
        study = to_optuna(data, storage)
        loaded = optuna.load_study(storage=storage, study_name="digits")
        assert [one.state.name for one in loaded.trials] == [
            "COMPLETE",
            "COMPLETE",
            "RUNNING",
            "FAIL",
        ]
        assert study.best_value == loaded.best_value == 0.9
        assert loaded.trials[1].params["units"] == 24
        assert loaded.trials[2].intermediate_values[3] == 0.35


def test_values_that_a_population_has_changed_are_attributes(tmp_path):
    storage, values = f"sqlite:///{tmp_path}/study.db", {**POINT, "rate": 0.02}
    to_optuna(search(trial(0, "paused", 0.3)), storage)
    taken = [Takeover(epoch=1, parent="0001", before=POINT, after=values)]
    study = to_optuna(search(trial(0, score=0.6, values=values, takeovers=taken)), storage)
    assert study.trials[0].params["rate"] == 0.01
    assert study.trials[0].user_attrs["other_values"] == {"rate": 0.02}
    assert data_of_study(study).trials[0].values["rate"] == 0.02


def test_another_study_of_the_name_is_refused(tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    optuna.create_study(storage=storage, study_name="digits", direction="maximize")
    with pytest.raises(ValueError, match="another study with the name 'digits'"):
        to_optuna(search(trial(0)), storage)
    assert len(to_optuna(search(trial(0)), storage, study_name="other").trials) == 1


@pytest.mark.parametrize("url", ["sqlite:////none/study.db", "study"])
def test_a_database_that_cannot_be_opened_is_refused(url):
    with pytest.raises(ValueError, match="`storage` must be the URL of a database that can be"):
        to_optuna(search(trial(0)), url)


def test_optuna_can_go_on_with_the_study():
    study = to_optuna(several_states())
    study.optimize(lambda t: t.suggest_float("rate", 1e-4, 1e-1, log=True), n_trials=1)
    assert study.trials[8].state.name == "COMPLETE"


def many_trials():
    rates = 10 ** np.random.default_rng(0).uniform(-4, -1, 20)
    trials = [
        trial(i, score=-math.log10(r), values={**POINT, "rate": r, "units": 8 + 8 * (i % 7)})
        for i, r in enumerate(rates)
    ]
    return search(*trials)


def test_importances_and_tables_of_optuna_take_the_study():
    study = to_optuna(many_trials())
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    importances = optuna.importance.get_param_importances(study, evaluator=evaluator)
    assert max(importances, key=importances.get) == "rate"
    assert len(study.trials_dataframe()) == 20


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those plots are experimental, and some are of one point
def test_plots_of_optuna_take_the_study():
    pytest.importorskip("matplotlib").use("agg")
    import matplotlib.pyplot as plt

    plots, study = optuna.visualization.matplotlib, to_optuna(many_trials())
    for plot in (
        *(plots.plot_optimization_history, plots.plot_intermediate_values, plots.plot_slice),
        *(plots.plot_param_importances, plots.plot_timeline, plots.plot_edf),
    ):
        plot(study)
    plt.close("all")


def test_a_search_is_the_same_after_a_round_trip():
    data = several_states()
    back = data_of_study(to_optuna(data))
    assert back.name == data.name
    assert back.seed == data.seed
    assert back.objectives == data.objectives
    for one, other in zip(data.trials, back.trials, strict=True):
        lost = {"ended": None} if one.state == "paused" else {}
        assert other == replace(one, executions=other.executions, metrics=other.metrics, **lost)
        assert other.curve("val_f1")[1].tolist() == one.curve("val_f1")[1].tolist()


def study_of_optuna():
    study = optuna.create_study(direction="minimize", study_name="theirs")

    def objective(one):
        model = one.suggest_categorical("model", ["cnn", "mlp"])
        rate = one.suggest_float("rate", 1e-3, 1e-1, log=True)
        kernel = one.suggest_int("kernel", 3, 7, step=2) if model == "cnn" else 0
        for step in range(3):
            one.report(rate + kernel + 3 - step, step)
            if one.should_prune():
                raise optuna.TrialPruned
        if rate > 0.05:
            raise RuntimeError("too high")
        return rate + kernel + 1

    study.enqueue_trial({"model": "cnn", "rate": 0.01, "kernel": 5})
    study.enqueue_trial({"model": "mlp", "rate": 0.02})
    study.enqueue_trial({"model": "mlp", "rate": 0.09})
    study.optimize(objective, n_trials=12, catch=RuntimeError)
    return study


def test_a_study_of_optuna_is_a_search_with_its_conditions():
    study = study_of_optuna()
    data = data_of_study(study)
    assert data.name == "theirs"
    assert data.objective == Target("value", "min")
    assert {one.name: one for one in data.space.dimensions} == {
        "model": Choice("model", ("cnn", "mlp")),
        "rate": Float("rate", 1e-3, 1e-1, sampling="log"),
        "kernel": Int("kernel", 3, 7, step=2, conditions=(Condition("model", ("cnn",)),)),
    }
    first, _, failed = data.trials[:3]
    assert first.score == study.trials[0].value
    assert first.state == "completed"
    assert first.curve("value")[1].tolist() == pytest.approx([8.01, 7.01, 6.01])
    assert first.seconds > 0
    assert failed.state == "failed"
    assert failed.score is None
    assert data.losses.shape[1] == 1


def test_attributes_of_another_study_are_not_those_of_an_export():
    study = optuna.create_study()
    attributes = {"trial_id": 7, "message": {"a": 1}, "metrics/f1": "high", "seconds": "many"}
    for value in (0.5, 0.25):
        distributions = {"x": optuna.distributions.FloatDistribution(0, 1)}
        study.add_trial(
            optuna.trial.create_trial(
                params={"x": value}, distributions=distributions, value=value, user_attrs=attributes
            )
        )
    first = kte.from_optuna(study).trials[0]
    assert (first.trial_id, first.state, first.message) == ("0000", "completed", None)
    assert dict(first.metrics) == {"value": 0.5}


def test_completed_trials_can_be_added_to_a_search():
    study = study_of_optuna()
    added = list(added_trials(study))
    values, score, curve = added[0]
    assert values == {"model": "cnn", "rate": 0.01, "kernel": 5}
    assert (score, curve) == (study.trials[0].value, pytest.approx([8.01, 7.01, 6.01]))
    assert len(added) == sum(one.state.name == "COMPLETE" for one in study.trials)
    several = optuna.create_study(directions=["minimize", "maximize"])
    with pytest.raises(ValueError, match="one objective"):
        list(added_trials(several))


def test_a_study_is_looked_at_like_a_search():
    study = study_of_optuna()
    views = kte.from_optuna(study)
    assert views.best_trial.score == study.best_value
    assert len(views.results()) == len(study.trials)
    assert len(views.to_optuna().trials) == len(study.trials)


def test_what_is_no_study_is_refused():
    with pytest.raises(TypeError, match=r"optuna\.Study"):
        kte.from_optuna("sqlite:///study.db")
    with pytest.raises(TypeError, match="search"):
        to_optuna("runs/digits")
