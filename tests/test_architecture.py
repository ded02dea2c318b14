"""The packages import each other as the contracts in setup.cfg allow."""

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from tests.import_table import ImportTable

ROOT = Path(__file__).parent.parent
RUN = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


@pytest.mark.timeout(300)
def test_every_import_keeps_the_contracts():
    done = subprocess.run([sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def differences(table, imports=()):
    """Return what the contract says of a root `app` with the packages `high` and `low`."""
    graph = grimp.ImportGraph()
    for module in ("app", "app.high", "app.high.one", "app.high.two", "app.low", "app.low.part"):
        graph.add_module(module)
    graph.add_module("json", is_squashed=True)
    for importer, imported in imports:
        graph.add_import(importer=importer, imported=imported)
    options = {"root": "app", "table": table}
    contract = ImportTable(name="table", session_options={}, contract_options=options)
    check = contract.check(graph, verbose=False)
    assert check.kept == (not check.metadata["differences"])
    return check.metadata["differences"]


def test_an_import_that_the_table_names_is_kept():
    imports = [("app.high.one", "app.low.part"), ("app.high", "app.low")]
    assert differences(["high: low", "low:"], imports) == []


def test_an_import_within_a_package_or_from_outside_is_kept():
    imports = [("app.high.one", "app.high.two"), ("app.low", "json")]
    assert differences(["high:", "low:"], imports) == []


def test_an_import_that_the_table_does_not_name_is_reported():
    imports = [("app.low.part", "app.high.one")]
    assert differences(["high: low", "low:"], imports) == ["app.low.part -> app.high.one"]


def test_an_import_of_the_root_is_reported():
    assert differences(["high:", "low:"], [("app.low", "app")]) == ["app.low -> app"]


def test_only_the_module_is_allowed_when_the_table_names_a_module():
    imports = [("app.high.one", "app.low.part"), ("app.high.two", "app.low")]
    assert differences(["high: low.part", "low:"], imports) == ["app.high.two -> app.low"]


def test_a_package_without_a_row_is_reported():
    assert differences(["high:"]) == ["low has no row in the table"]


def test_a_row_without_a_package_is_reported():
    assert differences(["high:", "low:", "gone:"]) == ["gone does not exist"]
