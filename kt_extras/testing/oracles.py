"""Tests of the requirements of oracles, to inherit for an oracle of your own."""

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
    """Base class of tests of an oracle: override `make` to return it.

    The tests call `create_trial`, `update_trial` and `end_trial`, as a tuner does.

    Attributes:
        max_trials: Number of trials of the searches that the tests run. Defaults to 8.
        epochs: Number of epochs that a worker trains in each trial unless the oracle stops it; a
            resumed trial continues after the last epoch that it reported. Defaults to 3.

    >>> import kt_extras as kte
    >>> class TestMine(OracleContract):
    ...     def make(self, **kwargs):
    ...         return kte.SamplerOracle(kte.samplers.Random(), **kwargs)
    >>> TestMine().test_search_ends_after_max_trials()
    """

    max_trials: int = 8
    epochs: int = 3

    def make(self, **kwargs: Any) -> keras_tuner.Oracle:
        """Return the oracle to test.

        Args:
            **kwargs: `objective`, `max_trials`, `seed` and other arguments of `keras_tuner.Oracle`.
        """
        raise NotImplementedError("`make` must return the oracle to test; override it.")

    def test_search_ends_after_max_trials(self) -> None:
        oracle = self._oracle()
        assert len(self._trials(oracle)) == self.max_trials
        assert oracle.create_trial("worker").status == "STOPPED"
        assert oracle.remaining_trials() in {0, None}

    def test_enqueued_point_is_tried_first(self) -> None:
        oracle = self._oracle()
        oracle.enqueue({"rate": 0.01, "model": "b"})
        assert oracle.create_trial("worker").hyperparameters.values == {"rate": 0.01, "model": "b"}

    def test_only_active_hyperparameters_have_values(self) -> None:
        for trial in self._trials(self._oracle()):
            values = trial.hyperparameters.values
            conditional = {"depth"} if values["model"] == "a" else set()
            assert set(values) == {"rate", "model"} | conditional
            assert 1e-4 <= values["rate"] <= 1e-1

    def test_searches_are_equal_with_seed_0(self) -> None:
        assert self._values(self._oracle(seed=0)) == self._values(self._oracle(seed=0))

    def test_suggestions_differ_with_different_seeds(self) -> None:
        assert self._values(self._oracle(seed=1)) != self._values(self._oracle(seed=2))

    def test_trial_ids_are_unique(self) -> None:
        ids = [trial.trial_id for trial in self._trials(self._oracle())]
        assert len(set(ids)) == len(ids)

    def test_two_workers_get_different_trials(self) -> None:
        oracle = self._oracle()
        one, two = oracle.create_trial("one"), oracle.create_trial("two")
        assert one.trial_id != two.trial_id
        assert oracle.create_trial("one").trial_id == one.trial_id

    def test_metrics_of_every_epoch_are_kept(self) -> None:
        oracle = self._oracle()
        trial = oracle.create_trial("worker")
        reported = []
        for step, loss in enumerate((2.0, 1.0)):
            reported.append((step, [loss]))
            metrics = {"loss": loss, "val_loss": loss + 1}
            if oracle.update_trial(trial.trial_id, metrics, step=step).status == "STOPPED":
                break  # a scheduler may give the second epoch later
        history = oracle.get_trial(trial.trial_id).metrics.get_history("loss")
        assert [(point.step, point.value) for point in history] == reported

    def test_best_trial_has_the_lowest_loss(self) -> None:
        oracle = self._oracle()
        trials = self._trials(oracle)
        scores = [trial.score for trial in trials if trial.score is not None]
        assert oracle.get_best_trials()[0].score == min(scores)

    def test_trial_fails_and_search_continues_after_a_nan_loss(self) -> None:
        oracle = self._oracle()
        first = oracle.create_trial("worker")
        oracle.update_trial(first.trial_id, {"val_loss": math.nan}, step=0)
        self._end(oracle, first)
        assert oracle.get_trial(first.trial_id).status == "FAILED"
        self._trials(oracle)
        assert first.trial_id not in [trial.trial_id for trial in oracle.get_best_trials(99)]

    def test_trial_is_retried_without_its_metrics_after_a_crash(self) -> None:
        oracle = self._oracle(max_retries_per_trial=1)
        first = oracle.create_trial("worker")
        oracle.update_trial(first.trial_id, {"val_loss": 100.0}, step=0)
        self._end(oracle, first, "INVALID")
        again = oracle.create_trial("worker")
        assert again.trial_id == first.trial_id
        oracle.update_trial(again.trial_id, {"val_loss": 1.0}, step=0)
        self._end(oracle, again)
        assert oracle.get_trial(first.trial_id).score == 1.0

    def test_search_ends_with_the_message_after_too_many_crashes(self) -> None:
        oracle = self._oracle(max_consecutive_failed_trials=2)
        self._end(oracle, oracle.create_trial("worker"), "INVALID")
        last = oracle.create_trial("worker")
        last.message = "no such layer"
        message = ""
        try:
            self._end(oracle, last, "INVALID")
        except RuntimeError as error:
            message = str(error)
        assert "no such layer" in message
        assert oracle.get_trial(last.trial_id).status == "FAILED"

    def test_lock_is_released_after_an_exception(self) -> None:
        oracle = self._oracle()
        with suppress(KeyError):
            oracle.update_trial("nope", {"val_loss": 1.0}, step=0)
        worker = threading.Thread(target=oracle.create_trial, args=("worker",), daemon=True)
        worker.start()
        worker.join(timeout=30)
        assert not worker.is_alive()

    def test_hyperparameter_is_searched_after_a_trial_discovers_it(self) -> None:
        oracle = self._oracle()
        trial = oracle.create_trial("worker")
        trial.hyperparameters.Int("epochs", 1, 10)
        oracle.update_trial(trial.trial_id, {"val_loss": 1.0}, step=0)
        self._end(oracle, trial)
        later = self._trials(oracle)
        assert all(1 <= trial.hyperparameters.get("epochs") <= 10 for trial in later)
        assert oracle.get_trial(trial.trial_id).hyperparameters.get("epochs") == 1

    def test_search_is_the_same_after_a_reload_at_any_step(self) -> None:
        whole = self._values(self._oracle())
        for cut in range(2 * self.max_trials):
            with tempfile.TemporaryDirectory() as directory:
                for _ in zip(range(cut), self._steps(self._oracle(directory)), strict=False):
                    pass
                oracle = self._oracle(directory, fresh=False)
                self._trials(oracle)
                values = [trial.hyperparameters.values for trial in oracle.trials.values()]
                assert values == whole, f"cut after {cut} steps"

    def test_trials_are_the_same_after_a_reload(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            before = self._oracle(directory)
            self._trials(before)
            after = self._oracle(directory, fresh=False)
            assert json.dumps([t.get_state() for t in after.trials.values()]) == json.dumps(
                [t.get_state() for t in before.trials.values()]
            )

    def test_kerastuner_loads_the_file_of_every_trial(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            for trial in self._trials(self._oracle(directory)):
                path = Path(directory) / "project" / f"trial_{trial.trial_id}" / "trial.json"
                assert Trial.load(str(path)).score == trial.score

    # How the tests run a search.

    def _oracle(
        self, directory: str | None = None, *, fresh: bool = True, **kwargs: Any
    ) -> keras_tuner.Oracle:
        """Return an oracle with a conditional space, with files in a directory if one is given."""
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
        """Run trials to their ends; yield after the first epoch and at the end of each."""
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
        """Run a search to its end and return its trials."""
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
    """Return a loss with its minimum at rate 0.01, lower for model `"b"` and for later epochs."""
    bowl: float = (math.log10(values["rate"]) + 2) ** 2 - 0.5 * (values["model"] == "b")
    return bowl + 0.1 * values.get("depth", 0) + 2.0 / (1 + epoch)
