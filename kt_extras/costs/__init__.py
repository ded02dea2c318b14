"""What a model costs: its parameters, the operations of a prediction, its time, its size on disk.

They are for constraints on the built model, and for objectives beside the metrics:

>>> import kt_extras as kte
>>> small = lambda hp, model: kte.costs.flops(model) < 1e7  # `constraint=small` of a tuner

Each takes a model that is built: one that begins with a `keras.Input`, or that was called once.
"""

from kt_extras.costs.measures import flops, latency, model_size, parameters
from kt_extras.costs.meter import COSTS, CostMeter

__all__ = ["COSTS", "CostMeter", "flops", "latency", "model_size", "parameters"]
