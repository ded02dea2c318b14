"""The configuration files and documents are consistent with each other."""

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHECKERS = ("codespell", "mypy", "ruff")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def ini(name):
    parser = configparser.RawConfigParser()
    parser.read_string(read(name))
    return parser


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_checker_has_one_version_everywhere(checker):
    pins = set()
    for name in ("setup.cfg", "tox.ini"):
        pins |= set(re.findall(rf"^ *{checker}==(\S+)$", read(name), flags=re.MULTILINE))
    hook = rf"repo: \S*/(?:mirrors-)?{checker}(?:-pre-commit)?\n +rev: v?(\S+)"
    pins |= set(re.findall(hook, read(".pre-commit-config.yaml")))
    assert len(pins) == 1


def test_every_checker_has_a_pre_commit_hook():
    hooks = re.findall(r"- id: (\S+)", read(".pre-commit-config.yaml"))
    assert set(hooks) == {"ruff-check", "ruff-format", "mypy", "codespell"}


def test_ci_begins_with_the_test_command_of_the_readme():
    (command,) = re.findall(r"^.*tox -e tests$", read("README.md"), flags=re.MULTILINE)
    assert command.strip() in [line.strip() for line in read(".ci/run").splitlines()]


def test_ci_runs_every_environment_that_tox_runs():
    environments = {name.strip() for name in ini("tox.ini")["tox"]["env_list"].split(",")}
    (listed,) = re.findall(r"^for environment in (.+); do$", read(".ci/run"), flags=re.MULTILINE)
    assert environments == {"tests", *listed.split()}


def test_deselected_tests_are_run_by_an_environment_of_their_own():
    setup, tox = ini("setup.cfg"), ini("tox.ini")
    options = setup["tool:pytest"]
    markers = re.findall(r"^(\w+):", options["markers"].strip(), flags=re.MULTILINE)
    assert {"example", "slow", "exhaustive"} <= set(markers)
    for marker in markers:
        assert f"not {marker}" in options["addopts"]
        commands = [tox[name].get("commands", "") for name in tox if name.startswith("testenv:")]
        assert any(re.search(rf'-m "?{marker} ', command) for command in commands), marker


def test_environments_that_share_a_directory_install_the_same():
    tox = ini("tox.ini")
    sharing = [name for name in tox if name.startswith("testenv:") and "env_dir" not in tox[name]]
    assert sharing
    for name in sharing:
        assert not {"deps", "extras", "package", "base_python"} & set(tox[name]), name


def test_the_changelog_has_this_version():
    import kt_extras

    assert f"## [{kt_extras.__version__}]" in read("CHANGELOG.md")


def test_every_decision_says_what_was_rejected_and_what_follows():
    decisions = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        headings = re.findall(r"^## (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert headings == ["Context", "Choice", "Rejected", "Consequences"], path.name


DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *DOCUMENTS])
def test_a_document_links_only_to_files_that_exist(document):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", read(document))
    folder = (ROOT / document).parent
    assert [link for link in links if not (folder / link).exists()] == []


def test_every_package_is_found_by_setuptools():
    folders = {path.parent for path in (ROOT / "kt_extras").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
