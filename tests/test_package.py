"""The metadata: version, requirements, supported Python versions, contents of the sdist."""

import configparser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kt_extras

ROOT = Path(__file__).parent.parent
CITATION_KEYS = {"cff-version", "message", "title", "authors", "version", "license", "type"}
# We use private names of the first four, and NumPy and SciPy remove functions in a major version.
BOUNDED = ("tensorflow", "keras", "keras-tuner", "tensorboard", "numpy", "scipy")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def ini(name):
    parser = configparser.RawConfigParser()
    parser.read_string(read(name))
    return parser


def lines(text):
    return [line for line in text.strip().splitlines() if not line.startswith("#")]


def requirements(text):
    """Return the version specifiers of requirements, by their name."""
    found = [re.fullmatch(r"([\w-]+(?:\[\w+\])?)([^;]*)(;.*)?", line) for line in lines(text)]
    return {match[1]: match[2] for match in found}


def classified_pythons():
    classifiers = ini("setup.cfg")["metadata"]["classifiers"]
    return re.findall(r"^Programming Language :: Python :: (3\.\d+)$", classifiers, re.MULTILINE)


def test_citation_has_the_required_keys_and_this_version():
    entries = dict(re.findall(r"^([\w-]+):(?: (.*))?$", read("CITATION.cff"), re.MULTILINE))
    assert set(entries) >= CITATION_KEYS
    assert entries["cff-version"] == "1.2.0"
    assert entries["version"] == kt_extras.__version__
    assert entries["license"] == ini("setup.cfg")["metadata"]["license"]


def test_the_security_policy_supports_this_version():
    minor = kt_extras.__version__.rpartition(".")[0]
    assert f"| {minor}.x | yes |" in read("SECURITY.md")


def test_supported_pythons_begin_with_the_required_one_and_have_no_gap():
    pythons = [int(version.partition(".")[2]) for version in classified_pythons()]
    assert ini("setup.cfg")["options"]["python_requires"] == f">=3.{pythons[0]}"
    assert pythons == list(range(pythons[0], pythons[-1] + 1))


def test_ci_tests_every_supported_python():
    command = [sys.executable, str(ROOT / ".ci" / "python_versions")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == classified_pythons()
    assert 'run: echo "python=$(.ci/python_versions)"' in read(".github/workflows/ci.yml")
    assert "fromJson(needs.versions.outputs.python)" in read(".github/workflows/ci.yml")


def test_a_workflow_runs_only_environments_that_tox_has():
    tox = ini("tox.ini")
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for name in re.findall(r"tox -e (\w+)", path.read_text(encoding="utf-8")):
            assert f"testenv:{name}" in tox, path.name


@pytest.mark.parametrize("name", BOUNDED)
def test_a_requirement_excludes_the_next_version_that_may_break(name):
    bounds = requirements(ini("setup.cfg")["options"]["install_requires"])[name]
    assert re.fullmatch(r">=[\d.]+,<[\d.]+", bounds)


def test_a_requirement_has_the_same_version_in_every_extra():
    extras = ini("setup.cfg")["options.extras_require"]
    seen = {}
    for extra in set(extras) - {"addons"}:  # the pins of an older generation
        for name, version in requirements(extras[extra]).items():
            assert seen.setdefault(name, version) == version, (extra, name)


def test_the_package_environment_installs_the_versions_of_setup_cfg():
    options = ini("setup.cfg")
    allowed = requirements(options["options.extras_require"]["dev"])
    allowed |= requirements(options["options"]["install_requires"])
    tools = {"build", "twine"}
    installed = requirements(ini("tox.ini")["testenv:package"]["deps"])
    assert {name: allowed.get(name) for name in set(installed) - tools} == {
        name: version for name, version in installed.items() if name not in tools
    }


def test_every_tracked_file_is_in_the_sdist_unless_excluded():
    manifest = read("MANIFEST.in").split()
    added_by_setuptools = {
        "LICENSE",
        "MANIFEST.in",
        "README.md",
        "pyproject.toml",
        "setup.cfg",
        "kt_extras",
    }
    left_out = {".gitignore"}
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("needs the git repository")
    found = {path.partition("/")[0] for path in listed.stdout.splitlines()}
    assert found - added_by_setuptools - left_out - set(manifest) == set()
