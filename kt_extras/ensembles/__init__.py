"""Several trained models as one: averages of what they put out, and averages of their weights.

`Tuner.ensemble` and `Tuner.soup` make them of the trials of a search; here are their parts, for
models that were trained in any other way.
"""

from kt_extras.ensembles.averaged import ModelAverage, average_models
from kt_extras.ensembles.selection import convex_weights, greedy_selection

__all__ = [
    "ModelAverage",
    "average_models",
    "convex_weights",
    "greedy_selection",
]
