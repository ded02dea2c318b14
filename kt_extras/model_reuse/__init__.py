"""Reuse a compiled model with other hyperparameters."""
