"""Search spaces, histories of trials and the protocol of samplers, in NumPy alone."""

from kt_extras.search.dimensions import (
    Boolean,
    Choice,
    Condition,
    Dimension,
    Fixed,
    Float,
    Int,
    Point,
)
from kt_extras.search.history import Curve, Curves, History, Observation, State
from kt_extras.search.priors import Likely
from kt_extras.search.sampler import Forecaster, Sampler, SpaceExhausted, trial_rng
from kt_extras.search.space import Space, point_key

__all__ = [
    "Boolean",
    "Choice",
    "Condition",
    "Curve",
    "Curves",
    "Dimension",
    "Fixed",
    "Float",
    "Forecaster",
    "History",
    "Int",
    "Likely",
    "Observation",
    "Point",
    "Sampler",
    "Space",
    "SpaceExhausted",
    "State",
    "point_key",
    "trial_rng",
]
