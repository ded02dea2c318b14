"""What is known before a search: priors, defaults, earlier searches and trials of elsewhere."""

import shutil
from pathlib import Path

import keras_tuner
import numpy as np
import pytest

import kt_extras as kte
from kt_extras.oracles.plan import expected_epochs
from kt_extras.records.replay import Source, replay
from kt_extras.records.search_state import SearchState
from kt_extras.samplers.largest_budget import largest_informed
from kt_extras.search import Likely, State
from kt_extras.search.history import ELSEWHERE
from tests.oracles.searches import LOSS, trained
from tests.records.test_snapshot import seen, snapshot_of
from tests.test_typing import ORACLES


def space():
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, 1.0, default=0.375)
    if hp.Choice("kind", ["plain", "deep"], default="deep") == "deep":
        with hp.conditional_scope("kind", ["deep"]):
            hp.Int("depth", 1, 8, default=3)
    return hp


def oracle(directory=None, name="project", **kwargs):
    made = kte.SamplerOracle(
        kte.samplers.Random(), objective=LOSS, seed=0, hyperparameters=space(), **kwargs
    )
    if directory is not None:
        made._set_project_dir(str(directory), name)
    return made


def values(made):
    return [record.trial.values for record in made.trial_records()]


# Defaults.


def test_the_first_trial_has_the_defaults_when_asked_for():
    first, second = values_of_two(try_defaults=True)
    assert first == {"x": 0.375, "kind": "deep", "depth": 3}
    assert second == values_of_two()[1]


def values_of_two(**kwargs):
    made = oracle(max_trials=2, **kwargs)
    trained(made)
    return values(made)


def test_defaults_come_before_enqueued_points_and_after_added_trials(tmp_path):
    made = oracle(tmp_path, max_trials=2, try_defaults=True)
    made.enqueue({"x": 0.25, "kind": "plain"})
    made.add_trial({"x": 0.5, "kind": "plain"}, 0.5)
    trained(made)
    assert [point["x"] for point in values(made)] == [0.5, 0.375, 0.25]


# Priors.


def test_the_first_trial_is_what_the_prior_holds_most_likely():
    made = oracle(max_trials=1, prior={"x": 0.75, "kind": {"plain": 0.9, "deep": 0.1}})
    trained(made)
    (point,) = values(made)
    assert point["x"] == pytest.approx(0.75, abs=0.01)
    assert point["kind"] == "plain"


@pytest.mark.parametrize(
    ("prior", "error", "message"),
    [
        ([("x", 1)], TypeError, "`prior` must be a dictionary from names"),
        ({"x": None}, TypeError, "`prior` must be a value, .* got None for 'x'"),
        ({"x": float("nan")}, TypeError, "got nan for 'x'"),
        ({"x": {0.5: -1}}, ValueError, "`prior` must have finite weights from 0"),
        ({"kin": 1}, ValueError, "no hyperparameter 'kin'; did you mean 'kind'"),
        ({"x": 3.0}, ValueError, "`prior` of 'x' must be of values that it has, 0 to 1, got 3.0"),
        ({"kind": "wide"}, ValueError, "'plain', 'deep', got 'wide'"),
        ({"kind": {"wide": 1}}, ValueError, "'plain', 'deep', got 'wide'"),
        ({"x": lambda _: -1.0}, ValueError, "weights from 0 in the whole range, 0 to 1, got -1.0"),
    ],
)
def test_a_prior_that_cannot_be_meant_is_refused(prior, error, message):
    with pytest.raises(error, match=message):
        oracle(max_trials=1, prior=prior).check_prior()


def test_a_prior_of_a_late_hyperparameter_is_allowed_if_there_may_be_one():
    oracle(prior={"batch_size": 32}).check_prior()
    with pytest.raises(ValueError, match=r"'batch_size'; there are \['depth', 'kind', 'x'\]"):
        oracle(prior={"batch_size": 32}, allow_new_entries=False).check_prior()


def test_a_prior_of_what_was_never_declared_is_warned_of_at_the_end():
    made = oracle(max_trials=1, prior={"batch_size": 32})
    with pytest.warns(UserWarning, match=r"`prior` has had no effect for \['batch_size'\]"):
        trained(made)


@pytest.mark.parametrize("confidence", [0, 1, "high", float("nan")])
def test_a_confidence_that_is_none_is_refused(confidence):
    with pytest.raises(ValueError, match="`confidence` must lie strictly between 0 and 1"):
        Likely(0.5, confidence)


# Earlier searches.


def warm(directory, name, max_trials, **kwargs):
    made = oracle(directory, name, max_trials=max_trials, **kwargs)
    if made.is_recorded():
        made.reload()
    trained(made, loss=lambda trial: abs(trial.hyperparameters.get("x") - 0.7))
    return values(made)


def test_good_points_of_an_earlier_search_are_tried_first(tmp_path):
    old = warm(tmp_path, "old", 12)
    best = min(old, key=lambda point: abs(point["x"] - 0.7))
    assert warm(tmp_path, "new", 1, warm_start=[tmp_path / "old"]) == [best]


