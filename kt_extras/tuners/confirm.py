"""Trains the best trials again with fresh seeds, and says what the best one is worth."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import keras
import numpy as np
from keras_tuner.engine.trial import Trial

from kt_extras.arguments import check_integer, is_number
from kt_extras.bridge.metrics import decoded, encoded
from kt_extras.bridge.objective import loss_of, names_of, sign_of, value_in
from kt_extras.checkpoints.random_state import random_state_kept, set_seed
from kt_extras.evaluation.confirmation import Confirmation
from kt_extras.evaluation.racing import SEEDS_IN_PARTS, Measured, concluded, raced
from kt_extras.evaluation.rows import parts_of, sampled_hashes, texts
from kt_extras.model_reuse.model_pool import ModelPool
from kt_extras.records.events import TrialRepeated
from kt_extras.tuners.data_used import SAMPLE, inputs_of, seen_as
from kt_extras.tuners.roles import refuse_without_records
from kt_extras.tuners.trained_models import Epochs, trial_to_refit
from kt_extras.tuners.training_space_use import search_arguments

_STREAM = 0x5EED  # so that no seed is one of the search
_PARTS = 10  # of the validation data, for the variance of their rows


def confirm(
    tuner: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    top: int,
    seeds: int,
    epochs: Epochs,
    holdout_data: Any,
    level: float,
    seed: int | None,
) -> Confirmation:
    """Train the best trials again until they are told apart.

    Args:
        tuner: The tuner.
        args: Positional arguments of `fit`.
        kwargs: Keyword arguments of `fit`.
        top: As for `kt_extras.Tuner.confirm`, as the others.
        seeds: As there.
        epochs: As there.
        holdout_data: As there.
        level: As there.
        seed: As there.
    """
    refuse_without_records(tuner, "confirm")
    check_integer("top", top, minimum=1)
    check_integer("seeds", seeds, minimum=1)
    if seed is not None:
        check_integer("seed", seed, minimum=0)
    if not is_number(level) or not 0 < level < 1:
        raise ValueError(f"`level` must lie strictly between 0 and 1, got {level!r}.")
    _check_objective(tuner)
    trial_to_refit(tuner, None)
    objective, oracle = tuner.oracle.objective, tuner._local_oracle
    scored = tuner.oracle.get_best_trials(len(tuner.oracle.trials))
    trials = {trial.trial_id: trial for trial in scored}
    base = oracle.seed if seed is None else seed
    given = {"verbose": 0, **search_arguments(tuner, args, kwargs)}
    trainings = _Trainings(tuner, args, given, epochs, holdout_data)
    with oracle.writing(), closing(trainings):
        trainings.note_data()
        race = raced(
            [*trials][:top],
            lambda name, number: trainings.measured(trials[name], base, number),
            seeds=seeds,
            level=level,
        )
    return concluded(
        race,
        {name: loss_of(objective, trial.score) for name, trial in trials.items()},
        objective=objective.name,
        direction=objective.direction,
        generator=np.random.default_rng(base),
    )


class _Trainings:
    """Trains trials with seeds, unless the training is on record, and keeps what they score."""

    def __init__(
        self,
        tuner: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        epochs: Epochs,
        holdout: Any,
    ) -> None:
        self._tuner, self._args, self._kwargs, self._epochs = tuner, args, kwargs, epochs
        self._oracle, self._objective = tuner._local_oracle, tuner.oracle.objective
        validation = kwargs.get("validation_data")
        # What changes the data on their way to the model would have to change these too.
        plain = tuner._trains_with_keras and not tuner._changes_data
        if holdout is not None and not plain:
            raise ValueError(
                "`holdout_data` is evaluated by `model.evaluate`, so it needs a tuner whose trials "
                "are trained by `model.fit` on the data as they are."
            )
        self._pool = ModelPool(tuner._pool.size)  # one trace for all seeds of a trial
        self._holdout = holdout
        self._parts = _parts(validation) if plain else []
        self._seen = seen_as(
            train=args[0] if args else kwargs.get("x"),
            validation=None if validation is None else inputs_of(validation),
            holdout=None if holdout is None else inputs_of(holdout),
        )
        self._setup = self._setup_text()

    def measured(self, trial: Trial, base: int, number: int) -> Measured:
        """Train a trial's model with a seed, or read what it scored then."""
        seed = _fresh_seed(base, number)
        wanted = (trial.trial_id, seed, self._setup)
        event = next(
            (one for one in self._oracle.repeats if (one.trial, one.seed, one.setup) == wanted),
            None,
        )
        if event is None:
            event = self._repeat(trial, seed, parts=number < SEEDS_IN_PARTS)
            self._oracle.record(event)
        held_out = None
        if self._holdout is not None:
            held_out = loss_of(self._objective, decoded(event.holdout).get(self._bare_name))
        sign = sign_of(self._objective)
        return Measured(
            loss_of(self._objective, value_in(self._objective, decoded(event.metrics))),
            held_out,
            [sign * value for value in event.parts],
        )

    def close(self) -> None:
        """Let the models go."""
        self._pool.clear()

    def _repeat(self, trial: Trial, seed: int, *, parts: bool) -> TrialRepeated:
        """Train a model and measure it."""
        logs: dict[str, float] = {}
        with random_state_kept():
            model = self._tuner._models.refit(
                trial,
                partial(set_seed, seed),
                self._args,
                self._kwargs,
                self._epochs,
                logs=logs,
                pool=self._pool,
            )
            if value_in(self._objective, logs) is None:
                raise ValueError(
                    f"`{self._objective.name}` was not measured in the last epoch of the training "
                    f"of trial {trial.trial_id!r}, but {sorted(logs)}.  Pass the `validation_data` "
                    "and `callbacks` of `search`."
                )
            holdout = self._evaluated(model, self._holdout) if self._holdout is not None else {}
            if holdout and self._bare_name not in holdout:
                raise ValueError(
                    f"`holdout_data` must be data on which `model.evaluate` measures "
                    f"`{self._bare_name}`, but it measures {sorted(holdout)}."
                )
            measured = [self._evaluated(model, part) for part in self._parts] if parts else []
            self._pool.give_back()
        values = [one.get(self._bare_name, math.nan) for one in measured]
        return TrialRepeated(
            trial=trial.trial_id,
            seed=seed,
            setup=self._setup,
            epochs=None if trial.best_step is None else int(trial.best_step) + 1,
            metrics=encoded(logs),
            holdout=encoded(holdout),
            parts=values if np.isfinite(values).all() else [],
        )

    def _evaluated(self, model: keras.Model, data: Any) -> dict[str, float]:
        given = data if isinstance(data, tuple) else (data,)
        names = ("x", "y", "sample_weight")
        found = model.evaluate(**dict(zip(names, given, strict=False)), verbose=0, return_dict=True)
        return {name: float(value) for name, value in found.items() if np.ndim(value) == 0}

    @property
    def _bare_name(self) -> str:
        """The objective as `model.evaluate` names it."""
        return str(self._objective.name).removeprefix("val_")

    def _setup_text(self) -> str:
        """Return what tells trainings with these data and arguments from others."""
        plain = {
            name: value
            for name, value in self._kwargs.items()
            if isinstance(value, (str, int, float, bool)) and name != "verbose"
        }
        validation = self._kwargs.get("validation_data")
        targets = [self._args[1] if len(self._args) > 1 else self._kwargs.get("y")]
        targets += [one[1] for one in (validation, self._holdout) if isinstance(one, tuple)]
        data = [(one.part, one.rows, one.sample) for one in self._seen]
        data += [("y", *_sampled(one)) for one in targets]
        told = [data, plain, str(self._epochs), self._tuner._model, len(self._parts)]
        text = json.dumps(told, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def note_data(self) -> None:
        """Record which data were used."""
        known = [(one.part, one.sample) for one in self._oracle.data_seen]
        for one in self._seen:
            if (one.part, one.sample) not in known:
                self._oracle.record(one)


def _check_objective(tuner: Any) -> None:
    objective = tuner.oracle.objective
    if tuner._local_oracle.goals is not None or len(names_of(objective)) != 1:
        raise ValueError(f"`confirm` needs a search with one objective, got {tuner.objectives}.")
    if getattr(tuner, "_cross_validation", None) is not None:
        raise ValueError(
            "`confirm` trains on all of `x` and compares on `validation_data`, but the scores of "
            "this search are means over the folds of `cross_validation`."
        )
    if not objective.name.startswith("val_"):
        raise ValueError(
            "`confirm` compares scores on validation data, but the objective is "
            f"{objective.name!r}; search with one whose name begins with `val_`."
        )


def _fresh_seed(base: int, number: int) -> int:
    """Return the seed of a number of all trials, so that they are compared in pairs."""
    stream = np.random.SeedSequence([base, number], spawn_key=(_STREAM,))
    return int(stream.generate_state(1)[0])


def _sampled(data: Any) -> tuple[int, list[str]]:
    """Return how many rows data in memory have, and hashes of some of them."""
    found = None if data is None else sampled_hashes(data, SAMPLE)
    return (0, []) if found is None else (found[1], texts(found[0]))


def _parts(validation: Any) -> list[Any]:
    """Return equal parts of validation data in memory, none if they cannot be split."""
    if not isinstance(validation, tuple) or len(validation) < 2:
        return []
    try:
        rows = {len(part) for one in validation[:3] if one is not None for part in parts_of(one)}
    except (TypeError, ValueError):
        return []
    if len(rows) != 1 or min(rows) < 2 * _PARTS or not all(map(_is_array, validation[:3])):
        return []
    return [tuple(one[k::_PARTS] for one in validation[:3]) for k in range(_PARTS)]


def _is_array(data: Any) -> bool:
    return isinstance(data, np.ndarray)
