"""Test classes to inherit from, for your own samplers, pruners, schedulers, stores and oracles.

>>> from kt_extras.samplers.random import Random
>>> from kt_extras.testing import SamplerContract
>>> class TestRandom(SamplerContract):
...     def make(self):
...         return Random()

A name is imported when it is first used, so only the contract of oracles needs TensorFlow and
KerasTuner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same names for editors and type checkers
    from kt_extras.testing.oracles import OracleContract as OracleContract
    from kt_extras.testing.pruners import PrunerContract as PrunerContract
    from kt_extras.testing.samplers import SamplerContract as SamplerContract
    from kt_extras.testing.schedulers import SchedulerContract as SchedulerContract
    from kt_extras.testing.stores import StoreContract as StoreContract

_MODULES = {
    "OracleContract": "kt_extras.testing.oracles",
    "PrunerContract": "kt_extras.testing.pruners",
    "SamplerContract": "kt_extras.testing.samplers",
    "SchedulerContract": "kt_extras.testing.schedulers",
    "StoreContract": "kt_extras.testing.stores",
}

__all__ = [
    "OracleContract",
    "PrunerContract",
    "SamplerContract",
    "SchedulerContract",
    "StoreContract",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
