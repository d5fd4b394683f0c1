"""``pyflat serve`` as a process of its own."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

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
        self.log = folder / "log"
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *prefix: str, **settings: str) -> subprocess.Popen[str]:
        """Start the program, with a prefix before its command line or further settings."""
        # Nobody reads the pipe before the end: what is said in passing would fill it.
        return self._start(subprocess.PIPE, prefix, {"log-level": "warning"} | settings)

    def up_with_log(self, *prefix: str, **settings: str) -> subprocess.Popen[str]:
        """Start the program with what it writes in ``log``, and wait until it answers."""
        with self.log.open("a") as log:
            process = self._start(log, prefix, settings)
        assert eventually(self.answers), "it does not answer"
        return process

    def _start(
        self, errors: IO[str] | int, prefix: tuple[str, ...], settings: dict[str, str]
    ) -> subprocess.Popen[str]:
        values = {"socket": self.socket, "state-dir": self.state} | settings
        flags = [word for name, value in values.items() for word in (f"--{name}", str(value))]
        process = subprocess.Popen(
            [*prefix, str(PROGRAM), "serve", *flags],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
        )
        self._started.append(process)
        return process

    def up(self) -> subprocess.Popen[str]:
        """Start the program and wait until it answers."""
        process = self.start()
        assert eventually(self.answers), "it does not answer"
        return process

    @property
    def worker(self) -> int:
        """The process id of the one worker of the process that was started last."""
        (worker,) = workers_of(self._started[-1])
        return worker

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

    def records(self) -> list[tuple[str, str, str]]:
        """Give kind, id and body of all that is stored."""
        with contextlib.closing(sqlite3.connect(self.state / "pyflat.db")) as database:
            return database.execute("SELECT * FROM records ORDER BY kind, id").fetchall()

    def end(self) -> None:
        """End every process that is left."""
        for process in self._started:
            if "COVERAGE_PROCESS_CONFIG" in os.environ:  # a killed one would not say what it ran
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=2)
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


def open_files(pid: int) -> int:
    """Count the files that a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads_of(pid: int) -> int:
    """Count the threads of a process."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def memory_of(pid: int) -> float:
    """Give the resident memory of a process in MB (2**20 bytes)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(size) / 1024


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
