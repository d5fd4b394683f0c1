"""The real kernel: each kind of object to the part that knows how to make it."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Literal

from netaddr import IPAddress, IPNetwork

from pyflat.dataplane.conntrack import forget
from pyflat.dataplane.docker_user import DockerUser
from pyflat.dataplane.mappings import bindings_of
from pyflat.dataplane.netlink import Links
from pyflat.dataplane.nftables import Nftables
from pyflat.dataplane.objects import (
    DockerAccept,
    Element,
    Forwarding,
    HostPort,
    Object,
    Surroundings,
    Sysctl,
    Table,
    Uplink,
)
from pyflat.dataplane.plan import Step
from pyflat.dataplane.ports import Ports
from pyflat.dataplane.routes import name_servers, read_routes
from pyflat.dataplane.switches import Switches
from pyflat.errors import BackendError, PyflatError
from pyflat.model import PortBinding
from pyflat.naming import is_interface_name

log = logging.getLogger(__name__)


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
        self._further_uplinks = frozenset(uplinks)
        self._background = ThreadPoolExecutor(max_workers=1, thread_name_prefix="conntrack")

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

    def remains(self) -> set[Object]:
        """Read what a plugin of an earlier time has left: links, addresses and elements."""
        return {*self._links.observe(), *self._tables.elements()}

    def whereabouts(self, host_end: str) -> Literal["gone", "home", "away"]:
        """See ``Kernel.whereabouts``."""
        return self._links.whereabouts(host_end)

    def is_pinned(self, sandbox: str) -> bool:
        """See ``Kernel.is_pinned``; dockerd mounts the namespace on its path."""
        return os.path.ismount(sandbox)

    def has_untold_drift(self) -> bool:
        """See ``Kernel.has_untold_drift``: legacy iptables sends none."""
        return self._docker_user.is_legacy() and len(self._docker_user.observe()) < 2

    def free(self, protocol: str, host: IPAddress, port: int) -> bool:
        """See ``Kernel.free``."""
        return self._ports.free(protocol, host, port)

    def surroundings(self) -> Surroundings:
        """See ``Kernel.surroundings``."""
        routes, routed = read_routes(), self._switches.routed()
        names = {n for route in routes if not route.destination.prefixlen for n in route.devices}
        names |= {name for name in self._further_uplinks if self._links.exists(name)}
        subnets = (route.destination for route in routes if route.destination.prefixlen)
        servers = (IPNetwork(address) for address in name_servers())
        return Surroundings(
            # A name that nft could not be told is left out.
            uplinks=frozenset(
                Uplink(device=name, routed=routed) for name in filter(is_interface_name, names)
            ),
            occupied=frozenset((*subnets, *servers)),
            ephemeral=self._switches.ephemeral(),
        )

    def close(self) -> None:
        """See ``Kernel.close``."""
        self._background.shutdown()
        self._links.close()
        self._ports.close()
        self._tables.close()

    def _apply(self, batch: Sequence[Step]) -> None:
        if _is_firewall(batch[0]):
            self._tables.apply(batch)
            if ports := _udp_ports(batch):
                self._background.submit(_forget, ports)
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


def _udp_ports(batch: Iterable[Step]) -> list[PortBinding]:
    """Give the UDP ports that a batch publishes or withdraws."""
    elements = (step.object for step in batch if isinstance(step.object, Element))
    return [port for port in bindings_of(elements) if port.protocol == "udp"]


def _forget(ports: Sequence[PortBinding]) -> None:
    try:
        forget(ports)
    except BackendError as error:
        log.warning("%s: flows to withdrawn UDP ports may go on", error)


def _batches(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    for firewall, group in groupby(steps, _is_firewall):
        if firewall:
            yield tuple(group)
        else:
            yield from ((step,) for step in group)
