"""A KerasTuner tuner that reports every epoch, stops when told to, and keeps what it found."""

from __future__ import annotations

import inspect
import json
import os
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.engine.tuner import maybe_distribute

from kt_extras import compat
from kt_extras.oracles.exploration import declare_space
from kt_extras.oracles.journal import FILE_NAME
from kt_extras.oracles.ledger import metric_history
from kt_extras.oracles.objective import names_of
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.results import epochs_of, final_metrics, table
from kt_extras.oracles.trial_run import TrialRun, is_infeasible, may_lack_objective
from kt_extras.oracles.watch import SearchWatch
from kt_extras.training.heap import settled_heap

_WAIT = 5.0  # seconds between questions to an oracle that has nothing to do yet
_VALIDATION_POSITION = 6  # of `validation_split` in `keras.Model.fit`; `validation_data` follows


class Tuner(keras_tuner.Tuner):
    """Runs the trials of a `kt_extras.SamplerOracle`; otherwise used like `keras_tuner.Tuner`.

    `search` takes what `keras.Model.fit` takes.  `verbose=0` is silent, 1 shows one line for the
    whole search, 2 also Keras' own lines.  `callbacks` may be a function ``(hp, trial) ->
    callbacks`` for callbacks that cannot be copied for each trial.  A `keras.callbacks.TensorBoard`
    among them is all that TensorBoard needs.

    Args:
        oracle: A `kt_extras.SamplerOracle`.
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model; None if `run_trial` is
            overridden and needs none.
        **kwargs: The arguments of `keras_tuner.Tuner`.

    Raises:
        ValueError: The directory holds a search that KerasTuner itself has made.

    >>> import tempfile, kt_extras as kte
    >>> class Parabola(kte.Tuner):
    ...     def run_trial(self, trial):
    ...         x = trial.hyperparameters.Float("x", -1, 1)
    ...         return x**2
    >>> oracle = kte.SamplerOracle(kte.samplers.Random(), max_trials=3, seed=0)
    >>> tuner = Parabola(oracle, directory=tempfile.mkdtemp())
    >>> tuner.search(verbose=0)
    >>> [row["state"] for row in tuner.results()]
    ['completed', 'completed', 'completed']
    """

    def __init__(self, oracle: SamplerOracle, hypermodel: Any = None, **kwargs: Any) -> None:
        if not isinstance(oracle, SamplerOracle):
            raise TypeError(f"`oracle` must be a `kt_extras.SamplerOracle`, got {oracle!r}.")
        if hypermodel is None and type(self).run_trial is Tuner.run_trial:
            raise ValueError(
                "`hypermodel` must be a `HyperModel` or a function `build(hp)`, got None; only a "
                "tuner that overrides `run_trial` can do without."
            )
        if kwargs.get("overwrite") and _has_chief() and self._is_worker():
            kwargs["overwrite"] = False  # the project is the chief's
        self._local_oracle = oracle  # on a worker, `self.oracle` is a client of the chief's
        self._watch: SearchWatch | None = None
        self._overwrite = bool(kwargs.get("overwrite"))
        super().__init__(oracle, hypermodel, **kwargs)

    # What KerasTuner's tuners have.

    def search(self, *fit_args: Any, **fit_kwargs: Any) -> None:
        """Run trials until the oracle has no more.

        Args:
            *fit_args: As for `keras.Model.fit`.
            **fit_kwargs: As for `keras.Model.fit`.

        Raises:
            ValueError: The objective is a validation metric but there is nothing to validate on.
            keras_tuner.errors.FatalValueError: No epoch reports the objective.
        """
        given = fit_kwargs.pop("verbose", None)
        verbose = 1 if given in {None, "auto"} else int(given)
        if _has_chief() and not self._is_worker():
            super().search(*fit_args, **fit_kwargs)  # the chief serves, and trains nothing
            return
        self._check_validation(fit_args, fit_kwargs)
        if self._trains_with_keras or (given is not None and _accepts(self.run_trial, "verbose")):
            fit_kwargs["verbose"] = 2 if verbose > 1 else 0
        self._local_oracle.begin_session()
        self.on_search_begin()
        if not self._is_worker():
            anew = self._overwrite and not self._local_oracle.trials
            self._watch = SearchWatch(self._local_oracle, visible=verbose > 0, anew=anew)
        try:
            with settled_heap() as settle:
                settle()
                while (trial := self._next_trial()) is not None:
                    self._run(trial, fit_args, fit_kwargs)
                    settle()
        finally:
            if self._watch is not None:
                self._watch.close()
            self._local_oracle.abandon(self.tuner_id)
        self.on_search_end()

    def run_trial(self, trial: Trial, *args: Any, callbacks: Any = None, **kwargs: Any) -> Any:
        """Build and train the trial's model, once for each execution.

        Args:
            trial: Whose `hyperparameters` to use.
            *args: As for `search`.
            callbacks: As for `search`.
            **kwargs: As for `search`.

        Returns:
            What `HyperModel.fit` returned, one an execution.
        """
        run = TrialRun(
            self,
            trial,
            watch=self._watch,
            seed=self._local_oracle.seed if self._local_oracle.seed_given else None,
            patient=not self._trains_with_keras
            or may_lack_objective(self.oracle.objective, kwargs),
        )
        results = []
        for execution in range(self.executions_per_trial):
            watchers = run.callbacks(callbacks, execution)
            run.settle_seed(execution)
            results.append(self._build_and_fit_model(trial, *args, callbacks=watchers, **kwargs))
            if isinstance(results[-1], keras.callbacks.History):
                compat.forget_model(results[-1])
            if run.stopped:
                break
        run.write_weights(self._get_checkpoint_fname(trial.trial_id))
        return results

    def load_model(self, trial: Trial) -> keras.Model:
        """Return the model of a trial with the weights of its best epoch.

        Args:
            trial: One that has ended with a score.

        Raises:
            FileNotFoundError: Its weights were never written, or have been removed.
        """
        path = Path(self._get_checkpoint_fname(trial.trial_id))
        if not list(path.parent.glob(f"{path.name}*")):
            raise FileNotFoundError(
                f"The weights of trial {trial.trial_id!r} are not in {path.parent}: it has "
                "written none, or they were removed.  Its hyperparameters are in `results()`."
            )
        model = self._try_build(trial.hyperparameters.copy())
        with maybe_distribute(self.distribution_strategy):
            compat.build_for_loading(model, self._build_config(trial.trial_id))
            model.load_weights(str(path))
        return model

    def save(self) -> None:
        """Do nothing: the oracle's journal is always up to date."""

    def reload(self) -> None:
        """Take up the search in the project's directory."""
        if not self._is_worker():
            self.oracle.reload()
            self._populate_initial_space()

    # What they do not have.

    def enqueue(self, values: Mapping[str, Any]) -> None:
        """Have a known-good point tried first.

        Args:
            values: Values of some or all hyperparameters, moved to the nearest grid point; the
                rest are drawn at random.

        Raises:
            ValueError: A name or value that the space does not have.
        """
        self._local_oracle.enqueue(values)

    def results(self) -> list[dict[str, Any]]:
        """Return one row a trial, ready for `pandas.DataFrame`.

        Returns:
            Rows with `number`, `trial_id`, `state` (`"completed"`, `"pruned"`, `"infeasible"`,
            `"failed"`, `"running"` or `"waiting"`), `score`, `best_epoch` (counted from 0),
            `epochs` (trained, over all executions), `seconds`, `message`, and each active
            hyperparameter under its own name.
        """
        return table(self._local_oracle.entries())

    def history(self, trial_id: str | int) -> dict[str, list[Any]]:
        """Return the metrics of every epoch of a trial, ready for `pandas.DataFrame`.

        Args:
            trial_id: Its id, or its number.

        Returns:
            Columns `execution`, `epoch` (both counted from 0) and one a metric, NaN where it was
            not measured.

        Raises:
            KeyError: There is no such trial.
        """
        for entry in self._local_oracle.entries():
            if trial_id in (entry.trial.trial_id, entry.number):
                return epochs_of(entry)
        raise KeyError(f"`trial_id` {trial_id!r} is none of {len(self._local_oracle.trials)}.")

    # The loop.

    def _next_trial(self) -> Trial | None:
        while True:
            self.pre_create_trial()
            trial = self.oracle.create_trial(self.tuner_id)
            if trial.status == TrialStatus.STOPPED:
                return None
            if trial.status != TrialStatus.IDLE:
                return trial
            if self._is_worker():
                time.sleep(_WAIT)
            else:
                self.oracle.wait_for_change(_WAIT)

    def _run(self, trial: Trial, fit_args: Any, fit_kwargs: Mapping[str, Any]) -> None:
        self.on_trial_begin(trial)
        try:
            self._publish(trial, self.run_trial(trial, *fit_args, **fit_kwargs))
            trial.status = TrialStatus.COMPLETED
        except keras_tuner.errors.FatalError:
            raise  # the program is wrong, not the trial, which is run again once that is mended
        except Exception as error:
            trial.status = TrialStatus.FAILED if is_infeasible(error) else TrialStatus.INVALID
            trial.message = traceback.format_exc()
        self.on_trial_end(trial)

    def on_trial_end(self, trial: Trial) -> None:
        """Called at the end of a trial."""
        try:
            self.oracle.end_trial(trial)
        finally:
            if not self._is_worker() and self._watch is not None:
                self._watch.trial_ended(trial.trial_id)

    def _publish(self, trial: Trial, results: Any) -> None:
        """Give the trial what came out of it, where its epochs have not said so already."""
        objective = self.oracle.objective
        reported = self.oracle.get_trial(trial.trial_id).metrics
        told = all(reported.exists(name) for name in names_of(objective))
        if told and (results is None or _only_histories(results)):
            return
        metrics, step = final_metrics(results, objective)
        if self._local_oracle.pruner is not None and not reported.metrics:
            raise keras_tuner.errors.FatalValueError(
                "`pruner` needs the metrics of every epoch, but this `run_trial` or "
                "`HyperModel.fit` reported none.  Pass the `callbacks` that it is given on to "
                "`model.fit`, or set `pruner=None`."
            )
        for name, value in metrics.items():
            if not trial.metrics.exists(name):
                metric_history(trial, name, objective).update(value, step=step)
        trial.score, trial.best_step = metrics[objective.name], step

    # Before and beside the trials.

    def _populate_initial_space(self) -> None:
        """Find the hyperparameters that the model declares, in every branch."""
        if self.hypermodel is None:
            return
        hp = self.oracle.get_space()
        self.hypermodel.declare_hyperparameters(hp)
        self.oracle.update_space(hp)
        declare_space(self.hypermodel.build, self.oracle.get_space, self.oracle.update_space)

    def _get_tuner_fname(self) -> str:
        """Return the file whose existence tells KerasTuner that there is a search to go on with."""
        project = os.path.join(str(self.directory), self.project_name)
        journal = os.path.join(project, FILE_NAME)
        if os.path.exists(os.path.join(project, "oracle.json")) and not os.path.exists(journal):
            raise ValueError(
                f"`project_name` {self.project_name!r} in {self.directory!r} holds a search that "
                "KerasTuner made itself.  Choose another name, or pass `overwrite=True`."
            )
        return journal

    @property
    def _trains_with_keras(self) -> bool:
        """Whether `model.fit` itself is called with the arguments of `search`."""
        fit = getattr(type(self.hypermodel), "fit", None)
        return type(self).run_trial is Tuner.run_trial and fit is keras_tuner.HyperModel.fit

    def _check_validation(self, fit_args: Any, fit_kwargs: Mapping[str, Any]) -> None:
        """Find out before any training that a validation metric cannot be had."""
        given = fit_kwargs.get("validation_data") is not None or fit_kwargs.get("validation_split")
        if not self._trains_with_keras or given or len(fit_args) > _VALIDATION_POSITION:
            return
        names = [name for name in names_of(self.oracle.objective) if name.startswith("val_")]
        if names and not fit_kwargs.get("callbacks"):  # which might add the metric to the logs
            raise ValueError(
                f"`objective` {names} is measured on validation data, but there is none: pass "
                "`validation_data=(x, y)` or `validation_split=0.2` to `search`."
            )

    def _build_config(self, trial_id: str) -> Mapping[str, Any] | None:
        path = Path(self._get_build_config_fname(trial_id))
        return json.loads(path.read_text()) if path.exists() else None


def _has_chief() -> bool:
    return "KERASTUNER_ORACLE_IP" in os.environ


def _accepts(function: Any, argument: str) -> bool:
    parameters = inspect.signature(function).parameters.values()
    return any(p.name == argument or p.kind == p.VAR_KEYWORD for p in parameters)


def _only_histories(results: Any) -> bool:
    results = results if isinstance(results, list) else [results]
    return all(isinstance(result, keras.callbacks.History) for result in results)
