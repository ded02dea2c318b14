"""The compiled models of a search, kept for later trials."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from typing import Any

import keras

from kt_extras import compat
from kt_extras.model_reuse.live_model import LiveModel, all_numbers
from kt_extras.model_reuse.user_references import refers_to

Build = Callable[[Any], keras.Model]

#: The bytes of variables, those of optimizers among them, that all kept models may have together.
LIMIT = 2**30

_DROPPED = 16  # models, after which the garbage is collected
_DROPPED_BYTES = 2**26


class ModelPool:
    """Keeps the models that were trained last, and gives them to trials that differ in numbers.

    Tracing a model takes much longer than building it.  So the model of a trial is built, for its
    initial weights, and compared with the kept ones.  If it differs from one of them in numbers
    alone, that one takes its variables and numbers and is trained in its place.  What a trial
    returns is what the new model would have returned.

    Args:
        size: How many models are kept; the one whose last use is longest ago is dropped first.

    Attributes:
        reused: How many times a kept model was trained again.
        reasons: How many times a model was trained that was built anew, by the reason.

    >>> class Values:
    ...     def __init__(self, rate):
    ...         self.values = {"rate": rate}
    >>> def build(hp):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(hp.values["rate"]), "mse")
    ...     return model
    >>> import numpy as np
    >>> x, y = np.ones((4, 2)), np.ones((4, 1))
    >>> pool = ModelPool(4)
    >>> model = pool.model_for(Values(0.5), build)
    >>> _ = model.fit(x, y, verbose=0)
    >>> pool.give_back()
    >>> pool.model_for(Values(0.25), build) is model
    True
    >>> pool.reused
    1
    """

    def __init__(self, size: int) -> None:
        self.size, self.reused = size, 0
        self.reasons: Counter[str] = Counter()
        self._kept: list[LiveModel] = []  # the one that was used last is the last
        self._lent: list[LiveModel] = []
        self._new: list[LiveModel] = []  # those of them that were not trained since
        self._refused: dict[Any, str] = {}
        self._dropped = self._dropped_bytes = 0
        self._cached = 0  # dropped models that have left something in caches

    def model_for(
        self,
        hp: Any,
        build: Build,
        *,
        hypermodel: Any = None,
        resumes: bool = False,
        takes_same_data: bool = True,
    ) -> keras.Model:
        """Return a model with these hyperparameters that is to be trained.

        Args:
            hp: The hyperparameters.
            build: Builds a model.
            hypermodel: What builds it for the user; models that it refers to are not exchanged.
                Defaults to None.
            resumes: Whether the full state of the model will be restored.  Defaults to False.
            takes_same_data: Whether all models are trained on the same data, which a model
                that has no variables before it sees data depends on.  Defaults to True.
        """
        if resumes and (known := self._of_known_numbers(hp)) is not None:
            return self._lend(known, again=True).model
        fresh = build(hp)
        reason = self._reason_against(fresh, hypermodel, takes_same_data)
        if reason is not None:
            self.reasons[reason] += 1
            return fresh
        # A comparison would seed the generators of Keras 2 too early.
        comparable = resumes or not compat.seeds_late(fresh)
        for live in self._kept[::-1] if comparable else []:
            if _kind(live.model) == _kind(fresh) and self._takes_over(live, fresh, hp, resumes):
                return self._lend(live, again=True).model
        if (refusal := self._refused.get(_kind(fresh))) is not None:
            self.reasons[refusal] += 1
            return fresh
        self.reasons["no kept model has its architecture"] += 1
        return self._lend(LiveModel(fresh, hp.values), again=False).model

    def begins(self, model: keras.Model) -> None:
        """Note that the first batch of a model comes next.

        It is traced anew if callbacks, or a `fit` of one's own, have changed it before.
        """
        for live in self._lent:
            if live.model is model and live in self._new:
                self._new.remove(live)
                live.trace_if_changed()

    def forget_counts(self) -> None:
        """Count from 0 again."""
        self.reused = 0
        self.reasons.clear()

    def give_back(self, *, intact: bool = True) -> None:
        """Keep the models that were lent, or drop them if their training failed."""
        lent, self._lent, self._new = self._lent, [], []
        for live in lent:
            if intact and live.model.built:
                live.trained()
                self._kept.append(live)
            else:
                self._drop(live)
        while len(self._kept) > self.size or sum(live.size for live in self._kept) > LIMIT:
            self._drop(self._kept.pop(0))

    def collect(self) -> bool:
        """Free the memory of what was dropped, once it is worth the time.

        Returns:
            Whether Keras' and TensorFlow's caches are worth to be cleared too.  Kept models then
            fill theirs again, which takes a quarter of the time of a trace.
        """
        if self._dropped < _DROPPED and self._dropped_bytes < _DROPPED_BYTES:
            return False
        gc.collect()
        self._dropped = self._dropped_bytes = 0
        if self._cached < _DROPPED:
            return False
        self._cached = 0
        return True

    def clear(self) -> None:
        """Drop all models."""
        self.give_back(intact=False)
        while self._kept:
            self._drop(self._kept.pop())

    def _lend(self, live: LiveModel, *, again: bool) -> LiveModel:
        if again:
            self._kept.remove(live)
            self.reused += 1
        self._lent.append(live)
        self._new.append(live)
        return live

    def _of_known_numbers(self, hp: Any) -> LiveModel | None:
        """Return a kept model that takes hyperparameters without a build, set to them."""
        for live in self._kept[::-1]:
            numbers = live.sources.numbers(hp.values)
            if numbers is not None and self._refusal(live) is None:
                live.set(numbers)
                return live
        return None

    def _reason_against(self, fresh: keras.Model, hypermodel: Any, same_data: bool) -> str | None:
        if getattr(fresh, "optimizer", None) is None:
            return "it has no optimizer"
        if refers_to(hypermodel, fresh):
            return "the hypermodel refers to it"
        if not fresh.built and not same_data:
            return "it has no input shape before a `fit` of one's own"
        return None

    def _takes_over(self, live: LiveModel, fresh: keras.Model, hp: Any, resumes: bool) -> bool:
        """Let a kept model go on as a new one; return False if it must not."""
        numbers = live.differing(fresh)
        if numbers is None or self._refusal(live) is not None:
            return False
        if not resumes and not live.take_state(fresh):
            return False
        live.set(numbers)
        live.sources.record(hp.values, all_numbers(fresh))
        self._note_dropped(fresh)
        return True

    def _refusal(self, live: LiveModel) -> str | None:
        """Return why a kept model must not be used again, and drop it, or None."""
        refusal = live.refusal()
        if refusal is not None:
            self._refused[_kind(live.model)] = refusal
            self._kept.remove(live)
            self._drop(live)
        return refusal

    def _drop(self, live: LiveModel) -> None:
        live.release()
        self._note_dropped(live.model)
        self._cached += 1
        self._dropped_bytes += 8 * live.size  # what was traced is larger than the variables

    def _note_dropped(self, model: keras.Model) -> None:
        self._dropped += 1
        self._cached += not compat.KERAS_3  # which keeps all layers in a graph of its own
        self._dropped_bytes += 4 * model.count_params() if model.built else 0


class FirstBatch(keras.callbacks.Callback):
    """Tells a pool that the first batch of a model comes next; behind what may change the model.

    Args:
        pool: The pool.
    """

    def __init__(self, pool: ModelPool) -> None:
        super().__init__()
        self._pool = pool

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Note that a batch comes next."""
        self._pool.begins(self.model)


def _kind(model: keras.Model) -> tuple[type, ...]:
    """Return what two models must have in common to be compared at all."""
    layers = compat.all_layers(model, include_model=True)
    own = [layer for layer in layers if not isinstance(layer, keras.layers.InputLayer)]
    return type(model.optimizer), *map(type, own)
