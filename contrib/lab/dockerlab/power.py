"""A power cut: what a host has lost when it boots again."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from dockerlab import cgroups, mounts, namespaces, processes
from dockerlab.errors import LabError
from dockerlab.processes import Process

if TYPE_CHECKING:
    from dockerlab.host import Host

_UPLINKS = {"lo", "eth0"}
#: Where what is mounted comes from daemons, not from the lab.
_MOUNTED = (PurePosixPath("/run"), PurePosixPath("/var/lib/docker"))


def cut(host: Host) -> None:
    """End all that a host runs at once, by KILL, and leave it as a boot finds it.

    What it has on disk stays. Its links but eth0, its nftables, its /run and the forwarding that
    somebody switched on are gone. LabError if something does not end.
    """
    holder = host.holder
    marker = f"{cgroups.marker(host.lab)}{host.name}/"

    def find() -> list[Process]:
        return [process for process in processes.owned(marker) if process != holder]

    if processes.end(find, timeout=20):
        raise LabError(f"processes of {host.name} of lab {host.lab} do not end")
    for place in _mounted(holder):
        # Some are the machine's own, hidden below the host's folders: these cannot be unmounted.
        host.run("umount", "--lazy", place)
    mounts.empty_run(host.folder)
    _forget_network(host)


def _mounted(holder: Process | None) -> list[str]:
    """What daemons have mounted, the innermost first."""
    if holder is None:
        return []
    lines = Path(f"/proc/{holder.pid}/mountinfo").read_text().splitlines()
    places = (PurePosixPath(line.split()[4]) for line in lines)
    below = (place for place in places if any(top in place.parents for top in _MOUNTED))
    return sorted(map(str, below), reverse=True)


def _forget_network(host: Host) -> None:
    host.run("nft", "flush", "ruleset", check=True)
    for name in host.run("ls", "/sys/class/net", check=True).stdout.split():
        if name not in _UPLINKS:
            # A pair goes with its other end.
            host.run("ip", "link", "delete", name)
    namespaces.stop_forwarding(host.netns)
