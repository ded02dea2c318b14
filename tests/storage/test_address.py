import subprocess
import sys
from pathlib import Path

import pytest

from kt_extras.storage.address import parse, shown
from kt_extras.storage.backends import backend_for
from kt_extras.storage.database import Database
from kt_extras.storage.errors import StorageError
from kt_extras.storage.postgresql import with_driver
from tests.storage.queries import rows
from tests.storage.search import PROJECT

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("runs.db", "`storage` must be a URL such as 'sqlite:///runs.db'.*got 'runs.db'"),
        ("", "`storage` must be a URL"),
        (
            "postgres://ada:secret@db/runs",
            "must have one of the schemes 'sqlite', 'postgresql'",
        ),
        (
            "mysql://ada:secret@db/runs",
            "must have one of the schemes 'sqlite', 'postgresql'",
        ),
        ("postgresql://ada:secret@db:port/runs", "`storage` must be a URL"),
        ("postgresql://ada:sec@ret@db:port/runs?sslpassword=secret", "`storage` must be a URL"),
        ("postgresql:/ada:secret@db/runs", "must be a URL .*, got 'postgresql:/[*]{3}'"),
        ("postgresql//ada:secret@db/runs", "must be a URL .*, got 'postgresql//[*]{3}'"),
        ("postgresql:ada:secret@db/runs", "must be a URL .*, got 'postgresql:[*]{3}'"),
        ("ada:secret@db/runs", "must be a URL .*, got 'ada:[*]{3}'"),
        ("postgresql://ada:secret:5432/runs", "must be a URL .*, got 'postgresql://[*]{3}'"),
        ("host=db user=ada password=secret", "must be a URL .*, got 'host[*]{3}'"),
        ("postgresql://ada:sec\nret@db:port/runs", "must be a URL .*, got 'postgresql://[*]{3}'"),
        ("mysql:///ada:secret@db/runs", "must have one of the schemes"),
        ("postgresql+nonsense://ada:secret@db/runs", "must name a driver that SQLAlchemy knows"),
        ("sqlite://", "`storage` must name a file"),
        ("sqlite:///:memory:", "`storage` must name a file"),
        ("sqlite:///file:runs.db?uri=true", "`storage` must name a file"),
        ("sqlite://runs.db", "`storage` must name a file"),
    ],
)
def test_wrong_url_is_shown_without_its_password(url, message):
    with pytest.raises(ValueError, match=message) as raised:
        Database(url, "digits")
    assert "sec" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("value", "shown_as"),
    [
        (b"postgresql://ada:secret@db/runs", "a bytes"),
        (Path("postgresql://ada:secret@db/runs"), "a .*Path"),
        (["postgresql://ada:secret@db/runs"], "a list"),
    ],
)
def test_password_in_a_value_of_another_type_is_not_shown(value, shown_as):
    with pytest.raises(TypeError, match=f"as a text, got {shown_as}") as raised:
        Database(value, "digits")
    assert "sec" not in str(raised.value)


def test_value_that_is_not_a_url_is_refused():
    with pytest.raises(TypeError, match=r"`storage` must be a URL .*, got 3"):
        Database(3, "digits")


@pytest.mark.parametrize("project", ["", None, 3, "a\x00b", "\ud800"])
def test_project_needs_a_name(project):
    with pytest.raises(ValueError, match="`project_name` must be a text"):
        Database("sqlite:///runs.db", project)


def test_relative_path_counts_from_the_first_current_directory(tmp_path, monkeypatch):
    with Database("sqlite:///runs.db", "digits") as database:
        database.append(PROJECT)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert database.exists()
    assert (tmp_path / "runs.db").exists()
    database.release()


def test_driver_of_the_url_is_used_else_psycopg():
    assert with_driver(parse("postgresql://db/runs")).drivername == "postgresql+psycopg"
    assert with_driver(parse("postgresql+psycopg2://db/runs")).drivername.endswith("psycopg2")


