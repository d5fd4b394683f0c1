"""What can go wrong, as one readable line.

LabError                 anything the lab refuses or fails to do
└─ CommandError          a command inside a lab ended with another code than 0
                         (also a subprocess.CalledProcessError)
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


class LabError(Exception):
    """The lab refused or failed; the text is for the user as it stands."""


class CommandError(LabError, subprocess.CalledProcessError):
    """A checked command failed; the text carries what it wrote to stderr."""

    def __init__(self, code: int, command: Sequence[str], stdout: str, stderr: str) -> None:
        subprocess.CalledProcessError.__init__(self, code, list(command), stdout, stderr)

    def __str__(self) -> str:
        said = (self.stderr or self.stdout or "no output").strip()
        return f"{' '.join(self.cmd)}: exit code {self.returncode}: {said}"