def test_a_resumed_search_goes_on_the_same_when_the_earlier_one_is_gone(tmp_path):
    warm(tmp_path, "old", 12)
    given = [str(tmp_path / "old")]
    whole = warm(tmp_path, "whole", 8, warm_start=given)
    part = warm(tmp_path, "part", 4, warm_start=given)
    shutil.rmtree(tmp_path / "old")
    assert warm(tmp_path, "part", 8, warm_start=given) == whole
    assert part == whole[:4]
    with pytest.raises(FileNotFoundError, match="`warm_start` must name directories"):
        warm(tmp_path, "new", 1, warm_start=given)


def test_an_earlier_search_is_on_record_without_the_argument(tmp_path):
    warm(tmp_path, "old", 12)
    given = [str(tmp_path / "old")]
    whole = warm(tmp_path, "whole", 6, warm_start=given)
    warm(tmp_path, "part", 2, warm_start=given)
    assert warm(tmp_path, "part", 6) == whole


def test_a_search_in_memory_can_begin_warm():
    made = oracle(max_trials=1, warm_start=[({"x": 0.5, "kind": "plain"}, 0.1)])
    trained(made)
    assert values(made) == [{"x": 0.5, "kind": "plain"}]


# Trials of elsewhere.


def with_added(directory=None, **kwargs):
    made = oracle(directory, max_trials=3, **kwargs)
    made.add_trial({"x": 0.0, "kind": "plain"}, 0.0, curve=[0.5, 0.0, 0.25])
    made.add_trial({"x": 0.75, "kind": "deep", "depth": 2}, 0.75)
    return made


def test_an_added_trial_is_a_finished_one_that_does_not_count():
    made = with_added()
    assert made.remaining_trials() == 3
    trained(made)
    assert made.totals.ended == 3
    assert made.totals.epochs == 12
    best = made.get_best_trials(1)[0]
    assert (best.trial_id, best.score, best.best_step) == ("0000", 0.0, 1)
    states = [record.state for record in made.trial_records()]
    assert states == ["completed"] * 5
    assert made.history.losses[:2].tolist() == [0.0, 0.75]
    assert made.history.curve(0).losses.tolist() == [0.5, 0.0, 0.25]


def test_added_trials_are_read_again_from_records_and_snapshots(tmp_path):
    made = with_added(tmp_path)
    trained(made)
    again = oracle(tmp_path, max_trials=3)
    again.reload()
    assert seen(again._state) == seen(made._state)
    state = SearchState(LOSS, keras_tuner.HyperParameters())
    replay(snapshot_of(made), state, Source(tmp_path))
    assert seen(state) == seen(made._state)
    assert again.remaining_trials() == 0


@pytest.mark.parametrize("name", ["ASHAOracle", "BOHBOracle", "PBTOracle"])
def test_a_scheduler_passes_added_trials_over(name):
    given = {"population_size": 4} if name == "PBTOracle" else {"sampler": "random"}
    made = getattr(kte, name)(LOSS, max_epochs=4, seed=0, hyperparameters=space(), **given)
    made.max_trials = 4
    made.add_trial({"x": 0.5, "kind": "plain"}, 0.5)
    made.add_trial({"x": 0.0, "kind": "plain"}, 0.0, curve=[0.1, 0.1, 0.1, 0.0])
    records = trained(made, epochs=4)
    assert sum(not record.added for record in records) == 4
    assert all(record.trained for record in records[2:])
    assert {record.trained for record in records[2:]} >= {4}


@pytest.mark.parametrize("name", ["ASHAOracle", "PASHAOracle"])
def test_added_trials_do_not_count_in_what_a_scheduler_will_train(name):
    preset, hp = getattr(kte, name), space()
    made = preset(LOSS, max_epochs=9, max_trials=8, seed=0, hyperparameters=hp, sampler="random")
    before = expected_epochs(made)
    for x in (0.0, 0.25, 0.5):
        made.add_trial({"x": x, "kind": "plain"}, x, curve=[1.0] * 20)
    assert expected_epochs(made) == before
    trained(made, epochs=9)
    assert expected_epochs(made).expected == made.totals.epochs
    assert not {"0000", "0001", "0002"} & set(made.reached()[1])


def test_longest_trials_of_this_search_count_beside_longer_added_ones():
    made = kte.BOHBOracle(LOSS, max_epochs=4, seed=0, hyperparameters=space())
    for x in np.linspace(0, 1, 6):
        made.add_trial({"x": x, "kind": "plain"}, x, curve=[x] * 20)
    assert largest_informed(made.history, 5) == 20
    trained(made)
    assert largest_informed(made.history, 5) == 4
    assert (made.history.at(4).brackets != ELSEWHERE).any()


