"""A tuner that trains the models of trials again, judges them and combines them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import keras
from keras_tuner.engine.trial import Trial

from kt_extras.checkpoints.random_state import random_state_kept
from kt_extras.ensembles.judge import LossFunction
from kt_extras.evaluation.confirmation import Confirmation
from kt_extras.hypermodels import CrossValidation
from kt_extras.tuners.combined_models import Method, ensemble, soup
from kt_extras.tuners.confirm import confirm
from kt_extras.tuners.evaluated_once import evaluate_once
from kt_extras.tuners.fold_models import FoldModels, trained_folds
from kt_extras.tuners.recorded_tuner import RecordedTuner
from kt_extras.tuners.trained_models import Epochs, trial_to_refit
from kt_extras.tuners.training_space_use import search_arguments
from kt_extras.tuners.trial_run import set_trial_seed


class TrainedTuner(RecordedTuner):
    """Trains the best trials again, judges them and combines their models."""

    _cross_validation: CrossValidation | None = None

    def refit(
        self, *fit_args: Any, trial: Trial | None = None, epochs: Epochs = "best", **fit_kwargs: Any
    ) -> keras.Model:
        """Train the best configuration once more, for instance on all the data there is.

        The model is built and trained as in the trial, with its seed if the search has one, and as
        long as the trial took to its best epoch.  So on the same data a search with a seed gives
        the model that was measured.

        Args:
            *fit_args: As for `search`; `validation_data` is not needed.
            trial: One with a score, as from `oracle.get_best_trials()`; by default the best.
            epochs: By default the trial's best epoch, counted from 1.  None leaves the number to
                a `HyperModel.fit` that sets it itself, and ends the training after the best epoch.
            **fit_kwargs: As for `search`.

        Returns:
            The trained model, with the weights of the last epoch.

        Raises:
            RuntimeError: No trial has a score yet.
            ValueError: `trial` has none, or there is no `hypermodel`.
        """
        chosen = trial_to_refit(self, trial)
        fit_kwargs = dict(search_arguments(self, fit_args, fit_kwargs))
        set_seed = partial(set_trial_seed, self._training_seed, chosen)
        with self._own_randomness():
            return self._models.refit(chosen, set_seed, fit_args, fit_kwargs, epochs)

    def refit_folds(
        self, *fit_args: Any, trial: Trial | None = None, **fit_kwargs: Any
    ) -> FoldModels:
        """Train the folds of the best trial of a cross-validation once more.

        Each is trained as in the trial, to the best epoch of the fold.  Fit thresholds and
        calibration to the predictions, which are by models that have not seen the row, and train
        the final model on all rows with `refit`; or take the mean of the models of the folds.

        Args:
            *fit_args: As for `search`.
            trial: One that was completed; by default the best.
            **fit_kwargs: As for `search`.

        Returns:
            The `models`, their out-of-fold `predictions`, and `average()`, one model of all.

        Raises:
            RuntimeError: No trial has a score yet.
            ValueError: The search has no `cross_validation`, or `trial` has not trained all folds.
        """
        if self._cross_validation is None:
            raise ValueError("`refit_folds` needs a tuner with `cross_validation`.")
        chosen = trial_to_refit(self, trial)
        fit_kwargs = dict(search_arguments(self, fit_args, fit_kwargs))
        with self._own_randomness():
            return trained_folds(self, chosen, fit_args, fit_kwargs)

    def confirm(
        self,
        *fit_args: Any,
        top: int = 5,
        seeds: int = 5,
        epochs: Epochs = "best",
        holdout_data: Any = None,
        level: float = 0.05,
        seed: int | None = None,
        **fit_kwargs: Any,
    ) -> Confirmation:
        """Train the best trials again with fresh seeds, and say what the best one is worth.

        The best score of a search is that of the luckiest trial: lucky with its seed and with the
        rows of the validation data, by both of which it was chosen.  Fresh seeds take away the
        first; a trial that others are better than, seed by seed, leaves the race.  The second stays
        in every score on the same validation data.  With `holdout_data` the best trial is judged on
        those, by seeds that did not choose it.  Without, what luck adds is estimated, by a
        simulation of the search with the noise that was measured, and taken off.

        Every training is recorded when it ends: a call after a crash, or with more `seeds` or
        `top`, trains only what is missing.

        Args:
            *fit_args: As for `search`, with the same data.
            top: How many of the best trials are trained again.  Defaults to 5.
            seeds: How often, at most.  Defaults to 5.
            epochs: As for `refit`.  Defaults to `"best"`: as many as the trial's best epoch.
            holdout_data: ``(x, y)``, or a data set of batches, by which nothing was chosen; not the
                test data of `evaluate_once`, for which this would be a look.  Defaults to None.
            level: With which probability a trial is dropped that is not worse, over all
                comparisons, in (0, 1).  Defaults to 0.05.
            seed: From which the fresh seeds are drawn, from 0.  Defaults to None: the search's.
            **fit_kwargs: As for `search`, with the same `validation_data`.

        Raises:
            RuntimeError: No trial has a score yet, or this is a worker of a chief.
            ValueError: The search has several objectives, or one that is not measured on validation
                data; or an argument is out of its range.
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        return confirm(
            self,
            fit_args,
            fit_kwargs,
            top=top,
            seeds=seeds,
            epochs=epochs,
            holdout_data=holdout_data,
            level=level,
            seed=seed,
        )

    def evaluate_once(
        self, x_test: Any, y_test: Any = None, model: keras.Model | None = None, **kwargs: Any
    ) -> dict[str, float]:
        """Evaluate the best model, or another one, on test data, which are new only once.

        The evaluation is recorded with the search.  A warning says if these data were evaluated
        before, how often and when; if rows of them were training or validation data of the search;
        and if its validation data have rows of its training data.  Rows are compared by their
        inputs.  Of the data of a search in memory 256 rows are recorded, so that a few shared rows
        may not be noticed; `kt_extras.count_leaks` counts all.  A `tf.data.Dataset` for validation
        is compared if it was passed to this tuner, and read up to a million rows.

        Args:
            x_test: Inputs as for `keras.Model.evaluate`: arrays, data frames, a
                `tf.data.Dataset` or a `keras.utils.PyDataset`, but no generator.
            y_test: Targets as for `keras.Model.evaluate`.  Defaults to None: `x_test` has them.
            model: A compiled model.  Defaults to None: that of `get_best_models()`.
            **kwargs: As for `keras.Model.evaluate`; `verbose` defaults to 0.

        Returns:
            The loss and the metrics by name.

        Raises:
            IndexError: No trial has a score yet.
            RuntimeError: This is a worker of a chief, which has the records.
            TypeError: `x_test` cannot be read twice.
            kt_extras.storage.lock.ProjectInUseError: Another process is searching.
        """
        return evaluate_once(self, x_test, y_test, model, kwargs)

    def ensemble(
        self,
        size: int,
        x_val: Any,
        y_val: Any = None,
        *,
        method: Method = "greedy",
        trials: int | None = None,
        loss: LossFunction | None = None,
        start: int = 1,
        bags: int = 1,
        sample_weight: Any = None,
        seed: int = 0,
        batch_size: int = 256,
    ) -> keras.Model:
        """Return one model that averages what the models of several trials put out.

        It predicts, saves to one file that needs neither the search nor its project, and is
        calibrated by `kte.calibration.calibrate`.  It is compiled with the best trial's loss and
        metrics.  ``model.get_layer("average")`` has `names_of_members`, the trials, and
        `weights_of_members`.  The trials are those whose weights are kept: see `keep_checkpoints`.

        Args:
            size: How many models at most; of `"greedy"` counting repetitions.
            x_val: Inputs that the models were not trained on; or a data set of batches ``(x, y)``
                or ``(x, y, sample_weight)`` that is not shuffled.
            y_val: Their labels.  Defaults to None: `x_val` has them.
            method: `"greedy"` adds models one by one, with repetitions, each time the one that
                makes the average best (Caruana et al., ICML 2004); `"average"` takes the best
                `size` trials, with equal weights; `"stacking"` gives these the weights, at least 0
                and with the sum 1, that have the lowest loss (Breiman 1996). Defaults to
                `"greedy"`.
            trials: How many of the best trials are considered.  Defaults to None: all that have
                weights.
            loss: A loss of Keras, or a function ``(y_true, y_pred) -> number`` that is lower for
                better predictions.  Defaults to None: the loss of the best trial's model.
            start: With how many of the best models `"greedy"` begins. Defaults to `1`.
            bags: How often `"greedy"` chooses from another half of the models; all that is chosen
                counts. Defaults to `1`: once, from all.
            sample_weight: Shape ``(n,)``, of arrays. Defaults to `None`.
            seed: Seed of the bags. Defaults to `0`.
            batch_size: Rows predicted at a time, of arrays. Defaults to `256`.

        Raises:
            FileNotFoundError: Fewer than two trials have weights.
            RuntimeError: This is a worker of a chief, which has the records.
            ValueError: An argument out of its range; models with several outputs, with outputs of
                different shapes, or that predict NaN; no loss; a data set that is shuffled.
        """
        return ensemble(
            self,
            size,
            _labelled(x_val, y_val, sample_weight),
            method=method,
            trials=trials,
            loss=loss,
            start=start,
            bags=bags,
            seed=seed,
            batch_size=batch_size,
        )

    def soup(
        self,
        x_val: Any,
        y_val: Any = None,
        x_train: Any = None,
        *,
        trials: int | None = None,
        loss: LossFunction | None = None,
        sample_weight: Any = None,
        batch_size: int = 256,
    ) -> keras.Model:
        """Return the best trial's model with an average of the weights of trials like it.

        The weights of the other trials of its architecture are added from the best to the worst,
        each if the average gets no worse by that on validation data (the greedy soup of Wortsman
        et al., 2203.05482).  It costs no more than one model.  It helps where the models began
        with the same weights, as those that are fine-tuned from one pretrained model; of models
        that began with different ones it takes the best alone.

        Args:
            x_val: As for `ensemble`.
            y_val: As for `ensemble`.
            x_train: Training inputs, arrays or a data set of batches, by which the statistics of
                batch normalisation are computed anew.  Defaults to None: they are averaged.
            trials: As for `ensemble`.
            loss: As for `ensemble`.
            sample_weight: As for `ensemble`.
            batch_size: As for `ensemble`, and for `x_train`.

        Raises:
            FileNotFoundError: Fewer than two trials have weights.
            RuntimeError: This is a worker of a chief, which has the records.
            ValueError: An argument out of its range; no other trial has the architecture of the
                best one.
        """
        data = _labelled(x_val, y_val, sample_weight)
        return soup(self, data, x_train, trials=trials, loss=loss, batch_size=batch_size)

    def _own_randomness(self) -> AbstractContextManager[Any]:
        """Keep the user's random streams, where trainings set seeds of their own."""
        return nullcontext() if self._training_seed is None else random_state_kept()


def _labelled(x: Any, y: Any, sample_weight: Any) -> Any:
    """Return validation data as one argument."""
    if y is None:
        if sample_weight is not None:
            raise ValueError("`sample_weight` goes with `y_val`; a data set has its own.")
        return x
    return (x, y, sample_weight)
