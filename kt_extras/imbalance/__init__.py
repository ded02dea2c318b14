"""Imbalanced classes: statistics, weights, costs, resampling, balanced batches, mixing.

Nothing here needs a search; `Resampler`, `Mixer` and `space` put it into one.
"""

from kt_extras.class_arguments import checked_costs
from kt_extras.imbalance.balanced_batches import BalancedBatches
from kt_extras.imbalance.corrected import Corrected
from kt_extras.imbalance.costs import (
    cost_matrix,
    costs_of_weights,
    weights_of_costs,
)
from kt_extras.imbalance.datasets import with_weights
from kt_extras.imbalance.labels import ClassCounts, class_counts
from kt_extras.imbalance.mixing import Mixer, mixed
from kt_extras.imbalance.resampler import Resampler
from kt_extras.imbalance.resampling import resample
from kt_extras.imbalance.statistics import (
    ClassStatistics,
    class_statistics,
    effective_numbers,
    entropy,
    gini_coefficient,
    gini_index,
    imbalance_ratio,
)
from kt_extras.imbalance.treatment import Treatment, space
from kt_extras.imbalance.weights import class_weight_dict, class_weights, sample_weights

__all__ = [
    "BalancedBatches",
    "ClassCounts",
    "ClassStatistics",
    "Corrected",
    "Mixer",
    "Resampler",
    "Treatment",
    "checked_costs",
    "class_counts",
    "class_statistics",
    "class_weight_dict",
    "class_weights",
    "cost_matrix",
    "costs_of_weights",
    "effective_numbers",
    "entropy",
    "gini_coefficient",
    "gini_index",
    "imbalance_ratio",
    "mixed",
    "resample",
    "sample_weights",
    "space",
    "weights_of_costs",
    "with_weights",
]
