"""Using a compiled model for other hyperparameters."""
