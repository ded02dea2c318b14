"""Ray: found, started on this machine or joined, and ended."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kt_extras.parallel.settings import Settings, cores


def imported_ray() -> Any:
    """Return the module `ray`.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    # Ray's own default of later releases, about which it warns: GPUs stay visible without `GPU`.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise ModuleNotFoundError(
            "`workers` needs Ray, which is not installed; run `pip install 'kt_extras[ray]'`.",
            name="ray",
        ) from error
    return ray


@contextmanager
def running_ray(settings: Settings, *, shows_output: bool) -> Iterator[Any]:
    """Start Ray on this machine, or join a cluster; leave it as it was found at the end.

    Args:
        settings: Where, and how much of it is needed.
        shows_output: Whether what workers print is shown here.

    Yields:
        The module `ray`.

    Raises:
        ConnectionError: There is no cluster at the address.
    """
    ray = imported_ray()
    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {
        "logging_level": logging.ERROR,
        "log_to_driver": shows_output,
        "include_dashboard": False,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray, about its own settings
        if settings.address is None:
            needed = settings.workers * settings.resources["CPU"]
            ray.init(address="local", num_cpus=max(cores(), math.ceil(needed)), **options)
        else:
            options.pop("include_dashboard")
            ray.init(address=settings.address, **options)
    try:
        yield ray
    finally:
        ray.shutdown()
