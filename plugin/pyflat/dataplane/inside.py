"""The part of the kernel that lies in the namespace of pyflat's own, if there is one."""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from netaddr import IPAddress

from pyflat import naming
from pyflat.dataplane.announce import announce
from pyflat.dataplane.links import index_of
from pyflat.dataplane.namespace import Namespace, may_enter
from pyflat.dataplane.netlink import Links
from pyflat.dataplane.objects import Element, Object, Table
from pyflat.dataplane.overlay_objects import GatewayPort, Vxlan
from pyflat.dataplane.place import Place, is_entry
from pyflat.dataplane.plan import Step
from pyflat.dataplane.tunnels import attach_vxlan, make_vxlan
from pyflat.errors import BackendError

log = logging.getLogger(__name__)


class Inside:
    """Enters the namespace when it is needed first, or at once if there is one already.

    ``path`` None means that there is to be none. To be called by one thread at a time.
    """

    def __init__(self, path: Path | None, sysctl_root: Path, mark: int) -> None:
        self._path = path
        self._sysctl_root = sysctl_root
        self._mark = mark
        self._entered: tuple[Namespace, Place] | None = None
        self._is_kept = True  # as long as it could be put back on its path
        self._followers: list[Callable[[Namespace], None]] = []
        if self.is_possible() and path is not None and os.path.ismount(path):
            self._enter()

    def is_possible(self) -> bool:
        """Say whether bridges can be made in there, and last."""
        return self._path is not None and may_enter(self._path)

    def follow(self, follower: Callable[[Namespace], None]) -> None:
        """Have a follower told of the namespace as soon as it is entered."""
        self._followers.append(follower)
        if self._entered is not None:
            follower(self._entered[0])

    def apply(self, batch: Sequence[Step], host: Links) -> None:
        """Carry out steps that belong together; ``host`` makes what begins there."""
        namespace, place = self._enter()
        step = batch[0]
        match step.object:
            case Table() | Element():
                namespace.run(place.tables.apply, batch)
            case item if is_entry(item):
                namespace.run(place.entries.apply, batch)
            case Vxlan() as item if step.verb == "add":
                namespace.run(place.links.delete, item)
                make_vxlan(host, item, namespace.fd)
                namespace.run(attach_vxlan, place.links, item)
            case GatewayPort() as item if step.verb == "add":
                host.check_ours(item.gateway)
                namespace.run(place.links.add, item)
            case item:
                namespace.run(getattr(place.links, step.verb), item)

    def announce(self, bridge: str, address: IPAddress, mac: str) -> None:
        """See ``Kernel.announce``."""
        if self._entered is not None:
            self._entered[0].run(announce, bridge, address, mac)

    def observe(self) -> set[Object]:
        """Read all objects of ours that are there."""
        if self._entered is None:
            return set()
        namespace, place = self._entered
        self._keep(namespace)
        return namespace.run(place.observe)

    def remains(self) -> set[Object]:
        """Read what a plugin of an earlier time has left."""
        if self._entered is None:
            return set()
        namespace, place = self._entered
        return namespace.run(place.remains)

    def whereabouts(self, host_end: str) -> Literal["gone", "home", "away"]:
        """See ``Kernel.whereabouts``: the other end of a pair is made in the host's namespace."""
        if self._entered is None or not self._entered[0].run(index_of, host_end):
            return "gone"
        return "home" if index_of(naming.other_end(host_end)) else "away"

    def is_loose(self) -> bool:
        """Say whether somebody took the namespace from its path, which ``observe`` mends."""
        return self._entered is not None and self._is_kept and not self._entered[0].hangs()

    def close(self) -> None:
        """Finish what is pending and leave the namespace; it stays."""
        if self._entered is not None:
            namespace, place = self._entered
            namespace.run(place.close)
            namespace.close()

    def _keep(self, namespace: Namespace) -> None:
        if namespace.hangs():
            self._is_kept = True
        elif self._is_kept:
            try:
                namespace.hang()
                log.warning("namespace %s hangs on its path again", self._path)
            except BackendError as error:
                self._is_kept = False
                log.warning("%s", error)

    def _enter(self) -> tuple[Namespace, Place]:
        if self._entered is None:
            if self._path is None or not may_enter(self._path):
                raise BackendError(
                    f"namespace {self._path or 'of pyflat'}: networks lie in there, and pyflat "
                    "may not enter it: see PYFLAT_NAMESPACE and CAP_SYS_ADMIN"
                )
            namespace = Namespace(self._path, self._sysctl_root)
            place = namespace.run(Place, self._mark, namespace.home)
            self._entered = namespace, place
            for follower in self._followers:
                follower(namespace)
        return self._entered