@pytest.mark.parametrize("preset", ORACLES.values(), ids=lambda preset: preset.__name__)
def test_every_oracle_uses_what_is_known_beforehand(preset):
    hp = keras_tuner.HyperParameters()
    hp.Choice("x", [0.1, 0.2, 0.3, 0.4], default=0.3)
    given = {"population_size": 4} if preset is kte.PBTOracle else {"max_trials": 4}
    made = preset(
        LOSS,
        seed=0,
        hyperparameters=hp,
        prior={"x": {0.1: 1.0, 0.2: 3.0, 0.3: 1.0, 0.4: 1.0}},
        try_defaults=True,
        warm_start=[({"x": 0.4}, 0.0), ({"x": 0.1}, 1.0)],
        **given,
    )
    made.add_trial({"x": 0.1}, 0.1)
    records = trained(made, epochs=20 if preset is kte.PBTOracle else 100)
    assert records[0].added
    tried = [record.trial.values["x"] for record in records[1:]]
    if preset is kte.PBTOracle:  # whose members change
        assert len(tried) >= 3
    else:
        assert tried == [0.3, 0.4, 0.2]


def test_a_pruner_compares_with_added_curves():
    made = oracle(max_trials=1, pruner=kte.MedianPruner(n_startup_trials=2))
    for x in (0.0, 0.5):
        made.add_trial({"x": x, "kind": "plain"}, -1.0, curve=[-1.0] * 4)
    assert trained(made)[-1].state == "pruned"


def test_a_pruner_does_not_count_trials_without_a_curve():
    made = oracle(max_trials=3, pruner=kte.MedianPruner(n_startup_trials=3))
    for x in (0.0, 0.25, 0.5):
        made.add_trial({"x": x, "kind": "plain"}, x)
    records = trained(made, loss=lambda trial: trial.trial_id)  # each worse than those before
    assert {record.state for record in records} == {"completed"}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (({"x": 0.5}, 1.0), ValueError, r"\['kind'\] are missing"),
        (({"x": 0.5, "kind": "deep"}, 1.0), ValueError, r"\['depth'\] are missing"),
        (({"x": 2.0, "kind": "plain"}, 1.0), ValueError, "'x' must be 0 to 1, got 2.0"),
        (({"x": 0.5, "kin": "plain"}, 1.0), ValueError, "'kin'; did you mean 'kind'"),
        (({"x": 0.5, "kind": "plain", "depth": 1}, 1.0), ValueError, "active"),
        (({"x": 0.5, "kind": "plain"}, float("nan")), ValueError, "`score` .* finite .* got nan"),
        (({"x": 0.5, "kind": "plain"}, "good"), ValueError, "`score` .* got 'good'"),
        (({"x": 0.5, "kind": "plain"}, 1.0, 0.5), TypeError, "`curve` must be a list"),
        (({"x": 0.5, "kind": "plain"}, 1.0, []), TypeError, "`curve` must be a list"),
        ((None, 1.0), TypeError, "`values` must be a dictionary"),
    ],
)
def test_a_trial_that_cannot_have_been_is_refused(given, error, message):
    made = oracle(max_trials=1)
    with pytest.raises(error, match=message):
        made.add_trial(*given)
    assert not made.trial_records()


def test_an_added_trial_may_be_given_as_hyperparameters():
    made, hp = oracle(max_trials=1), space()
    hp.values = {"x": np.float32(0.5), "kind": "plain", "depth": 3}
    made.add_trial(hp, np.float32(0.5), curve=np.array([0.5, np.nan]))
    assert values(made) == [{"x": 0.5, "kind": "plain"}]
    assert made.history.states.tolist() == [State.COMPLETED]


def test_hyperparameters_keep_active_values_while_nothing_is_declared():
    made, hp = kte.SamplerOracle(kte.samplers.Random(), objective=LOSS), space()
    hp.values = {"x": 0.5, "kind": "plain", "depth": 3}
    made.add_trial(hp, 0.5)
    assert values(made) == [{"x": 0.5, "kind": "plain"}]


def test_values_of_an_added_trial_get_the_types_of_the_space():
    made = oracle()
    made.add_trial({"x": 1, "kind": "deep", "depth": 3.0}, 0.5)
    (point,) = values(made)
    assert [type(value) for value in point.values()] == [float, str, int]


def test_a_trial_is_added_once_when_the_script_runs_again(tmp_path):
    with_added(tmp_path)
    again = oracle(tmp_path, max_trials=3)
    again.reload()
    journal = Path(tmp_path, "project", "journal.jsonl").read_text()
    curve = [0.5, 0.0, 0.25]
    assert again.add_trial({"x": 0.0, "kind": "plain"}, 0.0, curve=curve) == "0000"
    assert again.add_trial({"x": 0.75, "kind": "deep", "depth": 2.0}, 0.75) == "0001"
    assert Path(tmp_path, "project", "journal.jsonl").read_text() == journal
    assert again.add_trial({"x": 0.0, "kind": "plain"}, 0.0) == "0002"
    assert again.add_trial({"x": 0.0, "kind": "plain"}, 0.0, curve=[*curve, np.nan]) == "0003"
    assert again.add_trial({"x": 0.0, "kind": "plain"}, 0.0, curve=[*curve, np.nan]) == "0003"


def test_no_trial_is_added_while_another_process_searches(tmp_path):
    first = with_added(tmp_path)
    other = oracle(tmp_path, max_trials=3)
    other.reload()
    with first.session(), pytest.raises(kte.storage.ProjectInUseError):
        other.add_trial({"x": 0.5, "kind": "plain"}, 1.0)
