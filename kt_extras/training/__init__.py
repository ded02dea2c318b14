"""The callbacks and settings around one call of `fit`."""
