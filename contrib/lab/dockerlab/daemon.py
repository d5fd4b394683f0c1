"""A supervised process of a host: dockerd or pyflat."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from dockerlab.errors import LabError
from dockerlab.machine import Machine
from dockerlab.processes import Process, wait_until


class Daemon:
    """One daemon of one machine. It outlives the Python process that started it."""

    def __init__(
        self,
        machine: Machine,
        name: str,
        folder: Path,
        *,
        command: Callable[[], Sequence[str]],
        ready: Callable[[], bool],
        args: Sequence[str] = (),
        env: dict[str, str] | None = None,
    ) -> None:
        self.machine = machine
        self.name = name
        self.args = list(args)
        """Words after the command; a change is for the next start."""
        self.env = dict(env or {})
        """Additions to the environment; a change is for the next start."""
        self.log = folder / f"{name}.log"
        """Everything it wrote, over all its starts."""
        self.ready = ready
        """Whether it answers."""
        self._command = command
        self._record = folder / f"{name}.json"
        self._child: subprocess.Popen[str] | None = None

    @property
    def process(self) -> Process | None:
        """The running process, or None."""
        if self._child is not None:
            # Else a dead child of ours stays a zombie.
            self._child.poll()
        try:
            record = json.loads(self._record.read_text())
        except FileNotFoundError:
            return None
        process = Process(record["pid"], record["start"])
        return process if process.alive else None

    @property
    def running(self) -> bool:
        """Whether the process is there, be it ready or not."""
        return self.process is not None

    @property
    def pid(self) -> int:
        """Its pid; LabError when it does not run."""
        if (process := self.process) is None:
            raise LabError(f"{self} does not run")
        return process.pid

    def __str__(self) -> str:
        return f"{self.name} of {self.machine.name}"

    def start(self, *, wait: bool = True, timeout: float = 60) -> None:
        """Start it and, with `wait`, return only when it answers.

        LabError, with the end of its log, when it ends before that or takes too long.
        """
        if self.running:
            raise LabError(f"{self} runs already")
        with self.log.open("ab") as log:
            self._child = self.machine.popen(
                *self._command(), *self.args, env=self.env, stdout=log, stderr=subprocess.STDOUT
            )
        if (process := Process.of(self._child.pid)) is not None:
            self._record.write_text(json.dumps({"pid": process.pid, "start": process.start}))
        if wait:
            self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 60) -> None:
        """Return when it answers; LabError as for start()."""
        if not wait_until(lambda: not self.running or self.ready(), timeout):
            raise LabError(f"{self} did not answer in {timeout:g} s: {self.log_end()}")
        if not self.running:
            raise LabError(f"{self} ended at once: {self.log_end()}")

    def stop(self, timeout: float = 30) -> None:
        """End it: TERM, and KILL when that has not helped in time. Nothing if it is gone."""
        self.end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """End it as a crash would: KILL. What it started is left alone. Nothing if it is gone."""
        self.end(signal.SIGKILL, 10)

    def end(self, number: signal.Signals, timeout: float) -> None:
        """Send a signal, wait until it is gone, and KILL it when it has not gone in time."""
        process = self.process
        if process is None:
            return
        process.signal(number)
        if not wait_until(lambda: not self.running, timeout):
            process.signal(signal.SIGKILL)
            wait_until(lambda: not self.running, 10)
        # A new dockerd takes the zombie of the old one for a running one.
        wait_until(lambda: not self.running and not process.unburied, 2)

    def log_end(self, lines: int = 5) -> str:
        """The last lines of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])
