import math
from contextlib import suppress

import pytest

import kt_extras as kte
from kt_extras.checkpoints.state_file import write_state
from kt_extras.checkpoints.state_paths import StateFiles
from kt_extras.schedulers import Resume
from kt_extras.testing import OracleContract
from tests.oracles.searches import LOSS, trained


class TestPBTOracle(OracleContract):
    epochs = 4

    def make(self, **kwargs):
        kwargs.pop("max_trials")
        return kte.PBTOracle(population_size=self.max_trials, max_epochs=4, **kwargs)

    def test_trial_fails_and_search_continues_after_a_nan_loss(self):
        """A member whose loss is no number takes over from another and goes on."""
        oracle = self._oracle()
        first = oracle.create_trial("worker")
        oracle.update_trial(first.trial_id, {"val_loss": math.nan}, step=0)
        self._end(oracle, first)
        assert oracle.trial_record(first.trial_id).state == "paused"
        self._trials(oracle)
        assert oracle.trial_record(first.trial_id).exploits[0].epoch == 1
        assert oracle.get_trial(first.trial_id).status == "COMPLETED"


@pytest.mark.exhaustive
class TestPB2Oracle(TestPBTOracle):
    def make(self, **kwargs):
        return super().make(explore="pb2", **kwargs)


@pytest.mark.parametrize("name", ["max_trials", "pruner"])
def test_max_trials_and_pruner_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must be left out"):
        kte.PBTOracle(LOSS, **{name: kte.MedianPruner() if name == "pruner" else 3})


@pytest.mark.parametrize("max_epochs", [None, 1, "a"])
def test_max_epochs_is_refused_unless_it_is_an_integer_from_2(max_epochs):
    with pytest.raises(ValueError, match="`max_epochs` must be an integer from 2"):
        kte.PBTOracle(LOSS, max_epochs=max_epochs)


@pytest.mark.parametrize("mutable", ["rate", 3, [3]])
def test_mutable_is_refused_unless_it_is_a_list_of_names(mutable):
    with pytest.raises(TypeError, match="`mutable` must be a list of names or None"):
        kte.PBTOracle(LOSS, mutable=mutable)
    with pytest.raises(TypeError, match="`mutable` must be a list of names or None"):
        kte.PBT(None, LOSS, mutable=mutable)


def test_a_hyperparameter_is_drawn_when_it_is_found_during_training():
    oracle = kte.PBTOracle(LOSS, population_size=4, max_epochs=6, interval=2, seed=0)
    oracle.hyperparameters.Float("x", 0.0, 1.0)

    def loss(trial):
        trial.hyperparameters.Int("late", 1, 5)
        return trial.hyperparameters.get("x")

    trials = trained(oracle, epochs=6, loss=loss)
    assert [record.trained for record in trials] == [6] * 4
    assert oracle.totals.exploits
    assert {record.trial.values["late"] for record in trials} <= set(range(1, 6))


def test_only_mutable_hyperparameters_may_change():
    assert kte.PBTOracle(LOSS, mutable=["rate"]).scheduler.mutable == ("rate",)
    assert kte.PBTOracle(LOSS).scheduler.mutable is None


def test_the_interval_is_a_twentieth_of_max_epochs_by_default():
    assert kte.PBTOracle(LOSS, max_epochs=60).scheduler.interval == 3
    assert kte.PBTOracle(LOSS, max_epochs=10).scheduler.interval == 1


@pytest.mark.parametrize(
    ("lost", "kind", "parent"),
    [((), "resume", "0001"), (("0001",), "resume", None), (("0000", "0001"), "create", None)],
)
def test_a_member_goes_on_by_itself_when_its_parents_state_is_lost(tmp_path, lost, kind, parent):
    oracle = kte.PBTOracle(LOSS, population_size=2, max_epochs=4, interval=2, seed=0)
    oracle.restore_states()
    oracle._set_project_dir(str(tmp_path), "project")
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    states = StateFiles(tmp_path / "project")
    for _ in range(2):
        trial = oracle.create_trial("worker")
        for step in range(2):
            oracle.update_trial(trial.trial_id, {"val_loss": 1.0}, step)
        write_state(states.path(trial.trial_id, 2), {})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)
    for name in lost:
        states.path(name, 2).unlink()
    step = Resume(0, until=4, parent=1, point={"x": 0.5})
    event = oracle._next_trial._resumed(oracle._state, step)
    assert (event.kind, getattr(event, "parent", None)) == (kind, parent)


class DeathError(Exception):
    """Stands for the death of the process."""


def population_in(directory, killed_at=None):
    """Run a population with state files; return its oracle, also if the search dies.

    Args:
        directory: Where the search is recorded.
        killed_at: The trial and the epochs whose report is the last thing that happens.
    """
    oracle = kte.PBTOracle(LOSS, population_size=4, max_epochs=4, interval=1, seed=1)
    oracle.restore_states()
    oracle._set_project_dir(str(directory), "project")
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    if oracle.is_recorded():
        oracle.reload()
    states = StateFiles(directory / "project")

    def train(trial):
        record = oracle.trial_record(trial.trial_id)
        while not record.budget_used_up:
            epochs = record.trained
            assert not epochs or states.exists(trial.trial_id, epochs)
            loss = trial.hyperparameters.get("x") + 1 / (1 + epochs)
            oracle.update_trial(trial.trial_id, {"val_loss": loss}, epochs)
        write_state(states.path(trial.trial_id, record.trained), {})
        if (trial.trial_id, record.trained) == killed_at:
            raise DeathError
        trial.status = "COMPLETED"
        oracle.end_trial(trial)

    oracle.open_session()
    with suppress(DeathError):
        while (trial := oracle.create_trial("worker")).status != "STOPPED":
            train(trial)
    oracle.close_session()
    return oracle


def outcome(oracle):
    return [(r.state, r.trial.score, r.epochs, r.exploits) for r in oracle.trial_records()]


def test_a_member_that_is_killed_goes_on_from_the_state_that_it_took_over(tmp_path):
    whole = population_in(tmp_path / "whole")
    took_over = [(r.trial.trial_id, e.epoch + 1) for r in whole.trial_records() for e in r.exploits]
    assert took_over
    for number, killed_at in enumerate(took_over):
        population_in(tmp_path / f"{number}", killed_at)
        again = population_in(tmp_path / f"{number}")
        assert outcome(again) == outcome(whole)
        assert again.totals.epochs == whole.totals.epochs


def test_states_are_kept_that_a_running_member_would_need_if_it_died(tmp_path):
    oracle = kte.PBTOracle(LOSS, population_size=2, max_epochs=3, interval=1, seed=0)
    oracle.restore_states()
    oracle._set_project_dir(str(tmp_path), "project")
    oracle.hyperparameters.Float("x", 0.0, 1.0)
    states = StateFiles(tmp_path / "project")

    def end(trial, epochs):
        write_state(states.path(trial.trial_id, epochs), {})
        trial.status = "STOPPED"
        oracle.end_trial(trial)

    for epochs in (1, 2):
        one, two = oracle.create_trial("one"), oracle.create_trial("two")
        for trial, loss in ((one, 0.1), (two, 0.9)):
            oracle.update_trial(trial.trial_id, {"val_loss": loss}, epochs - 1)
        end(one, epochs)
        if epochs == 2:  # the other one has reported that epoch, too, but its state is not there
            assert all(states.exists(trial.trial_id, 1) for trial in (one, two))
        end(two, epochs)
    assert not any(states.exists(trial.trial_id, 1) for trial in (one, two))
