"""A PostgreSQL server that runs for the tests alone."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path


class Server:
    """Runs the server that the operating system's packages have installed.

    It listens on a socket in its own temporary directory and nowhere else, as an unprivileged
    user, since PostgreSQL refuses to run as root.
    """

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="kte-"))
        self.user = {}
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            user = _unprivileged()
            self.user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.process = None
        options = ("-A", "trust", "-U", "tester", "-E", "UTF8", "--no-locale", "--no-sync")
        self._call("initdb", *options, "-D", self.folder / "data")
        self.start()

    @property
    def url(self):
        return f"postgresql://tester@/postgres?host={self.folder}"

    def start(self):
        command = [tool("postgres"), "-D", self.folder / "data", "-k", self.folder]
        command += ["-c", "listen_addresses=", "-c", "fsync=off"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, **self.user
            )
        end = time.monotonic() + 60
        while "ready" not in self._status():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)

    def stop(self):
        """Stop the server and close all connections to it."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _status(self):
        try:
            return (self.folder / "data" / "postmaster.pid").read_text()
        except FileNotFoundError:
            return ""

    def _call(self, name, *arguments):
        subprocess.run(
            [tool(name), *arguments], check=True, capture_output=True, cwd=self.folder, **self.user
        )


def tool(name):
    """Return the path of one of the server's programs, None if it is not installed.

    Debian keeps them, a version a folder, where the shell does not look.
    """
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(installed[-1]) if installed else None)


def _unprivileged():
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]
