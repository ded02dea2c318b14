import os
import subprocess
import sys
from pathlib import Path

import pytest

import kt_extras

HEAVY = ("tensorflow", "keras", "keras_tuner", "tensorboard", "pytest", "sklearn")


@pytest.mark.parametrize(
    "modules",
    [
        "kt_extras.search",
        "kt_extras.samplers",
        "kt_extras.pruners",
        "kt_extras.schedulers",
        "kt_extras.testing.samplers, kt_extras.testing.pruners, kt_extras.testing.schedulers",
    ],
)
def test_pure_packages_load_neither_keras_nor_tensorflow(modules):
    code = f"import sys, {modules}; print([name for name in {HEAVY} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(Path(kt_extras.__file__).parent.parent)}
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert loaded.stdout.strip() == "[]"
