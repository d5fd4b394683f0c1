"""A program beside this one that is asked line by line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self

from dockerlab import LabError


class Program:
    """A process that answers each line of its input with a number."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Take over a process whose input and output are pipes."""
        self._process = process

    def __call__(self, line: str) -> float:
        """Give the answer to a line. Raises LabError if there is none."""
        self.begin(line)
        return self.answer()

    def begin(self, line: str) -> None:
        """Ask, and do not wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def answer(self) -> float:
        """Give the answer to what was asked. Raises LabError if there is none."""
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise LabError(f"no answer: {self._process.communicate()[1].strip()}")
        return float(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def alone(path: Path, *words: str) -> Program:
    """Start a program of this folder in a network namespace of its own."""
    # -P: the folder of the program is not one to import from.
    command = ["unshare", "--net", sys.executable, "-P", str(path), *words]
    pipe = subprocess.PIPE
    return Program(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
