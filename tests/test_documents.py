"""The documents agree with the code: their blocks run, their reference is complete."""

import configparser
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kt_extras

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", DOCS / "guide.md", *sorted((DOCS / "how-to").glob("*.md"))]
OWN_ALGORITHMS = DOCS / "how-to" / "own_algorithms.md"
SKIP = r"(?P<skip><!-- not run: [^\n]+ -->\n)?"
BLOCK = re.compile(rf"^{SKIP}```python\n(?P<code>.*?)^```$", re.M | re.S)
PACKAGES = [name for name in kt_extras.__all__ if (ROOT / "kt_extras" / name).is_dir()]


def script_of(page):
    """Return the blocks of a page as one script; its lines keep their numbers."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * len(text.splitlines())
    for block in BLOCK.finditer(text):
        if block["skip"] is None:
            first = text.count("\n", 0, block.start("code"))
            code = block["code"].splitlines()
            lines[first : first + len(code)] = code
    return "\n".join(lines) + "\n"


def name_of(page):
    return page.relative_to(ROOT).with_suffix("").as_posix()


@pytest.mark.example
@pytest.mark.timeout(360)
@pytest.mark.parametrize("page", [page for page in PAGES if page != OWN_ALGORITHMS], ids=name_of)
def test_the_blocks_of_a_page_run_from_top_to_bottom(page):
    script = Path("page.py")
    script.write_text(script_of(page), encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=330)
    assert done.returncode == 0, done.stderr


@pytest.mark.example
@pytest.mark.timeout(360)
def test_the_blocks_of_a_page_run_and_its_algorithms_pass_their_contracts():
    Path("page.py").write_text(script_of(OWN_ALGORITHMS), encoding="utf-8")
    options = ["-q", "-c", "/dev/null", "--rootdir", ".", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, "page.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=330)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 5


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_python_block_of_a_page_is_valid_and_found(page):
    text = page.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```python\n")
    for block in blocks:
        compile(block["code"], str(page), "exec")


def public_names():
    """Return every public name with its package: `kt_extras.TPE`, `kt_extras.search.Space`, ..."""
    names = [f"kt_extras.{name}" for name in kt_extras.__all__ if name not in PACKAGES]
    for package in PACKAGES:
        exported = importlib.import_module(f"kt_extras.{package}").__all__
        names += [f"kt_extras.{package}.{name}" for name in exported]
    return names


def resolved(path):
    package, _, name = path.rpartition(".")
    return getattr(importlib.import_module(package), name)


def directives():
    pages = sorted((DOCS / "reference").glob("*.md"))
    return [
        path
        for page in pages
        for path in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), flags=re.M)
    ]


def test_every_public_name_is_on_a_reference_page():
    listed = directives()
    objects = [resolved(path) for path in listed]
    missing = [
        path
        for path in public_names()
        if path not in listed and not any(resolved(path) is documented for documented in objects)
    ]
    assert missing == []


def test_the_reference_lists_public_names_alone_and_each_once():
    listed = directives()
    assert set(listed) <= set(public_names())
    assert len(listed) == len(set(listed))


def test_every_public_package_has_a_reference_page():
    assert PACKAGES
    assert [name for name in PACKAGES if not (DOCS / "reference" / f"{name}.md").exists()] == []


def test_every_page_of_the_site_is_in_its_navigation():
    navigation = (DOCS / "site" / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    listed = set(re.findall(r"(\S+\.md)$", navigation, flags=re.M))
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert listed - {"index.md", "CHANGELOG.md", "CONTRIBUTING.md"} == pages


def test_the_site_installs_what_the_extra_lists():
    setup, tox = configparser.RawConfigParser(), configparser.RawConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    extra = setup["options.extras_require"]["docs"].split()
    assert extra == tox["testenv:docs"]["deps"].split()


def test_the_architecture_page_has_the_table_of_imports():
    setup = configparser.RawConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    checked = setup["importlinter:contract:table"]["table"].strip().splitlines()
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", text, flags=re.M)
    shown = [f"{package}: {' '.join(re.findall(r'`([^`]+)`', names))}" for package, names in rows]
    assert [row.strip() for row in shown] == [row.strip() for row in checked]


def test_the_glossary_is_sorted():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^\*\*(.+?)\*\*$", text, flags=re.M)
    assert len(terms) > 20
    assert terms == sorted(terms, key=str.lower)
