"""Check that outputs are what `from_logits` says: logits or probabilities."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from kt_extras.calibration.sample import SUM_TOLERANCE


def check_outputs(outputs: NDArray[Any], *, from_logits: bool, multi_label: bool) -> None:
    """Raise for NaN, probabilities taken for logits and the reverse.

    Single logits may all lie in [0, 1], as those of a weak model do: then there is a warning.

    Args:
        outputs: Shape ``(n, k)``.
        from_logits: Whether they should be logits.
        multi_label: Whether the columns are labels that do not exclude each other.

    Raises:
        ValueError: The outputs are not what the arguments say.

    >>> check_outputs(np.array([[0.2], [1.3]]), from_logits=False, multi_label=False)
    Traceback (most recent call last):
    ...
    ValueError: `outputs` must lie in [0, 1] unless `from_logits=True`, ... from 0.2 to 1.3.
    """
    if outputs.ndim != 2 or outputs.size == 0:
        raise ValueError(
            f"`outputs` must have shape (n, k) and at least one row, got {outputs.shape}."
        )
    bad = int(np.sum(~np.isfinite(outputs)))
    if bad:
        raise ValueError(
            f"`outputs` must be finite, got {bad} NaN or infinite values among {outputs.size}; "
            "look for a diverged model or missing values in its inputs."
        )
    low, high = float(outputs.min()), float(outputs.max())
    exclusive = outputs.shape[1] > 1 and not multi_label
    inside = low >= 0 and high <= 1
    sums = not exclusive or bool(
        np.abs(outputs.sum(axis=1, dtype=np.float64) - 1).max() < SUM_TOLERANCE
    )
    if from_logits and inside and sums:
        if exclusive:
            raise ValueError(
                "`from_logits` is true, but all outputs are probabilities; leave it out."
            )
        warnings.warn(
            "`from_logits` is true, and all outputs lie in [0, 1]; leave it out if the model ends "
            "with a sigmoid.",
            stacklevel=2,
        )
    if not from_logits and not (inside and sums):
        rule = "lie in [0, 1] and sum to 1 in each row" if exclusive else "lie in [0, 1]"
        hint = "; pass `multi_label=True` if the columns are labels that do not exclude each other"
        raise ValueError(
            f"`outputs` must {rule} unless `from_logits=True`, got values from {low:g} to {high:g}"
            f"{hint if exclusive and inside else ''}."
        )


def probabilities_of(
    outputs: NDArray[Any], *, from_logits: bool = False, multi_label: bool = False
) -> NDArray[np.floating[Any]]:
    """Return probabilities, shape ``(n, k)``; arguments and errors as of `check_outputs`.

    >>> probabilities_of(np.array([[0.0], [-2.0]]), from_logits=True).round(3).tolist()
    [[0.5], [0.11900000274181366]]
    """
    check_outputs(outputs, from_logits=from_logits, multi_label=multi_label)
    if not from_logits:
        return outputs
    logits = outputs.astype(np.float32)
    exclusive = outputs.shape[1] > 1 and not multi_label
    return softmax(logits, axis=1) if exclusive else expit(logits)
