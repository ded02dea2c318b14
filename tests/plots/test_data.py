"""The columns behind the pictures."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kt_extras.analysis.search_data import SearchData, Takeover, Target, TrialData
from kt_extras.plots import data
from kt_extras.plots.data.populations import path_to_best
from kt_extras.plots.data.scales import scale_of
from kt_extras.plots.ticks import labels, ticks
from kt_extras.search import Choice, Condition, Float, Int, Space
from kt_extras.search.pareto import hypervolume
from tests.plots.made_searches import (
    CONDITIONAL,
    FLAT,
    all_failed,
    halving,
    made,
    population,
    two_objectives,
    without_trials,
)

LOSS = Target("val_loss", "min")
KINDS = {
    "contour": ("learning_rate", "optimizer"),
    "curves": (),
    "empirical_distribution": (),
    "history": (),
    "importance": (),
    "lineage": (),
    "parallel_coordinates": (),
    "rungs": (),
    "schedule": (),
    "slice": (),
    "surface": ("learning_rate", "optimizer"),
    "timeline": (),
}


def search_of(*trials, space=None, objectives=(LOSS,), **options):
    return SearchData("doc", space or Space([]), objectives, trials, **options)


def trial(number, score=None, state="completed", values=None, **options):
    targets = options.pop("objective_values", {} if score is None else {LOSS.name: score})
    return TrialData(number, f"{number:04d}", state, values or {}, score, targets, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_columns_have_one_length_whatever_the_search(kind):
    for search in (made(40), made(1, faults=0), all_failed(), without_trials()):
        table = getattr(data, kind)(search, *KINDS[kind])
        assert len({len(column) for column in table.values()}) == 1


def test_every_kind_has_columns():
    assert {*KINDS, "hypervolume", "pareto_front", "Columns"} == set(data.__all__)


def test_the_columns_are_ready_for_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(data.history(made(20)))
    assert len(frame) == 20
    assert frame.best.is_monotonic_increasing


def test_the_best_so_far_is_that_of_feasible_trials_with_a_finite_score():
    trials = (
        trial(0, state="failed"),
        trial(1, 3.0),
        trial(2, 1.0, violations={"latency <= 1": 0.5}),
        trial(3, float("inf")),
        trial(4, 2.0, state="pruned"),
        trial(5, 2.5),
    )
    table = data.history(search_of(*trials))
    assert table["best"] == [None, 3.0, 3.0, 3.0, 2.0, 2.0]
    assert table["score"] == [None, 3.0, 1.0, None, 2.0, 2.5]
    assert table["feasible"] == [True, True, False, True, True, True]


def test_a_maximised_objective_keeps_its_own_scale():
    trials = (trial(0, 0.5), trial(1, 0.4), trial(2, 0.9))
    search = search_of(*trials, objectives=(Target("val_loss", "max"),))
    assert data.history(search)["best"] == [0.5, 0.5, 0.9]


def test_the_share_of_a_score_counts_failed_trials_and_ties():
    trials = (trial(0, 1.0), trial(1, 1.0), trial(2, 3.0), trial(3, state="failed"))
    table = data.empirical_distribution({"a": search_of(*trials)})
    assert table["score"] == [1.0, 1.0, 3.0]
    assert table["share"] == [0.5, 0.5, 0.75]


def test_searches_of_one_name_are_told_apart():
    table = data.empirical_distribution([made(5, faults=0), made(5, faults=0)])
    assert set(table["search"]) == {"digits", "digits (2)"}


def test_searches_that_go_opposite_ways_are_not_compared():
    with pytest.raises(ValueError, match="`searches` must all minimise or all maximise"):
        data.empirical_distribution([made(5), made(5, objective=LOSS)])


def test_slices_leave_out_trials_in_which_it_was_inactive():
    search = made(80)
    table = data.slice(search, ["momentum"])
    active = [t.number for t in search.scored if "momentum" in t.values]
    assert table["trial"] == active
    assert len(active) < len(search.scored)


def test_a_fixed_hyperparameter_has_no_slice_unless_it_is_named():
    space = Space([Choice("loss", ("mse",)), Float("rate", 0, 1)])
    search = search_of(trial(0, 1.0, values={"loss": "mse", "rate": 0.5}), space=space)
    assert data.slice(search)["hyperparameter"] == ["rate"]
    assert data.slice(search, ["loss"])["value"] == ["mse"]


def test_the_surface_is_near_the_scores_and_empty_far_from_them():
    space = Space([Float("x", 0, 1), Float("y", 0, 1)])
    grid = [(i / 30, j / 30) for i in range(31) for j in range(16)]
    trials = [trial(n, x + y, values={"x": x, "y": y}) for n, (x, y) in enumerate(grid)]
    search = search_of(*trials, space=space)
    table = data.surface(search, "x", "y", resolution=11)
    found = {(round(x, 1), round(y, 1)): s for x, y, s in zip(*table.values(), strict=True)}
    assert found[0.5, 0.2] == pytest.approx(0.7, abs=0.03)
    assert found[0.5, 1.0] is None


def test_the_surface_does_not_mix_choices():
    space = Space([Choice("x", ("a", "b")), Float("y", 0, 1)])
    trials = [trial(n, n % 2, values={"x": "ab"[n % 2], "y": n / 40}) for n in range(40)]
    table = data.surface(search_of(*trials, space=space), "x", "y", resolution=5)
    for x, score in zip(table["x"], table["score"], strict=True):
        assert score == pytest.approx("ab".index(x))


def test_parallel_coordinates_have_the_best_first_and_gaps_where_inactive():
    search = made(60)
    table = data.parallel_coordinates(search, top=10)
    assert table["score"] == sorted((t.score for t in search.scored), reverse=True)[:10]
    inactive = [optimizer != "sgd" for optimizer in table["optimizer"]]
    assert [value is None for value in table["momentum"]] == inactive


def test_curves_leave_out_epochs_without_a_value():
    run = {"steps": [0, 1, 2], "metrics": {"val_loss": [3.0, None, 1.0]}}
    table = data.curves(search_of(trial(0, 1.0, executions=(run,))))
    assert table["epoch"] == [0, 2]
    assert table["value"] == [3.0, 1.0]


def test_curves_are_of_another_metric_if_the_objective_came_at_the_end():
    run = {"steps": [0], "metrics": {"loss": [3.0]}}
    assert data.curves(search_of(trial(0, 1.0, executions=(run,))))["value"] == [3.0]


def test_rungs_count_who_has_trained_so_long_and_who_was_given_more():
    def trained(number, epochs, budget, bracket=0):
        run = {"steps": list(range(epochs)), "metrics": {"val_loss": [1.0] * epochs}}
        return trial(number, 1.0, executions=(run,), budget=budget, bracket=bracket)

    trials = (trained(0, 1, 1), trained(1, 3, 3), trained(2, 1, 3), trained(3, 3, 3, bracket=1))
    elsewhere = trial(4, 1.0, bracket=-1, budget=9)
    table = data.rungs(search_of(*trials, elsewhere))
    rows = list(zip(*table.values(), strict=True))
    assert rows == [(0, 1, 3, 2), (0, 3, 1, 0), (1, 3, 1, 0)]


def test_trials_of_one_worker_at_one_time_are_in_lanes():
    spans = [(0, 4), (1, 2), (2, 3), (4, 5)]
    trials = [trial(n, 1.0, began=b, ended=e) for n, (b, e) in enumerate(spans)]
    running = trial(4, state="running", began=4.5)
    table = data.timeline(search_of(*trials, running, seconds=9.0))
    assert table["lane"] == [0, 1, 1, 0, 1]
    assert table["ended"][-1] == 9.0


def test_workers_are_in_the_order_of_their_numbers():
    names = ("worker_10", "worker_9", None)
    trials = [trial(n, 1.0, worker=name, ended=1.0) for n, name in enumerate(names)]
    assert data.timeline(search_of(*trials))["worker"] == [None, "worker_9", "worker_10"]


def family():
    """Three members: 1 takes over from 0 at epoch 2, 2 from 1 at epoch 4."""

    def member(number, scores, *takeovers):
        metrics = {"val_loss": scores}
        run = {"steps": list(range(len(scores))), "metrics": metrics}
        best = scores.index(min(scores))
        values = takeovers[-1].after if takeovers else {"rate": 0.1}
        given = {"executions": (run,), "best_epoch": best, "takeovers": takeovers}
        return trial(number, min(scores), values=values, **given)

    first = Takeover(2, "0000", {"rate": 0.9}, {"rate": 0.2})
    second = Takeover(4, "0001", {"rate": 0.8}, {"rate": 0.3})
    trials = (
        member(0, [5.0, 4.0, 4.0, 4.0, 4.0, 4.0]),
        member(1, [9.0, 9.0, 3.0, 2.5, 2.5, 2.5], first),
        member(2, [9.0, 9.0, 9.0, 9.0, 2.0, 1.0], second),
    )
    return search_of(*trials, space=Space([Float("rate", 0, 1)]))


def test_the_path_to_the_best_goes_through_the_parents():
    assert path_to_best(family()) == [(0, 0, 2), (1, 2, 4), (2, 4, 6)]


def test_the_schedule_says_which_values_led_to_the_best():
    table = data.schedule(family())
    rows = zip(*(table[name] for name in ("trial", "begin", "end", "value")), strict=True)
    led = [row for row, on in zip(rows, table["led_to_best"], strict=True) if on]
    assert led == [(0, 0, 2, 0.1), (1, 2, 4, 0.2), (2, 4, 6, 0.3)]


def test_a_schedule_covers_each_epoch_of_each_member_once():
    table = data.schedule(population(), ["learning_rate"])
    epochs = [
        (number, epoch)
        for number, begin, end in zip(table["trial"], table["begin"], table["end"], strict=True)
        for epoch in range(begin, end)
    ]
    assert sorted(epochs) == [(number, epoch) for number in range(10) for epoch in range(20)]


def test_the_lineage_has_a_row_for_each_takeover():
    table = data.lineage(family())
    assert table["epoch"] == [2, 4]
    assert table["trial"] == [1, 2]
    assert table["parent"] == [0, 1]


def goals_of(*points, violations=()):
    objectives = (Target("error", "min"), Target("speed", "max"))
    trials = [
        trial(n, e, objective_values={"error": e, "speed": s}, violations={"c": v} if v else {})
        for n, ((e, s), v) in enumerate(zip(points, violations or [0] * len(points), strict=True))
    ]
    return search_of(*trials, objectives=objectives, constraints=("c",) if violations else ())


def test_the_front_is_that_of_feasible_trials():
    points = [(1.0, 1.0), (2.0, 5.0), (3.0, 4.0), (0.5, 9.0)]
    table = data.pareto_front(goals_of(*points, violations=(0, 0, 0, 1)))
    assert table["on_front"] == [True, True, False, False]
    assert table["feasible"] == [True, True, True, False]
    assert sum(table["knee"]) == 1


def test_the_hypervolume_is_that_of_the_rectangles():
    points = [(1.0, 1.0), (2.0, 5.0), (3.0, 4.0), (0.0, 0.5)]
    table = data.hypervolume(goals_of(*points), reference={"error": 4.0, "speed": 0.0})
    # 3 x 1; then 2 x 5 and 1 x 1 beside it; nothing; a strip 1 wide and 0.5 high.
    assert table["hypervolume"] == [3.0, 11.0, 11.0, 11.5]


def test_the_hypervolume_of_three_objectives_is_added_up_right():
    search = two_objectives(60, third=True)
    corner = {"val_accuracy": 0.5, "parameters": 20000.0, "train_seconds": 30.0}
    table = data.hypervolume(search, reference=corner)
    signs = [-1.0, 1.0, 1.0]
    feasible = search.losses[search.total_violations <= 0]
    whole = hypervolume(feasible, [v * s for v, s in zip(corner.values(), signs, strict=True)])
    assert table["hypervolume"][-1] == pytest.approx(whole)


def test_names_of_one_hyperparameter_in_two_scopes_share_an_axis():
    scopes = [(Condition("kind", (kind,)),) for kind in ("a", "b")]
    dimensions = [
        Choice("kind", ("a", "b")),
        Float("rate", 1e-3, 1e-2, sampling="log", conditions=scopes[0]),
        Float("rate", 1e-4, 1e-1, sampling="log", conditions=scopes[1]),
    ]
    scale = scale_of(search_of(space=Space(dimensions)), "rate", [])
    assert (scale.low, scale.high, scale.sampling) == (1e-4, 1e-1, "log")


def test_values_outside_the_declared_range_widen_the_axis():
    search = search_of(space=Space([Int("units", 8, 64), Choice("act", ("relu",))]))
    assert scale_of(search, "units", [128]).high == 128
    assert scale_of(search, "act", ["gelu"]).options == ("relu", "gelu")


@pytest.mark.parametrize("name", CONDITIONAL.names)
def test_ticks_are_in_the_range_and_their_labels_differ(name):
    scale = scale_of(made(0), name, [])
    if scale.options is None:
        places = ticks(scale, 5)
        assert len(set(labels(places))) == len(places) >= 2
        assert all(scale.low <= place <= scale.high for place in places)


BAD = {
    "objective": lambda: data.history(made(3), objective="val_acuracy"),
    "names": lambda: data.slice(made(3), ["lerning_rate"]),
    "x": lambda: data.contour(made(3), "lerning_rate", "layers"),
    "y": lambda: data.contour(made(3), "layers", "layers"),
    "metric": lambda: data.curves(made(9, faults=0), "acc"),
    "execution": lambda: data.curves(made(3), execution=-1),
    "top": lambda: data.parallel_coordinates(made(3), top=0),
    "resolution": lambda: data.surface(made(3), "layers", "optimizer", resolution=1),
    "search": lambda: data.pareto_front(made(3)),
    "objectives": lambda: data.pareto_front(two_objectives(5), objectives=["parameters"]),
    "reference": lambda: data.hypervolume(two_objectives(5), reference={"parameters": 1.0}),
    "searches": lambda: data.empirical_distribution([]),
}


@pytest.mark.parametrize("argument", BAD)
def test_an_error_names_the_argument(argument):
    with pytest.raises(ValueError, match=f"`{argument}` must"):
        BAD[argument]()


def test_a_misspelt_name_is_answered_with_the_right_one():
    with pytest.raises(ValueError, match="did you mean 'learning_rate'"):
        data.slice(made(3), ["lerning_rate"])


def test_names_are_a_list():
    with pytest.raises(TypeError, match=r"`names` must be a list .* pass \['units'\]"):
        data.slice(made(3, FLAT), "units")


def test_what_is_no_search_is_refused():
    with pytest.raises(TypeError, match="`search` must be a tuner"):
        data.history([1, 2, 3])


def test_a_trial_without_targets_has_its_score():
    search = replace(made(5, faults=0), trials=(trial(0, 0.5, objective_values={}),))
    assert data.history(search)["score"] == [0.5]


@pytest.mark.slow
def test_the_columns_need_no_matplotlib():
    code = (
        "import sys; from kt_extras import plots; from tests.plots.made_searches import *;"
        "s = made(30); plots.data.history(s), plots.data.slice(s), plots.data.rungs(halving());"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'matplotlib', 'keras',"
        "'tensorflow', 'keras_tuner', 'pandas', 'optuna'}))"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr


def test_the_rungs_of_a_made_search_shrink():
    table = data.rungs(halving())
    assert table["budget"] == [1, 3, 9, 27]
    assert table["reached"] == sorted(table["reached"], reverse=True)
    assert table["promoted"][-1] == 0
