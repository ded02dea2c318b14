"""The scripts of examples/ run and name what they need; the notebooks hold their outputs."""

import ast
import configparser
import functools
import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
INSTALL = "pip install kt_extras[examples]"
# A path from the root, as `/home/me/x` and `C:\Users`; `</td>` and `train/loss` are not.
ABSOLUTE_PATH = re.compile(r"(?:^|[\s\"'(=])(?:/[\w.-]+/[\w.-]+|[A-Z]:\\)", re.MULTILINE)


def by_stem(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def code_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def source_of(path):
    """Return the code of a script or of a notebook."""
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    return "\n".join("".join(cell["source"]) for cell in code_cells(path))


def first_line_of(path):
    """Return the first docstring line of a script, or the first text cell of a notebook."""
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(source_of(path))).splitlines()[0]
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    return " ".join("".join(first["source"]).split())


def third_party_imports(path):
    names = set()
    for node in ast.walk(ast.parse(source_of(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"kt_extras"}


def distributions(section, option):
    """Return the names of the distributions that an option of setup.cfg lists."""
    parser = configparser.RawConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return {normal(name) for name in re.findall(r"^[\w-]+", parser[section][option], re.MULTILINE)}


def normal(name):
    return name.lower().replace("_", "-")


def installed_by(module, requirements):
    return not requirements.isdisjoint(map(normal, distributions_by_module()[module]))


@functools.cache
def distributions_by_module():
    """Return the installed distributions that hold each module; finding them takes a second."""
    return packages_distributions()


@pytest.mark.example
@pytest.mark.timeout(360)
@by_stem(SCRIPTS)
def test_an_example_runs_and_prints_its_results(path):
    command = [sys.executable, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@by_stem(SCRIPTS)
def test_an_example_has_fewer_than_sixty_lines(path):
    assert len(path.read_text().splitlines()) < 60


@by_stem(SCRIPTS + NOTEBOOKS)
def test_an_example_names_the_extra_when_it_imports_from_it(path):
    required = distributions("options", "install_requires")
    extra = distributions("options.extras_require", "examples")
    further = {name for name in third_party_imports(path) if not installed_by(name, required)}
    assert [name for name in sorted(further) if not installed_by(name, extra)] == []
    assert not further or f"`{INSTALL}`" in first_line_of(path)


@by_stem(NOTEBOOKS)
def test_a_notebook_holds_the_outputs_of_one_complete_run(path):
    counts = [cell["execution_count"] for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in code_cells(path) for output in cell["outputs"]]
    assert outputs
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert [output for output in outputs if output.get("name") == "stderr"] == []


@by_stem(NOTEBOOKS)
def test_no_output_of_a_notebook_has_an_absolute_path(path):
    for cell in code_cells(path):
        for output in cell["outputs"]:
            texts = [output.get("text", [])]
            texts += [text for kind, text in output.get("data", {}).items() if "image" not in kind]
            assert [text for text in texts if ABSOLUTE_PATH.search("".join(text))] == []


@pytest.mark.parametrize("text", ["/home/me/x", "saved to '/tmp/x.keras'", r"C:\Users", "a\n/x/y"])
def test_a_path_of_a_machine_is_recognised(text):
    assert ABSOLUTE_PATH.search(text)


@pytest.mark.parametrize("text", ["trial 2/20", "<td>1</td>", "train/loss", "1 / 3", "https://a/b"])
def test_other_text_with_slashes_is_not_a_path_of_a_machine(text):
    assert not ABSOLUTE_PATH.search(text)


@by_stem(NOTEBOOKS)
def test_a_notebook_links_only_to_files_that_exist(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
