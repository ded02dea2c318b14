"""Check the built sdist and wheel: their contents, their metadata, and tests against the wheel.

The only argument is the folder that `python -m build` wrote to.  The tests come from the unpacked
sdist, without its copy of the package, so that they can only import the installed wheel.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

IN_SDIST = [
    ".ci/run",
    ".github/workflows/ci.yml",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "benchmarks/__main__.py",
    "docs/releasing.md",
    "examples/quickstart.py",
    "kt_extras/py.typed",
    "notebooks/quickstart.ipynb",
    "pyproject.toml",
    "setup.cfg",
    "tests/conftest.py",
    "tests/search/test_space.py",
    "tox.ini",
]
# The algorithms, which need no TensorFlow.
FAST_TESTS = ["search", "samplers", "pruners", "schedulers"]
NAMES = [
    "tests/test_public_names.py::test_every_public_name_is_listed_by_dir",
    "tests/test_public_names.py::test_dir_shows_what_is_public_and_nothing_else",
    "tests/test_public_names.py::test_type_checkers_see_the_names_that_users_see",
]
WHERE = "import kt_extras; dir(kt_extras); print(kt_extras.__file__)"


def run(*arguments: object, cwd: Path | None = None) -> None:
    """Run a module of this interpreter and exit if it fails."""
    command = [sys.executable, "-m", *map(str, arguments)]
    print("+", *command, flush=True)
    code = subprocess.run(command, cwd=cwd).returncode
    if code:
        sys.exit(code)


def check_contents(sdist: Path, wheel: Path) -> None:
    """Exit if the sdist lacks a file, or if the wheel has more or less than the package."""
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    missing = sorted(set(IN_SDIST) - packed)
    if missing:
        sys.exit(f"{sdist.name} lacks {missing}: add them to MANIFEST.in")
    stray = sorted(name for name in packed if "__pycache__" in name or name.startswith(".tox"))
    if stray:
        sys.exit(f"{sdist.name} holds {stray}: exclude them in MANIFEST.in")
    with zipfile.ZipFile(wheel) as archive:
        installed = {name for name in archive.namelist() if ".dist-info/" not in name}
    stray = sorted(name for name in installed if not name.startswith("kt_extras/"))
    if stray:
        sys.exit(f"{wheel.name} holds {stray}: only kt_extras belongs into the wheel")
    expected = {name for name in packed if name.startswith("kt_extras/")}
    expected = {name for name in expected if name.endswith((".py", "/py.typed"))}
    if installed != expected:
        sys.exit(f"{wheel.name} and {sdist.name} differ in {sorted(installed ^ expected)}")


def check_wheel(sdist: Path, wheel: Path) -> None:
    """Install the wheel and run fast tests of the sdist against it."""
    run("pip", "install", "-q", "--no-deps", "--force-reinstall", wheel)
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(sdist, folder)
        (source,) = Path(folder).iterdir()
        shutil.rmtree(source / "kt_extras")
        command = [sys.executable, "-c", WHERE]
        done = subprocess.run(command, cwd=source, stdout=subprocess.PIPE, text=True, check=True)
        if not Path(done.stdout.strip()).is_relative_to(sys.prefix):
            sys.exit(f"the tests would import {done.stdout.strip()} instead of the wheel")
        tests = [f"tests/{name}" for name in FAST_TESTS]
        options = ("-q", "-n", 2, "--dist", "worksteal", "-p", "no:cacheprovider")
        run("pytest", *options, *tests, *NAMES, cwd=source)


def main() -> None:
    """Run all checks."""
    folder = Path(sys.argv[1])
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    check_contents(sdist, wheel)
    run("twine", "check", "--strict", sdist, wheel)
    check_wheel(sdist, wheel)


if __name__ == "__main__":
    main()
