"""What every oracle must do, as tests that an oracle of your own can inherit."""

from __future__ import annotations

import json
import math
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial

OBJECTIVE = keras_tuner.Objective("val_loss", "min")


class OracleContract:
    """Inherit and say how to make your oracle; pytest does the rest.

    The laws drive it through `create_trial`, `update_trial` and `end_trial`, as a tuner does.

    Attributes:
        max_trials: Length of the searches that the laws run.
        epochs: Epochs that a worker offers to train in each trial; a trial that is resumed goes on
            after the last epoch that it reported.

    >>> import kt_extras as kte
    >>> class TestMine(OracleContract):
    ...     def make(self, **kwargs):
    ...         return kte.SamplerOracle(kte.samplers.Random(), **kwargs)
    >>> TestMine().test_a_search_ends_after_max_trials()
    """

    max_trials: int = 8
    epochs: int = 3

    def make(self, **kwargs: Any) -> keras_tuner.Oracle:
        """Return the oracle under test, given `objective`, `max_trials`, `seed` and others."""
        raise NotImplementedError("`make` must return the oracle under test; override it.")

    def test_a_search_ends_after_max_trials(self) -> None:
        oracle = self._oracle()
        assert len(self._trials(oracle)) == self.max_trials
        assert oracle.create_trial("worker").status == "STOPPED"
        assert oracle.remaining_trials() in {0, None}

    def test_a_point_that_is_enqueued_is_tried_first(self) -> None:
        oracle = self._oracle()
        oracle.enqueue({"rate": 0.01, "model": "b"})
        assert oracle.create_trial("worker").hyperparameters.values == {"rate": 0.01, "model": "b"}

    def test_active_hyperparameters_have_values_and_no_others_do(self) -> None:
        for trial in self._trials(self._oracle()):
            values = trial.hyperparameters.values
            conditional = {"depth"} if values["model"] == "a" else set()
            assert set(values) == {"rate", "model"} | conditional
            assert 1e-4 <= values["rate"] <= 1e-1

    def test_seed_0_is_a_seed(self) -> None:
        assert self._values(self._oracle(seed=0)) == self._values(self._oracle(seed=0))

    def test_other_seeds_give_other_suggestions(self) -> None:
        assert self._values(self._oracle(seed=1)) != self._values(self._oracle(seed=2))

    def test_ids_are_never_given_twice(self) -> None:
        ids = [trial.trial_id for trial in self._trials(self._oracle())]
        assert len(set(ids)) == len(ids)

    def test_two_workers_run_two_trials(self) -> None:
        oracle = self._oracle()
        one, two = oracle.create_trial("one"), oracle.create_trial("two")
        assert one.trial_id != two.trial_id
        assert oracle.create_trial("one").trial_id == one.trial_id

    def test_every_epoch_is_kept(self) -> None:
        oracle = self._oracle()
        trial = oracle.create_trial("worker")
        oracle.update_trial(trial.trial_id, {"loss": 2.0, "val_loss": 3.0}, step=0)
        oracle.update_trial(trial.trial_id, {"loss": 1.0, "val_loss": 2.5}, step=1)
        history = oracle.get_trial(trial.trial_id).metrics.get_history("loss")
        assert [(point.step, point.value) for point in history] == [(0, [2.0]), (1, [1.0])]

    def test_the_best_trial_is_the_one_with_the_lowest_loss(self) -> None:
        oracle = self._oracle()
        trials = self._trials(oracle)
        scores = [trial.score for trial in trials if trial.score is not None]
        assert oracle.get_best_trials()[0].score == min(scores)

    def test_a_loss_that_is_no_number_fails_the_trial_and_not_the_search(self) -> None:
        oracle = self._oracle()
        first = oracle.create_trial("worker")
        oracle.update_trial(first.trial_id, {"val_loss": math.nan}, step=0)
        self._end(oracle, first)
        assert oracle.get_trial(first.trial_id).status == "FAILED"
        self._trials(oracle)
        assert first.trial_id not in [trial.trial_id for trial in oracle.get_best_trials(99)]

    def test_a_crash_is_retried_as_often_as_allowed_and_forgets_its_metrics(self) -> None:
        oracle = self._oracle(max_retries_per_trial=1)
        first = oracle.create_trial("worker")
        oracle.update_trial(first.trial_id, {"val_loss": 100.0}, step=0)
        self._end(oracle, first, "INVALID")
        again = oracle.create_trial("worker")
        assert again.trial_id == first.trial_id
        oracle.update_trial(again.trial_id, {"val_loss": 1.0}, step=0)
        self._end(oracle, again)
        assert oracle.get_trial(first.trial_id).score == 1.0

    def test_too_many_crashes_in_a_row_end_the_search_with_what_was_said(self) -> None:
        oracle = self._oracle(max_consecutive_failed_trials=2)
        self._end(oracle, oracle.create_trial("worker"), "INVALID")
        last = oracle.create_trial("worker")
        last.message = "no such layer"
        said = ""
        try:
            self._end(oracle, last, "INVALID")
        except RuntimeError as error:
            said = str(error)
        assert "no such layer" in said
        assert oracle.get_trial(last.trial_id).status == "FAILED"

    def test_an_exception_leaves_no_lock_behind(self) -> None:
        oracle = self._oracle()
        with suppress(KeyError):
            oracle.update_trial("nope", {"val_loss": 1.0}, step=0)
        worker = threading.Thread(target=oracle.create_trial, args=("worker",), daemon=True)
        worker.start()
        worker.join(timeout=30)
        assert not worker.is_alive()

    def test_a_hyperparameter_that_comes_to_light_during_a_trial_is_searched(self) -> None:
        oracle = self._oracle()
        trial = oracle.create_trial("worker")
        trial.hyperparameters.Int("epochs", 1, 10)
        oracle.update_trial(trial.trial_id, {"val_loss": 1.0}, step=0)
        self._end(oracle, trial)
        later = self._trials(oracle)
        assert all(1 <= trial.hyperparameters.get("epochs") <= 10 for trial in later)
        assert oracle.get_trial(trial.trial_id).hyperparameters.get("epochs") == 1

    def test_a_search_cut_anywhere_goes_on_as_if_it_had_not_been(self) -> None:
        whole = self._values(self._oracle())
        for cut in range(2 * self.max_trials):
            with tempfile.TemporaryDirectory() as directory:
                for _ in zip(range(cut), self._steps(self._oracle(directory)), strict=False):
                    pass
                oracle = self._oracle(directory, fresh=False)
                self._trials(oracle)
                values = [trial.hyperparameters.values for trial in oracle.trials.values()]
                assert values == whole, f"cut after {cut} steps"

    def test_what_is_known_after_a_reload_is_what_was_known(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            before = self._oracle(directory)
            self._trials(before)
            after = self._oracle(directory, fresh=False)
            assert json.dumps([t.get_state() for t in after.trials.values()]) == json.dumps(
                [t.get_state() for t in before.trials.values()]
            )

    def test_kerastuner_can_read_the_files_of_every_trial(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            for trial in self._trials(self._oracle(directory)):
                path = Path(directory) / "project" / f"trial_{trial.trial_id}" / "trial.json"
                assert Trial.load(str(path)).score == trial.score

    # How the laws drive an oracle.

    def _oracle(
        self, directory: str | None = None, *, fresh: bool = True, **kwargs: Any
    ) -> keras_tuner.Oracle:
        """Return an oracle with a conditional space, in a directory if one is given."""
        settings = {"objective": OBJECTIVE, "max_trials": self.max_trials, "seed": 0, **kwargs}
        oracle = self.make(**settings)
        if directory is not None:
            oracle._set_project_dir(directory, "project")
        hp = oracle.hyperparameters
        hp.Float("rate", 1e-4, 1e-1, sampling="log")
        hp.Choice("model", ["a", "b"])
        with hp.conditional_scope("model", ["a"]):
            hp.Int("depth", 1, 4)
        hp.values = {}
        if not fresh and (Path(str(directory)) / "project" / "journal.jsonl").exists():
            oracle.reload()
        return oracle

    def _steps(self, oracle: keras_tuner.Oracle) -> Iterator[Trial]:
        """Run trials to the end; yield once in the middle of each and once at its end."""
        while (trial := oracle.create_trial("worker")).status != "STOPPED":
            begun = _epochs_reported(trial)
            for epoch in range(begun, self.epochs):
                metrics = {"val_loss": _loss(trial.hyperparameters.values, epoch)}
                answer = oracle.update_trial(trial.trial_id, metrics, step=epoch)
                if epoch == begun:
                    yield trial
                if answer.status == "STOPPED":
                    break
            self._end(oracle, trial)
            yield oracle.get_trial(trial.trial_id)

    def _trials(self, oracle: keras_tuner.Oracle) -> list[Trial]:
        """Run a search to its end and return what it ran, each once."""
        return list({trial.trial_id: trial for trial in self._steps(oracle)}.values())

    def _values(self, oracle: keras_tuner.Oracle) -> list[dict[str, Any]]:
        return [trial.hyperparameters.values for trial in self._trials(oracle)]

    def _end(self, oracle: keras_tuner.Oracle, trial: Trial, status: str = "COMPLETED") -> None:
        trial.status = status
        oracle.end_trial(trial=trial)


def _epochs_reported(trial: Trial) -> int:
    histories = (metric.get_history() for metric in trial.metrics.metrics.values())
    return max((point.step for history in histories for point in history), default=-1) + 1


def _loss(values: dict[str, Any], epoch: int) -> float:
    """A bowl around rate 0.01, a little lower for model `"b"`, that is learnt in time."""
    bowl: float = (math.log10(values["rate"]) + 2) ** 2 - 0.5 * (values["model"] == "b")
    return bowl + 0.1 * values.get("depth", 0) + 2.0 / (1 + epoch)
