"""Removes veth pairs in the background, many in one go.

What is still to be removed is written down nowhere: a pair without an endpoint is found by the
next start, which compares the kernel with State as a whole.
"""

import errno
import logging
import queue
import secrets
import socket
import struct
import threading
import time

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from pyflat.dataplane.raw import attributes, dump

log = logging.getLogger(__name__)

_PATIENCE = 5.0  # seconds
_RTM_GETLINK, _IFLA_GROUP = 18, 27  # linux/rtnetlink.h, linux/if_link.h
_IFINFO_LENGTH = 16  # struct ifinfomsg


class Reaper:
    """A thread that deletes links by name; may be fed by any thread."""

    def __init__(self) -> None:
        self._names: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.pending: set[str] = set()
        """The links that are still to go."""
        self._thread = threading.Thread(target=self._run, name="reaper", daemon=True)
        self._thread.start()

    def put(self, name: str) -> None:
        """Have a link deleted soon; one that is not there is success."""
        self.pending.add(name)
        self._names.put(name)

    def await_end(self, name: str) -> None:
        """Return when a link is no longer to go: another of its name would be taken for it."""
        deadline = time.monotonic() + _PATIENCE
        while name in self.pending and time.monotonic() < deadline:
            time.sleep(0.001)

    def close(self) -> None:
        """Delete what was asked for and end."""
        self._names.put(None)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        with IPRoute() as ip:
            while True:
                batch = self._take()
                names = [name for name in batch if name is not None]
                try:
                    _delete(ip, names)
                except (NetlinkError, OSError):
                    log.exception("interfaces %s are left to the next converge", names)
                self.pending.difference_update(names)
                if None in batch:
                    return

    def _take(self) -> list[str | None]:
        batch = [self._names.get()]
        while not self._names.empty():
            batch.append(self._names.get())
        return batch


def _delete(ip: IPRoute, names: list[str]) -> None:
    if len(names) < 2:
        for name in names:
            _delete_one(ip, name)
        return
    # The kernel removes a whole group with one wait for its readers, but whoever is in the
    # group goes: so its number is a new one each time, and its members are counted first.
    group = secrets.randbelow(2**31 - 2**17) + 2**17
    grouped = sum(_regroup(ip, name, group) for name in names)
    if grouped and _members(group) == grouped:
        ip.link("del", group=group)
    else:
        for name in names:
            _delete_one(ip, name)


def _delete_one(ip: IPRoute, name: str) -> None:
    try:
        ip.link("del", ifname=name)
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise


def _regroup(ip: IPRoute, name: str, group: int) -> bool:
    try:
        ip.link("set", ifname=name, group=group)
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise
        return False
    return True


def _members(group: int) -> int:
    """Count the links of a group."""
    wanted = struct.pack("=I", group)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        listing = dump(link, _RTM_GETLINK, bytes(_IFINFO_LENGTH))
        groups = (dict(attributes(m[_IFINFO_LENGTH:])).get(_IFLA_GROUP) for m in listing)
        return sum(1 for each in groups if each == wanted)
