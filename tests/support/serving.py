"""``pyflat serve`` as a process of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.support.dockerd import Call
from tests.support.unix_http import post
from tests.support.witness import eventually

PROGRAM = Path(sys.executable).with_name("pyflat")
ACTIVATE = Call("/Plugin.Activate")


class Serving:
    """The processes that share one state folder and one socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "run" / "pyflat.sock"
        self.state = folder / "state"
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *prefix: str, **settings: str) -> subprocess.Popen[str]:
        """Start the program, with a prefix before its command line or further settings."""
        values = {"socket": self.socket, "state-dir": self.state} | settings
        flags = [word for name, value in values.items() for word in (f"--{name}", str(value))]
        process = subprocess.Popen(
            [*prefix, str(PROGRAM), "serve", *flags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def up(self) -> subprocess.Popen[str]:
        """Start the program and wait until it answers."""
        process = self.start()
        assert eventually(self.answers), "it does not answer"
        return process

    def answers(self) -> bool:
        """Say whether a request is answered."""
        try:
            status, _ = post(self.socket, ACTIVATE)
        except (OSError, HTTPException):
            return False
        return status == 200

    def send(self, *calls: Call) -> dict[str, Any]:
        """Send requests that succeed, and give the answer to the last."""
        answer: dict[str, Any] = {}
        for call in calls:
            status, answer = post(self.socket, call)
            assert status == 200, answer
        return answer

    def end(self) -> None:
        """End every process that is left."""
        for process in self._started:
            workers = workers_of(process) if process.poll() is None else []
            process.kill()
            for worker in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
            process.communicate()


def workers_of(master: subprocess.Popen[str]) -> list[int]:
    """Give the process ids of gunicorn's workers."""
    children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
    return [int(word) for word in children.read_text().split()]


@contextlib.contextmanager
def serving() -> Iterator[Serving]:
    """Have a folder for a plugin's processes; they end with it."""
    # Not pytest's folder: the path of a socket has 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="pyflat-"))
    processes = Serving(folder)
    try:
        yield processes
    finally:
        processes.end()
        shutil.rmtree(folder)
