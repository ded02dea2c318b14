"""Training by whole epochs, and the callbacks and settings around one call of `fit`."""

from kt_extras.training.fit import fit

__all__ = ["fit"]
