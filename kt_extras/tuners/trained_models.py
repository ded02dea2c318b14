"""The trained models of a search: keeps their weights, loads them, and trains them again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union

import keras
import keras_tuner
import tensorflow as tf
from keras_tuner.engine.trial import Trial
from keras_tuner.engine.tuner import maybe_distribute

from kt_extras import compat
from kt_extras.arguments import check_integer
from kt_extras.bridge.lazy_trial import set_missing_defaults
from kt_extras.bridge.objective import loss_of
from kt_extras.checkpoints.best_weights import HELD, load_arrays
from kt_extras.checkpoints.random_state import random_state_kept
from kt_extras.checkpoints.resume import TrainedWith
from kt_extras.checkpoints.state_file import UnreadableStateError
from kt_extras.checkpoints.weight_files import Keep, WeightFiles
from kt_extras.model_reuse.model_pool import FirstBatch, ModelPool
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.records.trial_record import TrialRecord
from kt_extras.training.callbacks import callbacks_for, check_callbacks
from kt_extras.training.fit import FitReport
from kt_extras.training.global_state import settings_kept
from kt_extras.training.notes import Notes
from kt_extras.training.reporter import EpochReporter
from kt_extras.tuners.fit_arguments import passed_twice
from kt_extras.tuners.fit_check import check_fit

Epochs = Union[int, Literal["best"], None]  # noqa: UP007 - Python 3.10


class TrainedModels:
    """Keeps the weights of the best trials, and makes models of trials.

    Args:
        tuner: The tuner, which builds the models and has the paths of their files.
        oracle: The tuner's oracle, which reports every trial that ends.
        keep: As in `kt_extras.checkpoints.weight_files.WeightFiles`.
        build: Builds the model of hyperparameters, and does not ask `constraint`, which has
            accepted it during the search.
    """

    def __init__(
        self,
        tuner: Any,
        oracle: SamplerOracle,
        keep: Keep,
        build: Callable[[keras_tuner.HyperParameters], keras.Model],
    ) -> None:
        self._tuner, self._oracle, self._build = tuner, oracle, build
        self._checkpoints = WeightFiles(keep, tuner._get_checkpoint_fname)
        self.keep = keep
        self.keeps_any = keep != "none"
        oracle.when_ended = self._trial_ended

    def remove_leftovers(self) -> None:
        """Remove the files that a process which died has left."""
        over = [e for e in self._oracle.trial_records() if e.state not in {"running", "waiting"}]
        self._checkpoints.tidy(self._outcomes([record for record in over if not record.added]))

    def check(self, trials: Sequence[Trial]) -> None:
        """Raise unless there are weights of all these trials.

        Raises:
            FileNotFoundError: There are not.
        """
        lacking = [t.trial_id for t in trials if not self._checkpoints.exist(t.trial_id)]
        if added := [name for name in lacking if self._was_added(name)]:
            raise FileNotFoundError(
                f"There are no weights of trials {added}, which `add_trial` has put on record: "
                "they were trained elsewhere.  `refit(..., trial=tuner.oracle.get_trial("
                f"{added[0]!r}))` trains such a model here."
            )
        if lacking:
            raise FileNotFoundError(
                f"The weights of trials {lacking} are not in {self._tuner.project_dir}: they were "
                f"removed or never written.  {self._checkpoints.rule}  `refit(..., trial=...)` "
                "trains the model of a trial once more."
            )

    def with_weights(self, method: str) -> list[Trial]:
        """Return the trials with a score whose weights are kept, best first.

        Args:
            method: What needs at least two of them, for the message.

        Raises:
            FileNotFoundError: There are fewer.
        """
        scored = self._tuner.oracle.get_best_trials(len(self._oracle.trials))
        found = [trial for trial in scored if self._checkpoints.exist(trial.trial_id)]
        if len(found) < 2:
            raise FileNotFoundError(
                f"`{method}` needs the weights of at least two trials, got {len(found)} of "
                f"{len(scored)} trials with a score.  {self._checkpoints.rule}  A search with "
                "`keep_checkpoints='all'`, or with a number from 2, keeps more."
            )
        return found

    def _was_added(self, name: str) -> bool:
        return name in self._oracle.trials and self._oracle.trial_record(name).added

    def load(self, trial: Trial) -> keras.Model:
        """Return a trial's model with the weights of its best epoch."""
        if not isinstance(trial, Trial):
            raise TypeError(
                f"`trial` must be a trial, as from `oracle.get_best_trials()`, got {trial!r}."
            )
        self.check([trial])
        with settings_kept(), random_state_kept():
            return self._loaded(trial)

    def _loaded(self, trial: Trial) -> keras.Model:
        model = self._build(self.hyperparameters(trial))
        try:
            self._load_weights(model, trial)
        except Exception as error:
            if (damaged := self._damaged_file(trial, error)) is not None:
                raise ValueError(
                    f"The weights of trial {trial.trial_id!r} cannot be loaded: {damaged} is "
                    f"empty or damaged ({type(error).__name__}), as after a loss of power.  "
                    "Restore a copy of it, or train the model once more: `refit(..., trial="
                    f"tuner.oracle.get_trial({trial.trial_id!r}))`."
                ) from error
            raise ValueError(
                f"The weights of trial {trial.trial_id!r} do not fit the model that is built now "
                f"({type(error).__name__}), so the model has changed since the trial was trained.  "
                "Build the model of that time, or begin again with `overwrite=True` or another "
                "`project_name`."
            ) from error
        return model

    def _load_weights(self, model: keras.Model, trial: Trial) -> None:
        config = Path(self._tuner._get_build_config_fname(trial.trial_id))
        path = self._tuner._get_checkpoint_fname(trial.trial_id)
        with maybe_distribute(self._tuner.distribution_strategy):
            if load_arrays(model, path):
                return
            compat.build_for_loading(model, _read_config(config))
            compat.load_weights(model, path)

    def _damaged_file(self, trial: Trial, error: Exception) -> str | None:
        """Return the file for which a trial's weights cannot be loaded, None if all can be read."""
        path = self._tuner._get_checkpoint_fname(trial.trial_id)
        if isinstance(error, UnreadableStateError):
            return f"{path}{HELD}"
        if isinstance(error, (OSError, tf.errors.OpError)) and not _lacks_weight(error):
            return path
        config = Path(self._tuner._get_build_config_fname(trial.trial_id))
        damaged = config.exists() and not _read_config(config) and config.read_bytes() != b"null"
        return str(config) if damaged else None

    def hyperparameters(self, trial: Trial) -> keras_tuner.HyperParameters:
        """Return a copy of a trial's hyperparameters as they were in its best epoch."""
        if trial.trial_id in self._oracle.trials:
            record = self._oracle.trial_record(trial.trial_id)
            return record.best_hyperparameters(self._oracle.hyperparameters)
        hp = trial.hyperparameters.copy()  # on a worker, whose chief has the records
        hp.merge(self._tuner.oracle.get_space(), overwrite=False)
        return set_missing_defaults(hp)

    @settings_kept()
    def refit(
        self,
        trial: Trial,
        set_seed: Callable[[], None],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        epochs: Epochs,
        logs: dict[str, float] | None = None,
        pool: ModelPool | None = None,
    ) -> keras.Model:
        """Train a trial's model again.

        Args:
            trial: The trial.
            set_seed: Sets the seeds as they were in the trial.
            args: Positional arguments of `fit`.
            kwargs: Keyword arguments of `fit`.
            epochs: Epochs to train, `"best"` for the trial's best epoch; None leaves `epochs` to
                `HyperModel.fit`, and ends the training after the best epoch.
            logs: Gets the metrics of the last epoch. Defaults to None: not wanted.
            pool: Has models that are trained again. Defaults to None: the model is built anew.
        """
        last = _last_epoch(trial, epochs)
        check_callbacks(kwargs.get("callbacks"))
        if self._tuner._calls_model_fit:
            check_fit(args, kwargs, type(self._tuner))
        hp = self.hyperparameters(trial)
        end = _End(last)
        callbacks = [*callbacks_for(kwargs.get("callbacks"), trial), end]
        if self._tuner._states is not None:  # as in the trial, where it affects random state
            callbacks.append(TrainedWith(hp.values))
        if pool is not None:
            callbacks.append(FirstBatch(pool))
        own = (
            {"callbacks": callbacks} if epochs is None else {"callbacks": callbacks, "epochs": last}
        )
        set_seed()
        model, fits = self._model_to_refit(hp, pool), FitReport(Notes(visible=False))
        try:
            with fits.trial():
                self._tuner.hypermodel.fit(hp, fits.lead(model), *args, **{**kwargs, **own})
        except TypeError as error:
            if "verbose" in kwargs and passed_twice("verbose", error):
                rest = {name: value for name, value in kwargs.items() if name != "verbose"}
                return self.refit(trial, set_seed, args, rest, epochs, logs, pool)
            if not passed_twice("epochs", error):
                raise
            raise TypeError(
                "`epochs` is set by this `HyperModel.fit` itself: pass `epochs=None` to "
                "`refit`, and the training still ends after the best epoch."
            ) from error
        end.restore(model)
        if logs is not None:
            logs.update(end.metrics)
        return model

    def _model_to_refit(
        self, hp: keras_tuner.HyperParameters, pool: ModelPool | None
    ) -> keras.Model:
        if pool is None or not pool.size:
            return self._build(hp)
        same = self._tuner._trains_with_keras and not self._tuner._changes_data
        return pool.model_for(
            hp, self._build, hypermodel=self._tuner.hypermodel, takes_same_data=same
        )

    def _trial_ended(self, record: TrialRecord) -> None:
        if self._checkpoints.limit is None:
            return
        if self._oracle.goals is None:
            self._checkpoints.trial_ended(*self._outcomes([record])[0])
            return
        kept = [name for name in self._checkpoints.kept if name != record.trial.trial_id]
        self._checkpoints.tidy(self._outcomes([*map(self._oracle.trial_record, kept), record]))

    def _outcomes(self, records: Sequence[TrialRecord]) -> list[tuple[str, int, float]]:
        """Return the id, the number and the loss of trials, or their places among all trials."""
        if self._oracle.goals is None:
            losses = [loss_of(self._oracle.objective, record.trial.score) for record in records]
        else:
            places = {name: place for place, name in enumerate(self._oracle.best_ids())}
            losses = [places.get(record.trial.trial_id, math.inf) for record in records]
        return [
            (record.trial.trial_id, record.number, loss)
            for record, loss in zip(records, losses, strict=True)
        ]


