"""The types of NumPy arrays that the package uses, defined once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: An array of any type of element.
Array = NDArray[Any]
#: Losses, weights, and coordinates on the unit cube.
FloatArray = NDArray[np.float64]
#: Counts, epochs, class labels, and indices into other arrays.
IntArray = NDArray[np.int64]
#: An array of truth values.
BoolArray = NDArray[np.bool_]
#: A `BoolArray` that selects elements of another array.
Mask = BoolArray
