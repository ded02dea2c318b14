"""Databases that several processes write, and whose writers are killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storage.kills import record
from tests.storage.queries import rows

ROOT = Path(__file__).parents[2]
KILLS = 20


def start(module, *arguments):
    command = [sys.executable, "-W", "error", "-m", f"tests.storage.{module}", *arguments]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # to fork, one thread is safe
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_kills_at_random_instants_lose_no_acknowledged_record(url, project, database):
    with start("kills", url, project, str(KILLS)) as process:
        count = int(process.stdout.read())
    assert process.returncode == 0
    assert count > KILLS
    assert list(database.read()) == [record(number) for number in range(count)]
    before = derived(url, project)
    database.rebuild()
    assert derived(url, project) == before


@pytest.mark.slow
def test_two_processes_write_two_projects_at_once(url, project, connect):
    names = [f"{project} {letter}" for letter in "ab"]
    writers = [start("writer", url, name, "100") for name in names]  # both also make the tables
    for writer in writers:
        assert writer.communicate()[0] == "done\n"
        assert writer.returncode == 0
    for name in names:
        assert list(connect(name).read()) == [record(number) for number in range(100)]


def derived(url, project):
    """Return all that is derived from the records of a project."""
    mine = f"project = (SELECT id FROM kte_projects WHERE name = '{project}')"
    tables = ("kte_trials", "kte_trial_values", "kte_epoch_metrics", "kte_trial_results")
    return {t: sorted(map(str, rows(url, f"SELECT * FROM {t} WHERE {mine}"))) for t in tables}
