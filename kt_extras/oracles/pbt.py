"""Population based training, as a KerasTuner oracle and as a tuner."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import keras_tuner
from keras_tuner.engine.trial import Trial

from kt_extras.arguments import check_integer
from kt_extras.oracles.arguments import names_in, sampler_of, split
from kt_extras.oracles.kept_models import Epochs, trial_to_refit
from kt_extras.oracles.lineage import HyperparameterSchedule, lineage_rows, schedule_of
from kt_extras.oracles.objective import ObjectiveLike
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.oracles.tuner import Tuner
from kt_extras.scheduling import Population
from kt_extras.search import Sampler
from kt_extras.training.callbacks import callbacks_for
from kt_extras.training.continued_model import ContinuedModel
from kt_extras.training.replay import Target
from kt_extras.training.shape_changes import changes_shapes


class PBTOracle(SamplerOracle):
    """Trains a population whose worse members take over from its better ones.

    Args:
        objective: As for `kt_extras.SamplerOracle`, and so are all that are not named here.
        population_size: Members, from 2.
        max_epochs: That every member trains, from 2.
        interval: Epochs from one comparison to the next, below `max_epochs`; by default a twentieth
            of that.
        quantile: The part of the members that counts as the best, and as the worst, in (0, 0.5].
        resample_probability: How often a hyperparameter is drawn anew rather than perturbed.
        perturbation_factors: What a value may be multiplied by.
        mutable: Names of the hyperparameters that may change during a training; None for all.
        seed: Any integer from 0, or None for a random one.
        hyperparameters: A `keras_tuner.HyperParameters` that declares (part of) the space.
        sampler: What the population begins with: a `kt_extras.samplers.Sampler`, or a name.
        **kwargs: The other arguments of `kt_extras.SamplerOracle`.

    >>> import keras_tuner
    >>> loss = keras_tuner.Objective("loss", "min")
    >>> PBTOracle(loss, population_size=4, max_epochs=60, seed=0).scheduler.interval
    3
    """

    def __init__(
        self,
        objective: ObjectiveLike = None,
        population_size: int = 8,
        max_epochs: int = 20,
        interval: int | None = None,
        quantile: float = 0.25,
        resample_probability: float = 0.25,
        perturbation_factors: tuple[float, float] = (0.8, 1.2),
        mutable: Sequence[str] | None = None,
        seed: int | None = None,
        hyperparameters: keras_tuner.HyperParameters | None = None,
        *,
        sampler: Sampler | str = "random",
        **kwargs: Any,
    ) -> None:
        for name in ("max_trials", "pruner"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"`{name}` must be left out, got {kwargs[name]!r}: a population begins with "
                    "`population_size` members, and all of them train to the end."
                )
        check_integer("max_epochs", max_epochs, least=2)
        scheduler = Population(
            population_size,
            max_epochs,
            max(1, max_epochs // 20) if interval is None else interval,
            quantile,
            resample_probability,
            perturbation_factors,
            names_in("mutable", mutable),
        )
        super().__init__(
            sampler_of(sampler),
            objective=objective,
            hyperparameters=hyperparameters,
            seed=seed,
            scheduler=scheduler,
            **kwargs,
        )

    def limit_to(self, mutable: Sequence[str]) -> None:
        """Let no other hyperparameters than these change during a training."""
        self.scheduler = dataclasses.replace(self._population, mutable=tuple(mutable))

    @property
    def _population(self) -> Population:
        scheduler = self.scheduler
        if not isinstance(scheduler, Population):
            raise TypeError(f"`scheduler` must be a `Population`, got {scheduler!r}.")
        return scheduler


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
        self._continued = ContinuedModel()
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
        replay = self.schedule(self._local_oracle.entry(chosen.trial_id).number)

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
        return lineage_rows(self._local_oracle.entries())

    def schedule(self, member: int | None = None) -> HyperparameterSchedule:
        """Return the hyperparameters over the epochs that led to a member.

        Args:
            member: Its number; by default the best one.

        Raises:
            RuntimeError: No member has a score yet.
        """
        return schedule_of(self._local_oracle, member, self.mutable)
