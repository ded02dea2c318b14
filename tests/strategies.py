"""Hypothesis strategies for dimensions, spaces, points of the unit cube and curves."""

import math

import numpy as np
from hypothesis import strategies as st

from kt_extras.search import Choice, Condition, Curve, Curves, Float, Int, Space

samplings = st.sampled_from(["linear", "log", "reverse_log"])
units = st.floats(0, 1)
losses = st.one_of(st.floats(-10, 10), st.sampled_from([0.0, 1.0, math.inf]))
reports = st.lists(losses, min_size=1, max_size=6)


@st.composite
def floats(draw, name="x", conditions=()):
    sampling = draw(samplings)
    low = draw(st.floats(-1e3, 1e3) if sampling == "linear" else st.floats(1e-6, 1e3))
    high = low + draw(st.floats(0, 1e3))
    steps = st.floats(1e-1, 1e2) if sampling == "linear" else st.floats(1.1, 10)
    return Float(name, low, high, draw(st.none() | steps), sampling, conditions)


@st.composite
def ints(draw, name="x", conditions=()):
    sampling = draw(samplings)
    low = draw(st.integers(-1000 if sampling == "linear" else 1, 1000))
    high = low + draw(st.integers(0, 1000))
    steps = st.integers(1 if sampling == "linear" else 2, 50)
    return Int(name, low, high, draw(st.none() | steps), sampling, conditions)


@st.composite
def choices(draw, name="x", conditions=()):
    kinds = st.sampled_from([st.integers(-9, 9), st.text("abc", max_size=3), st.floats(-1, 1)])
    options = draw(st.lists(draw(kinds), min_size=1, max_size=5, unique=True))
    return Choice(name, tuple(options), draw(st.booleans()), conditions)


def dimensions(name="x", conditions=()):
    return st.one_of(f(name, conditions) for f in (floats, ints, choices))


@st.composite
def spaces(draw, dimensions=dimensions, max_size=6):
    """Spaces in which a dimension may depend on a choice that was declared before it."""
    declared = []
    for number in range(draw(st.integers(0, max_size))):
        parents = [d for d in declared if isinstance(d, Choice)]
        conditions = ()
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            values = draw(st.lists(st.sampled_from(parent.options), min_size=1, unique=True))
            conditions = (Condition(parent.name, tuple(values)),)
        declared.append(draw(dimensions(f"x{number}", conditions)))
    return Space(declared)


def small_dimensions(name="x", conditions=()):
    small_ints = st.integers(1, 3).map(lambda high: Int(name, 1, high, conditions=conditions))
    return choices(name, conditions) | small_ints


def finite_spaces(max_size=3):
    return spaces(small_dimensions, max_size)


@st.composite
def places(draw, space):
    return np.array(draw(st.lists(units, min_size=len(space), max_size=len(space))))


curve = reports.map(lambda values: Curve(np.array(values)))
rivals = st.lists(reports, min_size=1, max_size=8).map(Curves.of)
