"""A hypermodel that is trained with a correction of the imbalance of its classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import keras_tuner

from kt_extras import compat
from kt_extras.hypermodels import TrainingSpace
from kt_extras.imbalance.treatment import Treatment, space


class Corrected(TrainingSpace):
    """Puts corrections of an imbalance in the search space of a model, and trains with them.

    `kt_extras.imbalance.space` says which there are.  The model is compiled with the loss of the
    correction in place of its own, and trained with its class weights or its resampled rows;
    validation data stay as they are.  Resampling needs arrays.

    Args:
        build: A function that takes a `keras_tuner.HyperParameters` and returns a compiled model,
            or a `keras_tuner.HyperModel` without a `fit` of its own.
        y: The labels of the training data, which are counted; or a data set of ``(x, y)``.
        outputs: As for `space`.  Defaults to None.
        from_logits: As for `space`.  Defaults to False.
        methods: As for `space`.  Defaults to None.
        seed: As for `space`.  Defaults to 0.
        prefix: As for `space`.  Defaults to `""`.
        **training: `batch_size`, `epochs`, `preprocessing`, `callbacks`, `sample_weight` and
            `shuffle`, as for `kt_extras.TrainingSpace`.

    Raises:
        TypeError: There is no such argument, or `build` builds no models.
        ValueError: As for `space`.

    >>> import kt_extras as kte, numpy as np
    >>> def build(hp):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    ...     model.compile("sgd", "binary_crossentropy")
    ...     return model
    >>> y = np.array([0] * 9 + [1])
    >>> corrected = Corrected(build, y, methods=["random_over"], batch_size=kte.Choice([2, 5]))
    >>> hp = kte.HyperParameters()
    >>> hp.Fixed("correction", "weights")
    'weights'
    >>> type(corrected.build(hp).loss).__name__
    'BinaryCrossentropy'
    >>> round(corrected.fit_arguments(hp, (np.ones((10, 2)), y), {})["class_weight"][1], 2)
    5.0
    """

    def __init__(
        self,
        build: Callable[[keras_tuner.HyperParameters], keras.Model] | keras_tuner.HyperModel,
        y: Any,
        *,
        outputs: int | None = None,
        from_logits: bool = False,
        methods: Sequence[str] | None = None,
        seed: int = 0,
        prefix: str = "",
        **training: Any,
    ) -> None:
        if taken := sorted({"data", "class_weight"} & set(training)):
            raise TypeError(
                f"{taken} is set by the correction, so `Corrected` does not take it: use "
                "`kt_extras.TrainingSpace` with corrections of your own."
            )
        settings: dict[str, Any] = {
            "outputs": outputs,
            "from_logits": from_logits,
            "methods": methods,
        }
        self._space: dict[str, Any] = {**settings, "seed": seed, "prefix": prefix}
        self._labels = y
        super().__init__(
            build,
            data=None if hasattr(y, "element_spec") else self._resampled,
            class_weight=self._class_weight,
            **training,
        )

    def treatment(self, hp: Any) -> Treatment:
        """Return what a trial does about the imbalance.

        Args:
            hp: The hyperparameters of the trial.
        """
        return space(hp, self._labels, **self._space)

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build the model, and compile it with the loss of the correction."""
        model = super().build(hp)
        arguments = compat.compile_arguments(model)
        model.compile(**{**arguments, "loss": self.treatment(hp).loss})
        return model

    def _resampled(self, hp: Any, x: Any, y: Any) -> tuple[Any, Any]:
        return self.treatment(hp).resample(x, y)

    def _class_weight(self, hp: Any) -> dict[int, float] | None:
        return self.treatment(hp).class_weight
