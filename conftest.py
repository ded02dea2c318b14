"""Leaves out of the tests what needs Keras 3."""

from importlib.metadata import version

KERAS_3_ONLY = ["kt_extras/stacking", "tests/stacking"]

collect_ignore = [] if version("keras").startswith("3.") else KERAS_3_ONLY
