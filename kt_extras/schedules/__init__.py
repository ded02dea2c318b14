"""Learning-rate schedules that Keras lacks, and the choice among them as hyperparameters."""

from kt_extras.schedules.chain import Chain
from kt_extras.schedules.composed import cosine_restarts, step_decay
from kt_extras.schedules.cyclical import Cyclical
from kt_extras.schedules.inverse_square_root import InverseSquareRoot
from kt_extras.schedules.one_cycle import OneCycle
from kt_extras.schedules.scaled import Scaled
from kt_extras.schedules.stable_decay import WarmUpStableDecay
from kt_extras.schedules.tunable import FAMILIES, tunable
from kt_extras.schedules.warm_up import WarmUp

__all__ = [
    "FAMILIES",
    "Chain",
    "Cyclical",
    "InverseSquareRoot",
    "OneCycle",
    "Scaled",
    "WarmUp",
    "WarmUpStableDecay",
    "cosine_restarts",
    "step_decay",
    "tunable",
]
