"""One of several trials that are trained at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import is_not
from typing import Any, NamedTuple, TypeVar

import keras
from keras_tuner.engine.trial import Trial

from kt_extras import compat
from kt_extras.bridge.lazy_trial import set_missing_defaults
from kt_extras.checkpoints.random_state import (
    random_state,
    random_state_kept,
    set_random_state,
)
from kt_extras.model_reuse.model_comparison import constants, same_constants
from kt_extras.model_reuse.user_references import refers_to
from kt_extras.stacking import create_variables, differ_in_numbers_alone, reason_against
from kt_extras.training.epoch_loop import EpochLoop, TrainingData
from kt_extras.training.fallback_reasons import needs_hook, reason_to_fall_back
from kt_extras.training.fit import fit_arguments
from kt_extras.training.global_state import settings_kept
from kt_extras.training.hooks import has_hooks, tuner_hooks
from kt_extras.tuners.callbacks_before import callbacks_before
from kt_extras.tuners.training_space_use import fit_arguments_of, share_data

Result = TypeVar("Result")


class BuiltModel(NamedTuple):
    """A model of a trial that was built before its turn.

    Attributes:
        hp: The hyperparameters of the trial.
        model: The model.
        random: The state of the random streams after it was built, None if they have no seed.
    """

    hp: Any
    model: keras.Model
    random: dict[str, Any] | None


class StackedTrial:
    """Builds the model of a trial, and takes it through its training an epoch at a time.

    The random streams that its model, its callbacks and the order of its data are drawn from are
    its own, if the search has a seed: so a trial gets the result that it gets alone.

    Args:
        tuner: The tuner, which builds the model.
        trial: The trial.
        tuner_id: The worker to which the oracle has given the trial.
        fit_args: Positional arguments of `search`.
        fit_kwargs: Keyword arguments of `search`.

    Attributes:
        model: The model, None if it could not be built; the loop for single trials says why.
        given: All arguments of `keras.Model.fit`.
        changes_model: Whether a callback or hook of the user's may change the model between two
            epochs.
        changes_at_test: Whether one may change it for a validation.
    """

    def __init__(
        self,
        tuner: Any,
        trial: Trial,
        tuner_id: str,
        fit_args: Sequence[Any],
        fit_kwargs: Mapping[str, Any],
    ) -> None:
        self.trial, self.tuner_id = trial, tuner_id
        self._tuner = tuner
        self._random: dict[str, Any] | None = None
        self._is_seeded = tuner._training_seed is not None
        self.model: keras.Model | None = None
        self._run, kwargs = tuner._begin_run(trial, fit_args, dict(fit_kwargs))
        self._callbacks = kwargs.pop("callbacks", None)
        self.given: dict[str, Any] = {}
        self._loop: EpochLoop | None = None
        self._variables: set[int] = set()
        self.changes_at_test = False
        self._traced: Any = None
        self._constants: Any = None  # of the trace of its training alone
        self.changes_model = bool(self._callbacks) or has_hooks(tuner)
        with settings_kept(), compat.own_names(), self._own_randomness():
            self._run.set_seed(0)
            set_missing_defaults(trial.hyperparameters)
            try:
                model = tuner._build_checked(trial.hyperparameters)
                hp = trial.hyperparameters
                args, kwargs = fit_arguments_of(tuner.hypermodel, hp, fit_args, kwargs)
                self.given = fit_arguments(model, args, kwargs)
                create_variables(model, self.given)
                self.model, self._variables = model, {id(one) for one in model.variables}
            except Exception:  # it is raised again where it is handled
                return

    def refusal(self, *, has_to_gain: bool) -> str | None:
        """Return why its training cannot or should not be one of a stack, None if it should.

        Args:
            has_to_gain: Whether it should not if it would take as much time alone.
        """
        if self.model is None:
            return "its model cannot be built"
        if refers_to(self._tuner.hypermodel, self.model):  # the next build may change a part of it
            return "the hypermodel refers to its model, or to a part of that"
        if has_to_gain and self.model.built and (reason := reason_against(self.model)):
            return f"it would gain nothing: {reason}"
        if self.given["steps_per_epoch"] or self.given["validation_steps"]:
            return "`steps_per_epoch` or `validation_steps` is passed"
        try:
            callbacks = [*callbacks_before(self._callbacks, self.trial)]
        except Exception:  # it is raised again where it is handled
            return "its callbacks cannot be made"
        callbacks.append(tuner_hooks(self._tuner, self.trial))
        return reason_to_fall_back(self.model, {**self.given, "callbacks": callbacks})

    def shares(self, other: StackedTrial) -> bool:
        """Tell whether its model has a variable that another one has."""
        return not self._variables.isdisjoint(other._variables)

    @contextmanager
    def built(self, *, anew: bool = False) -> Iterator[None]:
        """Let the loop for single trials train the model that is built already, unless `anew`."""
        model, self.model = self.model, None
        if model is not None and not anew:
            self._tuner._prebuilt = BuiltModel(self.trial.hyperparameters, model, self._random)
        try:
            yield
        finally:
            self._tuner._prebuilt = None

    def data(self) -> TrainingData:
        """Return what it is trained on."""
        return TrainingData.of(self.model, self.given)

    def traced_model(self) -> keras.Model:
        """Return the model whose step is traced for a stack: one that no callback changes."""
        if not self.changes_model:
            return self.model
        with settings_kept(), compat.own_names(), random_state_kept():
            model = self._tuner._build_checked(self.trial.hyperparameters)
            create_variables(model, self.given)
        return model

    def is_like(self, model: keras.Model, given: Mapping[str, Any]) -> bool:
        """Tell whether it differs from another one in numbers of its model alone.

        Args:
            model: The model of the other one.
            given: All arguments of `keras.Model.fit` that the other one has.
        """
        if not share_data(self.given, given):
            return False
        with self._own_randomness():  # from which a comparison may draw initial weights
            return differ_in_numbers_alone(model, self.model)

    def begin(self, data: TrainingData, bring_model: Callable[[], None]) -> None:
        """Begin the training; a paused trial gets its state back.

        Args:
            data: What the model is trained on.
            bring_model: Puts what is trained in the stack into the model.
        """
        self._run.train_elsewhere(bring_model)
        self.given["callbacks"] = self._run.callbacks(self._callbacks, 0)
        self.changes_at_test = any(needs_hook(c, "on_test_begin") for c in self.given["callbacks"])
        self._loop = EpochLoop(self.model, self.given, data)
        model: Any = self.model
        model.make_train_function()  # as `fit` does before it calls callbacks
        self._traced, self._constants = self._what_is_traced(), constants(model)
        self.call(lambda loop: loop.begin())

    @property
    def has_stopped(self) -> bool:
        """Whether a callback has ended the training."""
        return self.model is not None and bool(self.model.stop_training)

    @property
    def is_traced_anew(self) -> bool:
        """Whether callbacks have changed what the training traces alone.

        That is traced with the first batch, and again after `compile` or `make_train_function`.
        """
        if any(map(is_not, self._what_is_traced(), self._traced)):
            return True
        begins = self._loop is not None and not self._loop.has_trained
        return begins and not same_constants(self._constants, constants(self.model))

    def _what_is_traced(self) -> tuple[Any, Any]:
        model: Any = self.model
        return compat.compilation(model), model.train_function

    def call(self, what: Callable[[EpochLoop], Result]) -> Result:
        """Return what a function of the course of the training returns."""
        if self._loop is None:
            raise RuntimeError("The training has not begun.")
        with self._own_randomness():
            return what(self._loop)

    def end(self) -> keras.callbacks.History:
        """End the training, write the weights of its best epoch and return its history."""
        run, name = self._run, self.trial.trial_id
        history = self.call(lambda loop: loop.end())
        run.raise_if_interrupted()
        compat.forget_model(history)
        run.write_build_config(self._tuner._get_build_config_fname(name))
        if self._tuner._models.keeps_any:
            run.write_weights(
                self._tuner._get_checkpoint_fname(name), self._tuner._get_build_config_fname(name)
            )
        return history

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        if not self._is_seeded:
            yield
            return
        if self._random is not None:
            set_random_state(self._random)
        try:
            yield
        finally:
            self._random = random_state()
