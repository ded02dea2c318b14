"""The pages' code for trackers passes a logger to the search."""

import importlib.util
from types import SimpleNamespace

import pytest

from kt_extras.loggers import MLflow, Wandb
from tests.test_documents import BLOCK, DOCS


@pytest.mark.parametrize(("package", "kind"), [("mlflow", MLflow), ("wandb", Wandb)])
def test_the_code_for_a_tracker_passes_its_logger_to_the_search(package, kind):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    page = (DOCS / "how-to" / "trackers.md").read_text(encoding="utf-8")
    code = next(b["code"] for b in BLOCK.finditer(page) if f"loggers.{kind.__name__}(" in b["code"])
    found = []
    tuner = SimpleNamespace(search=lambda *_, callbacks, **__: found.extend(callbacks))
    exec(code, {"tuner": tuner, **dict.fromkeys(("x", "y", "xv", "yv"))})
    assert [type(one) for one in found] == [kind]
