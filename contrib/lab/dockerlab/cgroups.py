"""Control groups: how a lab's processes are found again, whoever started or lost them.

Below one group per lab, /pyflat-lab/NAME/MACHINE, `daemons` holds what the lab runs and
`containers` is the parent dockerd is given. Version 1, version 2 and both at once will do.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from dockerlab.errors import LabError

ROOT = "pyflat-lab"
_CONTAINER = re.compile(r"[0-9a-f]{64}")


def marker(lab: str) -> str:
    """What every control group path of this lab contains."""
    return f"/{ROOT}/{lab}/"


def parent(lab: str, machine: str) -> str:
    """The control group that holds a host's containers."""
    return f"/{ROOT}/{lab}/{machine}/containers"


def paths_of(pid: int) -> list[str]:
    """The control group paths of a process, one per tree; empty when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return []
    return [line.split(":", 2)[2] for line in lines]


def trees() -> list[tuple[str, Path]]:
    """The mounted trees, as (kind, mount point): kind is `cgroup2` or version 1's options."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            found.append((kind if kind == "cgroup2" else options, Path(before.split()[4])))
    return found


def _tree() -> Path:
    """The tree that tells whose a process is; version 2 where there is one."""
    mounted = trees()
    for kind, path in mounted:
        if kind == "cgroup2":
            return path
    for kind, path in mounted:
        # A new cpuset group takes no process before it is given processors.
        if "cpuset" not in kind:
            return path
    raise LabError("no control groups are mounted on this machine")


def make(lab: str, machine: str) -> None:
    """Make the groups of one machine."""
    group = _tree() / ROOT / lab / machine / "daemons"
    try:
        try:
            group.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError:
            # The last lab that went away has just taken the parent with it.
            group.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"cannot make a control group: {error}") from error


def door(lab: str, machine: str) -> Path:
    """The file to which a process writes 0 to become the machine's."""
    return _tree() / ROOT / lab / machine / "daemons" / "cgroup.procs"


def containers_of(pids: list[int]) -> set[Path]:
    """Groups named after a container in which these processes are, wherever they lie."""
    mounted = [path for _, path in trees()]
    paths = {p for pid in pids for p in paths_of(pid) if _CONTAINER.search(p)}
    return {tree / path.lstrip("/") for tree in mounted for path in paths}


def remove(lab: str, more: set[Path], *, last: bool) -> None:
    """Remove the lab's groups and the given ones, and with `last` what labs have in common;
    what still holds a process stays."""
    for path in more:
        _remove_below(path)
    for _, tree in trees():
        _remove_below(tree / ROOT / lab)
        if last:
            _rmdir(tree / ROOT)


def _remove_below(top: Path) -> None:
    for folder, _, _ in os.walk(top, topdown=False):
        _rmdir(Path(folder))


def _rmdir(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return
