"""Commands on the machine itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dockerlab.errors import CommandError, LabError


def call(
    *command: str | Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a command and return what it wrote; raise CommandError when it fails."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, input=stdin, env=env, cwd=cwd, text=True, errors="replace", capture_output=True
        )
    except FileNotFoundError as error:
        raise LabError(f"{words[0]} is not installed") from error
    if done.returncode:
        raise CommandError(done.returncode, words, done.stdout, done.stderr)
    return done.stdout


def plain_environment() -> dict[str, str]:
    """The caller's environment with messages in English and every system folder in PATH."""
    path = os.environ.get("PATH", "").split(":")
    path += [folder for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin") if folder not in path]
    return os.environ | {"PATH": ":".join(path), "LC_ALL": "C.UTF-8"}
