"""Taking a lab away, from its record and its names alone: whatever is there of it goes."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from dockerlab import cgroups, namespaces, parallel, processes
from dockerlab.commands import call
from dockerlab.errors import LabError
from dockerlab.processes import Process
from dockerlab.state import State, names


def down(state: State) -> None:
    """End every process of the lab, and remove its namespaces, mounts, groups and folders.

    LabError when something could not be ended or removed; what is left can be tried again.
    """
    marker = cgroups.marker(state.name)
    if any(marker in path + "/" for path in cgroups.paths_of(os.getpid())):
        raise LabError("this command runs inside the lab it would take down")
    spaces = _namespaces(state)
    leftovers: set[Path] = set()

    def find() -> list[Process]:
        found = processes.owned(marker, spaces)
        leftovers.update(cgroups.containers_of([process.pid for process in found]))
        return found

    left = processes.end(find, timeout=20)
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        raise LabError(f"processes of lab {state.name} do not end: {pids}")
    for name in state.namespaces.values():
        namespaces.delete(name)
    cgroups.remove(state.name, leftovers, last=names() == [state.name])
    _unmount(state.folder)
    _remove(state)


def _namespaces(state: State) -> set[str]:
    """The lab's namespaces as /proc/PID/ns shows them, but for any that is also the machine's."""
    found = {_named(name) for name in state.namespaces.values()}
    mine = {processes.namespace(os.getpid(), kind) for kind in ("mnt", "net")}
    first = {processes.namespace(1, kind) for kind in ("mnt", "net")}
    return found - mine - first - {""}


def _named(name: str) -> str:
    try:
        return f"net:[{namespaces.path(name).stat().st_ino}]"
    except FileNotFoundError:
        return ""


def _unmount(folder: Path) -> None:
    """Detach what is mounted below a folder in this mount namespace; normally that is nothing."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [line.split()[4] for line in lines]
    below = [place for place in places if place.startswith(f"{folder}/")]
    for place in sorted(below, reverse=True):
        call("umount", "--lazy", place)


def _remove(state: State) -> None:
    """Remove the folder, the record last: until then the lab can be taken down again."""
    parallel.each(_remove_part, (p for p in state.folder.iterdir() if p.name != "state.json"))
    shutil.rmtree(state.folder, ignore_errors=True)


def _remove_part(part: Path) -> None:
    # Mounts of a namespace that has just ended may take a moment to let go.
    tries = 20
    while True:
        try:
            call("rm", "-rf", "--one-file-system", "--", part)
            return
        except LabError:
            tries -= 1
            if not tries:
                raise
            time.sleep(0.1)
