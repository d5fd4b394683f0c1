"""A machine of a lab: commands run in its namespaces and end with it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn, TypeAlias

from dockerlab import cgroups, namespaces
from dockerlab.commands import plain_environment
from dockerlab.errors import CommandError, LabError

_Stream: TypeAlias = int | IO[bytes] | IO[str] | None


class Machine:
    """A network namespace of a lab: the switch, the outside machine, or (see Host) a host."""

    def __init__(self, lab: str, name: str, netns: str) -> None:
        self.lab = lab
        self.name = name
        self.netns = netns

    def command(self, *words: str, cwd: str | Path | None = None) -> list[str]:
        """The whole command that runs these words in the machine, for a caller who starts
        processes himself; it wants `environment()`."""
        inside = ["env", f"--chdir={cwd}", *words] if cwd is not None else list(words)
        door = cgroups.door(self.lab, self.name)
        if not door.exists() or not namespaces.path(self.netns).exists():
            raise LabError(f"{self.name} of lab {self.lab} is not up")
        return [*namespaces.join(door), *self._enter(), *inside]

    def _enter(self) -> list[str]:
        return namespaces.enter(self.netns)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a command of the machine finds in its environment: the caller's, but nothing
        that leads docker elsewhere."""
        own = {k: v for k, v in plain_environment().items() if not k.startswith("DOCKER_")}
        return own | dict(more or {})

    def run(
        self,
        *words: str,
        check: bool = False,
        timeout: float | None = 60,
        input: str | None = None,  # noqa: A002 - the name that subprocess.run gives it
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end and return what it wrote.

        With `check`, another exit code than 0 raises CommandError, which shows stderr. When the
        time is over the command and what it started are killed, and subprocess.TimeoutExpired
        is raised.
        """
        stdin = subprocess.DEVNULL if input is None else subprocess.PIPE
        process = self.popen(*words, env=env, cwd=cwd, stdin=stdin)
        with process:
            try:
                out, err = process.communicate(input, timeout)
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        if check and process.returncode:
            raise CommandError(process.returncode, words, out, err)
        return subprocess.CompletedProcess(list(words), process.returncode, out, err)

    def popen(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        stdin: _Stream = subprocess.DEVNULL,
        stdout: _Stream = subprocess.PIPE,
        stderr: _Stream = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        """Start a command, as leader of a new process group; `Lab.down` ends it at the latest."""
        return subprocess.Popen(
            self.command(*words, cwd=cwd),
            env=self.environment(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def become(self, *words: str) -> NoReturn:
        """Replace this process by a command in the machine: terminal and exit code are its own."""
        command = self.command(*words, cwd=self._current_folder())
        os.execvpe(command[0], command, self.environment())

    def _current_folder(self) -> Path | None:
        folder = Path.cwd()
        return folder if self.path(str(folder)) == folder else None

    def path(self, inside: str) -> Path:
        """Where a path inside the machine lies on the real one."""
        return Path(inside)
