"""The tuner of population based training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras_tuner.engine.trial import Trial

from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.model_reuse.replay import Target
from kt_extras.model_reuse.reused_model import ReusedModel
from kt_extras.model_reuse.shape_changes import changes_shapes
from kt_extras.oracles.arguments import names_in, split
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.pbt import PBTOracle
from kt_extras.records.tables import lineage_rows
from kt_extras.training.callbacks import callbacks_for
from kt_extras.tuners.hyperparameter_schedule import HyperparameterSchedule, schedule_of
from kt_extras.tuners.trained_models import Epochs, trial_to_refit
from kt_extras.tuners.tuner import Tuner


class PBT(Tuner):
    """Finds a schedule of hyperparameters in one training of a population.

    After every `interval` epochs a member that is among the worst takes over weights, optimizer and
    hyperparameters of one among the best, and goes on with slightly other values (Jaderberg et al.,
    arXiv 1711.09846).  `search` takes no `epochs`: `max_epochs` says how long each member trains.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_loss"`), or a
            `keras_tuner.Objective`.
        population_size: Members, from 2.
        max_epochs: That every member trains.
        mutable: Names of the hyperparameters that may change during a training.  None: those that
            leave the shape of every variable as it is, found by building models.
        **kwargs: The other arguments of `kt_extras.PBTOracle` (`interval`, `quantile`,
            `resample_probability`, `perturbation_factors`, `seed`, ...), of `kt_extras.Tuner` and
            of `keras_tuner.Tuner`.

    Raises:
        TypeError: `mutable` is no list of names.
        ValueError: A hyperparameter in `mutable` is not known, or changes the shape of a variable.

    >>> import keras, tempfile, kt_extras as kte
    >>> def build(hp):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
    ...     model.compile(keras.optimizers.SGD(rate), "mse")
    ...     return model
    >>> tuner = kte.PBT(build, "val_loss", population_size=4, max_epochs=8, interval=2, seed=0,
    ...                 directory=tempfile.mkdtemp())
    >>> tuner.mutable
    ('rate',)
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: ObjectiveLike = None,
        population_size: int = 8,
        max_epochs: int = 20,
        *,
        mutable: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        names = names_in("mutable", mutable)
        own, others = split(kwargs, PBTOracle, SamplerOracle)
        oracle = PBTOracle(objective, population_size, max_epochs, **own)
        super().__init__(oracle, hypermodel, **others)
        self._continued = ReusedModel()
        self.mutable = self._settle_mutable(names)
        oracle.limit_to(self.mutable)

    def _settle_mutable(self, given: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return what may change during a training, and refuse what may not.

        A name stands for all hyperparameters that have it, in sibling scopes too.
        """
        declared = self._local_oracle.hyperparameters.space
        names = tuple(dict.fromkeys(one.name for one in declared))
        if self.hypermodel is None:
            return names if given is None else given
        if unknown := sorted(set(given or ()) - set(names)):
            raise ValueError(
                f"`mutable` must name hyperparameters of the model, got {unknown}; there are "
                f"{sorted(names)}."
            )
        hp, build = self._local_oracle.get_space(), self.hypermodel.build
        asked = names if given is None else given
        shaping = [name for name in asked if changes_shapes(build, hp, name)]
        if given is not None and shaping:
            raise ValueError(
                f"`mutable` must not name what changes the shape of a variable, got {shaping}: "
                "the weights of another member would not fit.  Leave these out; each member keeps "
                "its own value of them until it takes over another's whole model."
            )
        return tuple(name for name in asked if name not in shaping)

    def refit(
        self,
        *fit_args: Any,
        trial: Trial | None = None,
        epochs: Epochs = "best",
        callbacks: Any = None,
        targets: Mapping[str, Target] | None = None,
        **fit_kwargs: Any,
    ) -> keras.Model:
        """Train a model with the schedule that led to the best member, or to another one.

        Args:
            *fit_args: As for `kt_extras.Tuner.refit`, and so are the others not named here.
            trial: One with a score; by default the best.
            epochs: By default the trial's best epoch, counted from 1.
            callbacks: As for `search`.
            targets: As for `HyperparameterSchedule.callbacks`.
            **fit_kwargs: As for `search`.
        """
        chosen = trial_to_refit(self, trial)
        replay = self.schedule(self._local_oracle.trial_record(chosen.trial_id).number)

        def with_replay(_: Any, trial: Trial) -> list[keras.callbacks.Callback]:
            return [*callbacks_for(callbacks, trial), *replay.callbacks(targets)]

        fit_kwargs["callbacks"] = with_replay
        return super().refit(*fit_args, trial=chosen, epochs=epochs, **fit_kwargs)

    def lineage(self) -> list[dict[str, Any]]:
        """Return who took over from whom, ready for `pandas.DataFrame`.

        Returns:
            One row a takeover, in the order of epochs: the `epoch` (the number of epochs that both
            had trained), the numbers of the `member` and of its `parent`, and what the member's
            hyperparameters were and are: `before` and `after`.
        """
        return lineage_rows(self._local_oracle.trial_records())

    def schedule(self, member: int | None = None) -> HyperparameterSchedule:
        """Return the hyperparameters over the epochs that led to a member.

        Args:
            member: Its number; by default the best one.

        Raises:
            RuntimeError: No member has a score yet.
        """
        return schedule_of(self._local_oracle, member, self.mutable)
