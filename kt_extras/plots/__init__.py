"""Pictures of a search, drawn with Matplotlib (extra `plots`), and the numbers behind them.

Each function takes a search (a tuner or an oracle of kt_extras, a `kt_extras.Study`, or what
`kt_extras.load` returns) and draws on the axes that it gets, or on those of a new figure:

    import kt_extras as kte

    ax = kte.plots.history(tuner)
    ax.figure.savefig("history.png")

The function of the same name in `kt_extras.plots.data` returns what is drawn as columns for a data
frame, without Matplotlib.
"""

from kt_extras.plots import data
from kt_extras.plots.hyperparameter_pictures import (
    contour,
    importance,
    slice,
)
from kt_extras.plots.parallel_axes import parallel_coordinates
from kt_extras.plots.population_pictures import lineage, schedule
from kt_extras.plots.score_pictures import (
    empirical_distribution,
    history,
    hypervolume,
    pareto_front,
)
from kt_extras.plots.training_pictures import curves, rungs, timeline

__all__ = [
    "contour",
    "curves",
    "data",
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
    "timeline",
]
