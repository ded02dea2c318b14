"""The tuner of BOHB: Hyperband with a model (Falkner et al., ICML 2018)."""

from __future__ import annotations

from typing import Any

from kt_extras.bridge.objective import ObjectiveLike
from kt_extras.oracles.arguments import split
from kt_extras.oracles.bohb import BOHBOracle
from kt_extras.oracles.oracle import SamplerOracle
from kt_extras.tuners.tuner import Tuner


class BOHB(Tuner):
    """Runs brackets that begin with many short trials and end with a few long ones.

    `search` takes no `epochs`: `max_epochs` says how long the best trials are trained.  `plan()`
    shows beforehand what will be trained.

    Args:
        hypermodel: A `keras_tuner.HyperModel`, or a function that takes a
            `keras_tuner.HyperParameters` and returns a compiled model.
        objective: A metric's name as it stands in the logs (`"val_accuracy"`), or a
            `keras_tuner.Objective`.
        max_epochs: Epochs of a trial that reaches the last rung of its bracket.
        **kwargs: The other arguments of `kt_extras.BOHBOracle` (`reduction_factor`, `iterations`,
            `sampler`, `seed`, ...), of `kt_extras.Tuner` and of `keras_tuner.Tuner`.

    >>> import keras, tempfile, kt_extras as kte
    >>> def build(hp):
    ...     units = hp.Int("units", 4, 64, sampling="log")
    ...     model = keras.Sequential([keras.layers.Dense(units), keras.layers.Dense(1)])
    ...     model.compile("adam", "mse")
    ...     return model
    >>> tuner = kte.BOHB(build, "val_loss", max_epochs=4, reduction_factor=2, seed=0,
    ...                  directory=tempfile.mkdtemp())
    >>> rows = tuner.plan()
    bracket  epochs  trials  new_epochs
          0       1       4           4
          0       2       2           2
          0       4       1           2
          1       2       3           6
          1       4       1           2
          2       4       3          12
    10 trials, 28 epochs in all
    """

    def __init__(
        self,
        hypermodel: Any = None,
        objective: ObjectiveLike = None,
        max_epochs: int = 27,
        **kwargs: Any,
    ) -> None:
        own, others = split(kwargs, BOHBOracle, SamplerOracle)
        super().__init__(BOHBOracle(objective, max_epochs, **own), hypermodel, **others)
