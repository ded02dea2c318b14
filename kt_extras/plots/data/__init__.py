"""What each picture of `kt_extras.plots` shows, as columns for a data frame.

Each function has the name and the arguments of its picture, and returns a dictionary of lists of
one length: `pandas.DataFrame(kte.plots.data.history(tuner))`.  A value that there is not is None.
The pictures are drawn from these columns.  Nothing here needs Matplotlib.
"""

from kt_extras.plots.data.columns import Columns
from kt_extras.plots.data.hyperparameters import (
    contour,
    importance,
    parallel_coordinates,
    slice,
    surface,
)
from kt_extras.plots.data.populations import lineage, schedule
from kt_extras.plots.data.scores import (
    empirical_distribution,
    history,
    hypervolume,
    pareto_front,
)
from kt_extras.plots.data.training import curves, rungs, timeline

__all__ = [
    "Columns",
    "contour",
    "curves",
    "empirical_distribution",
    "history",
    "hypervolume",
    "importance",
    "lineage",
    "parallel_coordinates",
    "pareto_front",
    "rungs",
    "schedule",
    "slice",
    "surface",
    "timeline",
]
