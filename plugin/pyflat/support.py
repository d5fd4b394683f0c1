"""Hosts that pyflat does not support, told by what its own process can see."""

import os
from collections.abc import Iterator
from pathlib import Path

#: The map of the first user namespace: all ids are themselves (user_namespaces(7)).
_ALL_IDS = ["0", "0", "4294967295"]


def unsupported(switches: Path, process: Path = Path("/proc/self")) -> Iterator[str]:
    """Say what is not supported about this host, in words.

    ``switches`` is the host's ``/proc/sys/net``, ``process`` the folder of this process.
    """
    if (process / "uid_map").read_text().split() != _ALL_IDS:
        yield "a user namespace, as of rootless Docker (networks are made for the host)"
    if not os.access(switches / "ipv4/conf/all/forwarding", os.W_OK):
        yield f"{switches} is read-only (forwarding is switched on there)"
