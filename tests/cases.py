"""Some cases of a law are tried at each change, all of them every night."""

import pytest


def some(cases, chosen):
    """Return all cases as parameters; those that were not chosen are exhaustive."""
    return [pytest.param(c, marks=[] if c in chosen else [pytest.mark.exhaustive]) for c in cases]
