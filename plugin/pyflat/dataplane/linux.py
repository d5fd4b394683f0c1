"""The real kernel: each kind of object to the part that knows how to make it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal

from netaddr import IPAddress

from pyflat.dataplane.docker_user import DockerUser
from pyflat.dataplane.netlink import Links
from pyflat.dataplane.nftables import Nftables
from pyflat.dataplane.objects import (
    DockerAccept,
    Element,
    Forwarding,
    HostPort,
    Object,
    Sysctl,
    Table,
    Uplink,
)
from pyflat.dataplane.plan import Step
from pyflat.dataplane.ports import Ports
from pyflat.dataplane.switches import Switches
from pyflat.errors import PyflatError


class LinuxKernel:
    """The kernel of the network namespace this process is in; implements ``Kernel``.

    ``mark`` is one bit of the packet mark, ``sysctl_root`` is ``/proc/sys/net`` or where it is
    mounted. Raises StartupError where libnftables is missing.
    """

    def __init__(self, *, mark: int, sysctl_root: Path, uplinks: Iterable[str] = ()) -> None:
        self._links = Links()
        self._tables = Nftables(mark)
        self._ports = Ports()
        self._switches = Switches(sysctl_root)
        self._docker_user = DockerUser(mark)
        self._extra_uplinks = frozenset(uplinks)

    def apply(self, steps: Sequence[Step], *, keep_going: bool = False) -> list[PyflatError]:
        """See ``Kernel.apply``; neighbouring firewall steps are one transaction."""
        errors: list[PyflatError] = []
        for batch in _batches(steps):
            try:
                self._apply(batch)
            except PyflatError as error:
                if not keep_going:
                    raise
                errors.append(error)
        return errors

    def observe(self, wanted: Iterable[Object]) -> set[Object]:
        """See ``Kernel.observe``."""
        switches = (o for o in wanted if isinstance(o, Sysctl | Forwarding))
        return {
            *self._links.observe(),
            *self._tables.observe(),
            *self._ports.observe(),
            *self._switches.observe(switches),
            *self._docker_user.observe(),
        }

    def whereabouts(self, host_end: str) -> Literal["gone", "home", "away"]:
        """See ``Kernel.whereabouts``."""
        return self._links.whereabouts(host_end)

    def free(self, protocol: str, host: IPAddress, port: int) -> bool:
        """See ``Kernel.free``."""
        return self._ports.free(protocol, host, port)

    def uplinks(self) -> set[Uplink]:
        """See ``Kernel.uplinks``."""
        routed = self._switches.routed()
        names = self._links.uplinks(self._extra_uplinks)
        return {Uplink(device=name, routed=routed) for name in names}

    def close(self) -> None:
        """See ``Kernel.close``."""
        self._links.close()
        self._ports.close()
        self._tables.close()

    def _apply(self, batch: Sequence[Step]) -> None:
        if _is_firewall(batch[0]):
            self._tables.apply(batch)
            return
        (step,) = batch
        match step.object:
            case HostPort() as item:
                _do(self._ports, step.verb, item)
            case Sysctl() | Forwarding() as item:
                _do(self._switches, step.verb, item)
            case DockerAccept() as item:
                _do(self._docker_user, step.verb, item)
            case item:
                _do(self._links, step.verb, item)


def _do(part: object, verb: str, item: Object) -> None:
    getattr(part, verb)(item)


def _is_firewall(step: Step) -> bool:
    return isinstance(step.object, Table | Element)


def _batches(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    for firewall, group in groupby(steps, _is_firewall):
        if firewall:
            yield tuple(group)
        else:
            yield from ((step,) for step in group)
