"""Processes for the tests of a chief and its workers."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import kt_extras as kte


def start(tuner_id, port, directory, script, *arguments):
    """Start a chief or a worker of KerasTuner in a process of its own.

    Args:
        tuner_id: `"chief"`, or the name of a worker.
        port: Where the chief listens.
        directory: The first argument of the script.
        script: The text of a Python program.
        *arguments: Further arguments of the script.
    """
    environment = {
        **os.environ,
        "KERASTUNER_TUNER_ID": tuner_id,
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": str(port),
        "PYTHONPATH": str(Path(kte.__file__).parents[1]),
    }
    return subprocess.Popen(
        [sys.executable, "-c", script, str(directory), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_port():
    """Return a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
