"""The mathematics of stopping hopeless trials early, in NumPy alone."""

from kt_extras.pruning.pruner import Pruner

__all__ = ["Pruner"]
