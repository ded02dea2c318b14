"""Losses that Keras lacks, most of them for imbalanced classes.

Whatever is computed from class scores is computed on logits, in log space and in single precision
or better; integer and one-hot labels are both taken wherever both make sense.
"""

from kt_extras.losses.asymmetric import AsymmetricLoss
from kt_extras.losses.expected_cost import ExpectedCostLoss
from kt_extras.losses.focal import SparseFocalCrossentropy
from kt_extras.losses.ldam import LDAM
from kt_extras.losses.logit_adjusted import BalancedSoftmax, LogitAdjustedCrossentropy
from kt_extras.losses.pinball import PinballLoss
from kt_extras.losses.poly import Poly1Crossentropy
from kt_extras.losses.smoothed import SparseSmoothedCrossentropy
from kt_extras.losses.soft_fbeta import SoftFBetaLoss
from kt_extras.losses.weighted import WeightedBinaryCrossentropy, WeightedCrossentropy

__all__ = [
    "LDAM",
    "AsymmetricLoss",
    "BalancedSoftmax",
    "ExpectedCostLoss",
    "LogitAdjustedCrossentropy",
    "PinballLoss",
    "Poly1Crossentropy",
    "SoftFBetaLoss",
    "SparseFocalCrossentropy",
    "SparseSmoothedCrossentropy",
    "WeightedBinaryCrossentropy",
    "WeightedCrossentropy",
]
