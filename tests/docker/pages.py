"""Pages of the documentation, followed as a reader would: each command is typed into a shell of a
host, and what it writes is held against what the page shows below it.

``#`` and ``$`` are prompts of the only host, or of the first; ``alpha#`` and ``beta#`` are two
hosts; a line after ``> `` goes on with a command. ``…`` stands for anything within a line, and for
any lines where it is a line. A command that the page shows nothing below writes nothing and ends
well.
"""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from threading import Timer
from typing import Any, TypeAlias

from dockerlab.commands import plain_environment

REPOSITORY = Path(__file__).parents[2]
#: Seconds that a command may take.
LONGEST = 120
#: Starts a program on a host, as ``subprocess.Popen`` does here.
Popen: TypeAlias = Callable[..., subprocess.Popen[str]]
_HEADING = re.compile(r"## (.*)")
_FENCE = re.compile(r"```(\w*)")
_PROMPT = re.compile(r"(?P<prompt>\w*)[#$] (?P<command>.*)")
_MORE = "> "
_END = "·end·"


@dataclass(slots=True)
class Step:
    """A command of a page, and the lines that the page shows below it."""

    line: int
    prompt: str
    command: str
    shown: list[str] = field(default_factory=list)

    def differs(self, wrote: str, status: int) -> bool:
        """Whether the command did something else than the page says."""
        if not self.shown:
            return bool(wrote) or status != 0
        return re.fullmatch(_pattern(self.shown), f"{wrote}\n") is None

    def renamed(self, instead: Mapping[str, str]) -> "Step":
        """The same with other names, in what is typed and in what is shown."""

        def rename(text: str) -> str:
            for name, own in instead.items():
                text = text.replace(name, own)
            return text

        return replace(self, command=rename(self.command), shown=list(map(rename, self.shown)))


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page: the chapter it is in, its language and its lines."""

    chapter: str
    language: str
    line: int
    lines: list[str]

    @property
    def commands(self) -> bool:
        """Whether commands are shown in it, with their prompts."""
        return self.language == "console"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    chapter, block = "", None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if fence := _FENCE.fullmatch(line):
            if block:
                yield block
            block = None if block else Block(chapter, fence[1], number, [])
        elif block:
            block.lines.append(line)
        elif heading := _HEADING.fullmatch(line):
            chapter = heading[1]


def chapters(page: Path) -> dict[str, list[Step]]:
    """The commands of each chapter that has any, by its heading."""
    consoles = (block for block in blocks(page) if block.commands)
    grouped = groupby(consoles, key=lambda block: block.chapter)
    return {name: [step for block in some for step in _steps(block)] for name, some in grouped}


def follow(
    steps: Sequence[Step],
    hosts: Mapping[str, Popen],
    instead: Mapping[str, str] | None = None,
    folder: Path = REPOSITORY,
) -> list[str]:
    """Type all commands into the hosts of their prompts, in a folder; give what was not as the
    page has it.

    ``instead`` holds names that only the page has, and what they are here. A difference does not
    end it: what cleans up comes last.
    """
    with ExitStack() as stack:
        shells = {name: Shell(popen, folder=folder) for name, popen in hosts.items()}
        for shell in shells.values():
            stack.callback(shell.end)
        found = []
        for step in (step.renamed(instead or {}) for step in steps):
            wrote, status = shells[step.prompt].type(step.command)
            if step.differs(wrote, status):
                shown = "\n".join(step.shown)
                found.append(
                    f"line {step.line}: {step.command}\nthe page:\n{shown}\n"
                    f"the host, status {status}:\n{wrote}"
                )
        return found


def failed(steps: Sequence[Step], popen: Popen, longest: float = LONGEST) -> dict[str, str]:
    """Type the commands of a page that does not show what they write; give what those wrote that
    did not end well."""
    shell = Shell(popen, longest)
    done = {step.command: shell.type(step.command) for step in steps}
    shell.end()
    return {command: wrote for command, (wrote, status) in done.items() if status != 0}


def here(**variables: str) -> Popen:
    """Starts programs on this machine, with these variables of the environment."""

    def popen(*words: str, env: Mapping[str, str], **how: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words,
            env={**plain_environment(), **variables, **env},
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            **how,
        )

    return popen


class Shell:
    """A shell on a host."""

    def __init__(self, popen: Popen, longest: float = LONGEST, folder: Path = REPOSITORY) -> None:
        self._popen, self._longest, self._folder = popen, longest, folder
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        return self._popen(
            "bash",
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"COLUMNS": "100"},
        )

    def type(self, command: str) -> tuple[str, int]:
        """Run a command that reads nothing; give what it wrote, without spaces at the ends of
        lines, and its status. One that does not end is killed, and what comes after it meets a
        new shell."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{{ {command}\n}} </dev/null\nstatus=$?; echo; echo {_END} $status\n")
        process.stdin.flush()
        lines: list[str] = []
        with _ending(process, self._longest):
            for line in process.stdout:
                if line.startswith(_END):
                    wrote = "\n".join(lines).strip("\n")
                    return wrote, int(line.removeprefix(_END))
                lines.append(line.rstrip())
        self.end()
        self._process = self._start()
        return "\n".join(lines), -signal.SIGKILL

    def end(self) -> None:
        """Kill it and what it has left running."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@contextmanager
def _ending(process: subprocess.Popen[str], longest: float) -> Iterator[None]:
    """Kill a process and what it has started if the context lasts too long."""
    timer = Timer(longest, os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _steps(block: Block) -> Iterator[Step]:
    step = None
    for number, line in enumerate(block.lines, block.line + 1):
        if prompt := _PROMPT.fullmatch(line):
            if step:
                yield step
            step = Step(number, prompt["prompt"], prompt["command"])
            continue
        assert step, f"line {number}: a console block begins with a command"
        if not step.shown and (line.startswith(_MORE) or step.command.endswith("\\")):
            step.command += "\n" + line.removeprefix(_MORE)
        else:
            step.shown.append(line.rstrip())
    if step:
        yield step


def _pattern(shown: Sequence[str]) -> str:
    """What the lines of a page match; each ends with a newline."""
    lines = (
        r"(?:.*\n)*" if line.strip() == "…" else f"{re.escape(line).replace('…', '.*')}\n"
        for line in shown
    )
    return "".join(lines)