def _lacks_weight(error: Exception) -> bool:
    """Tell whether a weight is not in a file that can be read, as TensorFlow says on Keras 2."""
    return isinstance(error, tf.errors.NotFoundError) and "not found in checkpoint" in str(error)


def _read_config(path: Path) -> Any:
    """Return what a model is built from, None if the file is missing or damaged."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _last_epoch(trial: Trial, epochs: Epochs) -> int | None:
    """Return how many epochs to train, None if only the training itself knows.

    Raises:
        ValueError: That is the trial's best epoch, and no epoch of the trial is known.
    """
    if epochs is not None and epochs != "best":
        check_integer("epochs", epochs, minimum=1, hint="or 'best', or None")
        return int(epochs)
    if trial.best_step is not None:
        return int(trial.best_step) + 1
    if epochs is None:
        return None
    raise ValueError(
        f"`epochs` must be given to `refit`: trial {trial.trial_id!r} has reported no epoch, so "
        "its best one is not known.  Pass a number, or None if the training sets it itself; or "
        "pass the `callbacks` of `HyperModel.fit` on to `model.fit`, which reports the epochs."
    )


class _End(EpochReporter):
    """Ends a training after a number of epochs, counted over all calls of `fit` of a model.

    Args:
        epochs: The number; None ends nothing.
    """

    def __init__(self, epochs: int | None) -> None:
        super().__init__(self._is_last)
        self._last = None if epochs is None else epochs - 1
        self._weights: dict[int, Any] = {}
        self._beyond: set[int] = set()  # ids of models that were trained further
        self.metrics: dict[str, float] = {}  # of the last epoch that counts

    def _is_last(self, epoch: int, metrics: dict[str, float], *_: Any) -> bool:
        if self._last is None or epoch <= self._last:
            self.metrics = metrics
        if self._last is None:
            return False
        if epoch == self._last:
            self._weights[id(self.model)] = self.model.get_weights()
        elif epoch > self._last:
            self._beyond.add(id(self.model))
        return epoch >= self._last

    def restore(self, model: keras.Model) -> None:
        """Set the weights of the last epoch, if the training has gone beyond it."""
        if id(model) in self._beyond and id(model) in self._weights:
            model.set_weights(self._weights[id(model)])
        self._weights = {}
        self.set_model(None)


def trial_to_refit(tuner: keras_tuner.Tuner, given: Trial | None) -> Trial:
    """Return the trial that is to be trained again: the one given, or the best.

    Raises:
        RuntimeError: No trial has a score yet.
        ValueError: The given trial has no score, or the tuner has no `hypermodel`.
    """
    if tuner.hypermodel is None:
        raise ValueError("`refit` needs a `hypermodel` to build and fit; this tuner has none.")
    if given is None:
        best = tuner.oracle.get_best_trials(1)
        try:
            return best[0]
        except IndexError as error:  # it says why there is none
            raise RuntimeError(f"There is no best trial for `refit`.  {error}") from None
    if not isinstance(given, Trial):
        raise TypeError(
            f"`trial` must be a trial, as from `oracle.get_best_trials()`, or None, got {given!r}."
        )
    if given.score is None:
        raise ValueError(
            f"`trial` {given.trial_id!r} has no score and so no best epoch (its status is "
            f"{given.status}); choose one that was completed."
        )
    return given
