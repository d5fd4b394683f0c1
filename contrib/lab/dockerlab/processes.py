"""Processes by pid and start time, so that a recycled pid is never taken for ours."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dockerlab import cgroups

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One process for its whole life: another one with its pid is not equal to it."""

    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has this pid now; None when there is none or it is a zombie."""
        status = _stat(pid)
        return None if status is None else cls(pid, status.start)

    @property
    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return Process.of(self.pid) == self

    @property
    def unburied(self) -> bool:
        """Whether there is anything of this pid yet, be it a zombie."""
        return (PROC / str(self.pid)).exists()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive:
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)


@dataclass(frozen=True, slots=True)
class _Stat:
    state: str
    parent: int
    start: int


def _stat(pid: int) -> _Stat | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The command's name may hold blanks and brackets: fields count from its last bracket.
    fields = text.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return _Stat(fields[0], int(fields[1]), int(fields[19]))


def owned(marker: str, namespaces: Iterable[str] = ()) -> list[Process]:
    """Every process in a control group below `marker` or in one of the given mount or
    network namespaces (as `mnt:[…]`), and all their descendants."""
    wanted = set(namespaces)
    stats = {pid: stat for pid in _pids() if (stat := _stat(pid))}
    ours = {pid for pid in stats if _belongs(pid, marker, wanted)}
    grown = True
    while grown:
        more = {pid for pid, stat in stats.items() if stat.parent in ours} - ours
        ours |= more
        grown = bool(more)
    return [Process(pid, stats[pid].start) for pid in sorted(ours)]


def family(pid: int) -> Iterator[int]:
    """A process and its descendants; OSError when one of them is gone."""
    yield pid
    for child in (PROC / f"{pid}/task/{pid}/children").read_text().split():
        yield from family(int(child))


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _belongs(pid: int, marker: str, namespaces: set[str]) -> bool:
    if any(marker in path + "/" for path in cgroups.paths_of(pid)):
        return True
    return bool(namespaces & {namespace(pid, "mnt"), namespace(pid, "net")})


def namespace(pid: int, kind: str) -> str:
    """The name of a process's namespace, as `net:[4026531840]`; empty when it is gone."""
    try:
        return str((PROC / str(pid) / "ns" / kind).readlink())
    except OSError:
        return ""


def wait_until(condition: Callable[[], bool], timeout: float, step: float = 0.01) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(step)
    return True


def _all_gone(processes: list[Process]) -> bool:
    return not any(process.alive for process in processes)


def end(processes: Callable[[], list[Process]], timeout: float) -> list[Process]:
    """Kill what the function finds until it finds nothing; return what is left in the end."""
    deadline = time.monotonic() + timeout
    while left := processes():
        if time.monotonic() >= deadline:
            return left
        for process in left:
            process.signal(signal.SIGKILL)
        wait_until(partial(_all_gone, left), 0.5)
    return []