def test_password_is_never_shown():
    url = "postgresql://ada:se%40cret@db/runs?password=secret&sslpassword=secret&x=1"
    assert "secret" not in shown(backend_for(url).url)
    assert "secret" not in str(Database(url, "digits"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///ada:secret@127.0.0.1/runs",
        "postgresql:////ada:secret@127.0.0.1/runs",
        "postgresql://ada%3Asecret@127.0.0.1:1/runs",
        "postgresql://ada:x@secret@127.0.0.1:1/runs",
        "postgresql://ada:s/secret@127.0.0.1:1/runs",
        "postgresql://ada:@127.0.0.1:1/runs?passwd=secret&options=-c%20password=secret",
        "postgresql://127.0.0.1:1/runs?password=a@secret",
        "sqlite:///ada:secret@db/runs",
    ],
)
def test_password_in_the_wrong_place_is_not_shown(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ada:secret@db").write_text("")  # so that SQLite cannot make the folder
    database = Database(url, "digits")
    assert "secret" not in str(database)
    with pytest.raises(StorageError) as raised:
        list(database.read()) if "postgresql" in url else database.acquire()
    assert "secret" not in str(raised.value)
    assert "***" in str(raised.value)


def test_server_that_cannot_be_reached_is_named():
    database = Database("postgresql://ada:secret@127.0.0.1:1/runs", "digits")
    for use in (database.exists, database.acquire, lambda: database.append(PROJECT)):
        with pytest.raises(StorageError, match=r"ada:\*\*\*@127.0.0.1:1.*Check the host") as raised:
            use()
        assert "secret" not in str(raised.value)


def test_database_that_a_server_does_not_have_is_named(server):
    url = server.url.replace("/postgres?", "/missing?")
    with pytest.raises(StorageError, match=r'"missing" does not exist.*Check the name'):
        Database(url, "digits").exists()


@pytest.fixture
def locked_url(server):
    """The URL of a user that needs a password, without one."""
    rows(server.url, "CREATE ROLE locked LOGIN PASSWORD 'secret'")
    access = server.folder / "data" / "pg_hba.conf"
    before = access.read_text()
    access.write_text(f"local all locked scram-sha-256\n{before}")
    rows(server.url, "SELECT pg_reload_conf()")
    yield server.url.replace("tester@", "locked@")
    access.write_text(before)
    rows(server.url, "SELECT pg_reload_conf()")
    rows(server.url, "DROP ROLE locked")


@pytest.mark.parametrize("login", ["locked:wrong-secret", "locked", "nobody"])
def test_wrong_password_is_not_taken_for_a_wrong_host(locked_url, login):
    database = Database(locked_url.replace("locked", login), "digits")
    with pytest.raises(StorageError, match=r"Check the user and the password\.$") as raised:
        database.exists()
    assert "wrong-secret" not in str(raised.value)


def test_host_that_is_not_known_is_not_taken_for_a_wrong_password():
    with pytest.raises(StorageError, match="Check the host"):
        Database("postgresql://ada:secret@host.invalid/runs", "digits").exists()


def test_file_that_is_not_a_database_is_named(tmp_path):
    (tmp_path / "runs.db").write_text("trial,score\n" * 100)
    with pytest.raises(StorageError, match=r"runs.db cannot be used.*Choose another file"):
        Database(f"sqlite:///{tmp_path}/runs.db", "digits").exists()


def test_folder_is_not_a_database(tmp_path):
    with pytest.raises(StorageError, match="unable to open"):
        Database(f"sqlite:///{tmp_path}", "digits").append(PROJECT)


@pytest.mark.parametrize(
    ("module", "url"), [("sqlalchemy", "sqlite:///runs.db"), ("psycopg", "postgresql://db/runs")]
)
def test_missing_module_is_named_with_its_extra(module, url):
    script = f"""
import importlib.abc
import sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
import kt_extras.storage.lock
from kt_extras.storage.database import Database
Database({url!r}, "digits")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        f"ModuleNotFoundError: `storage` needs the module `{module}` for this URL; "
        "run `pip install kt_extras[sql]`."
    )


def test_storage_loads_no_records_oracles_or_tensorflow():
    script = """
import sys
import kt_extras.storage.database
users = {"kt_extras.oracles", "kt_extras.records"}
others = {"tensorflow", "keras", "keras_tuner", "numpy", *users}
sys.exit(", ".join(others & set(sys.modules)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
