"""Finds the KerasTuner tuner that is running, and its trial.

KerasTuner tells neither `build(hp)` nor a callback which tuner and which trial it belongs to, so
they are looked up in the calls that have not returned yet.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, NamedTuple

_PACKAGES = ("keras_tuner", "kt_extras")


class RunningTuner(NamedTuple):
    """A tuner, and what it is doing.

    Args:
        tuner: The tuner.
        trial_id: The trial that it runs; None if it runs none.
        execution: The number of the trial's execution, from 0; None if it is not known.
    """

    tuner: Any
    trial_id: str | None
    execution: int | None

    @property
    def fits_plainly(self) -> bool:
        """Whether `model.fit` gets the arguments of `search` as they are.

        That is so unless the `HyperModel` has a `fit` of its own, or the tuner a `run_trial` of the
        user's.
        """
        keras_tuner = sys.modules["keras_tuner"]
        hypermodel = self.tuner.hypermodel
        fit = getattr(hypermodel.fit, "__func__", None)
        runs = type(self.tuner).run_trial.__module__
        # A `TrainingSpace` has a `fit` of its own, and says itself what that changes.
        plain = getattr(hypermodel, "fits_plainly", fit is keras_tuner.HyperModel.fit)
        return plain and runs.partition(".")[0] in _PACKAGES


def running_tuner() -> RunningTuner | None:
    """Return the innermost tuner that is running, None outside of one.

    >>> running_tuner() is None
    True
    """
    tuner, trial_id, execution = None, None, None
    kind = getattr(sys.modules.get("keras_tuner"), "Tuner", ())
    frame = inspect.currentframe()
    while frame is not None:
        names = frame.f_locals
        found = names.get("self")
        if isinstance(found, kind) and getattr(found, "hypermodel", None) is not None:
            tuner = found if tuner is None else tuner
            if found is tuner and frame.f_code.co_name == "run_trial":
                trial_id = trial_id or getattr(names.get("trial"), "trial_id", None)
                execution = names.get("execution") if execution is None else execution
        frame = frame.f_back
    return None if tuner is None else RunningTuner(tuner, trial_id, execution)


def check_fit_is_overridden(part: str, instead: str) -> None:
    """Raise if a part of the search space that acts in `fit` only is declared where it cannot act.

    Args:
        part: What declares hyperparameters, as the user has called it.
        instead: What a `fit` of the user's own has to return.

    Raises:
        ValueError: A tuner builds a model, and neither the `HyperModel` nor the tuner has a way of
            its own to train it.

    >>> check_fit_is_overridden("Resampler(hp)", "Resampler(hp).fit(model, *args, **kwargs)")
    """
    running = running_tuner()
    if running is not None and running.fits_plainly:
        raise ValueError(
            f"`{part}` acts on the arguments of `fit`, and would do nothing here, as this search "
            "calls `model.fit` with the arguments of `search` as they are; pass a "
            "`keras_tuner.HyperModel` whose `fit(self, hp, model, *args, **kwargs)` returns "
            f"`{instead}`."
        )
