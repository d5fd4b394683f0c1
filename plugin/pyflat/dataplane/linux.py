"""The real kernel: each kind of object to the part that knows how to make it."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Literal

from netaddr import IPAddress, IPNetwork

from pyflat.dataplane.announce import announce
from pyflat.dataplane.conntrack import forget
from pyflat.dataplane.docker_user import DockerUser
from pyflat.dataplane.inside import Inside
from pyflat.dataplane.mappings import bindings_of
from pyflat.dataplane.namespace import Namespace
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
from pyflat.dataplane.overlay_objects import Vxlan
from pyflat.dataplane.place import Place, is_entry, is_firewall, is_inside
from pyflat.dataplane.plan import Step
from pyflat.dataplane.ports import Ports
from pyflat.dataplane.routes import asked_servers, name_servers, read_routes
from pyflat.dataplane.switches import Switches
from pyflat.dataplane.tunnels import attach_vxlan, make_vxlan
from pyflat.dataplane.underlay import find_tunnel
from pyflat.errors import BackendError, PyflatError
from pyflat.model import PortBinding
from pyflat.naming import is_interface_name
from pyflat.peers import Tunnel

log = logging.getLogger(__name__)


class LinuxKernel:
    """The kernel of the network namespace this process is in; implements ``Kernel``.

    ``mark`` is one bit of the packet mark, ``sysctl_root`` is ``/proc/sys/net`` or where it is
    mounted, ``namespace`` the path of that of pyflat's own. Raises StartupError where
    libnftables is missing, BackendError for a namespace that cannot be entered.
    """

    def __init__(
        self,
        *,
        mark: int,
        sysctl_root: Path,
        namespace: Path | None = None,
        uplinks: Iterable[str] = (),
    ) -> None:
        self._host = Place(mark)
        self._inside = Inside(namespace, sysctl_root, mark)
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
            *self._host.observe(),
            *self._inside.observe(),
            *self._ports.observe(),
            *self._switches.observe(switches),
            *self._docker_user.observe(),
        }

    def remains(self) -> set[Object]:
        """Read what a plugin of an earlier time has left: links, addresses and elements."""
        return {*self._host.remains(), *self._inside.remains()}

    def whereabouts(self, host_end: str) -> Literal["gone", "home", "away"]:
        """See ``Kernel.whereabouts``."""
        found = self._host.links.whereabouts(host_end)
        return found if found != "gone" else self._inside.whereabouts(host_end)

    def is_pinned(self, sandbox: str) -> bool:
        """See ``Kernel.is_pinned``; dockerd mounts the namespace on its path."""
        return os.path.ismount(sandbox)

    def has_untold_drift(self) -> bool:
        """See ``Kernel.has_untold_drift``: legacy iptables sends none, nor do mounts."""
        legacy = self._docker_user.is_legacy() and len(self._docker_user.observe()) < 2
        return legacy or self._inside.is_loose()

    def stands(self, item: Forwarding) -> bool:
        """See ``Kernel.stands``."""
        return bool(self._switches.observe([item]))

    def free(self, protocol: str, host: IPAddress, port: int) -> bool:
        """See ``Kernel.free``."""
        return self._ports.free(protocol, host, port)

    def may_be_inside(self) -> bool:
        """See ``Kernel.may_be_inside``."""
        return self._inside.is_possible()

    def follow_inside(self, follower: Callable[[Namespace], None]) -> None:
        """Have a follower told of pyflat's namespace as soon as it is entered."""
        self._inside.follow(follower)

    def tunnel(
        self, device: str, towards: Iterable[IPAddress], known_by: IPAddress | None = None
    ) -> Tunnel:
        """See ``Kernel.tunnel``."""
        return find_tunnel(device, towards, known_by)

    def name_servers(self) -> tuple[IPAddress, ...]:
        """See ``Kernel.name_servers``."""
        return asked_servers()

    def announce(self, bridge: str, inside: bool, address: IPAddress, mac: str) -> None:
        """See ``Kernel.announce``."""
        if inside:
            self._inside.announce(bridge, address, mac)
        else:
            announce(bridge, address, mac)

    def surroundings(self) -> Surroundings:
        """See ``Kernel.surroundings``."""
        routes, routed = read_routes(), self._switches.routed()
        names = {n for route in routes if not route.destination.prefixlen for n in route.devices}
        names |= {name for name in self._further_uplinks if self._host.links.exists(name)}
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
        self._host.close()
        self._inside.close()
        self._ports.close()

    def _apply(self, batch: Sequence[Step]) -> None:
        step = batch[0]
        if is_inside(step.object):
            self._inside.apply(batch, self._host.links)
            return
        match step.object:
            case Table() | Element():
                self._host.tables.apply(batch)
                if ports := _udp_ports(batch):
                    self._background.submit(_forget, ports)
            case item if is_entry(item):
                self._host.entries.apply(batch)
            case HostPort() as item:
                _do(self._ports, step.verb, item)
            case Sysctl() | Forwarding() as item:
                _do(self._switches, step.verb, item)
            case DockerAccept() as item:
                _do(self._docker_user, step.verb, item)
            case Vxlan() as item if step.verb == "add":
                self._host.links.delete(item)
                make_vxlan(self._host.links, item, None)
                attach_vxlan(self._host.links, item)
            case item:
                _do(self._host.links, step.verb, item)


def _do(part: object, verb: str, item: Object) -> None:
    getattr(part, verb)(item)


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
    """Take together what is neighbouring and made in one go in one place."""
    for (_, firewall, entries), group in groupby(steps, _where):
        if firewall or entries:
            yield tuple(group)
        else:
            yield from ((step,) for step in group)


def _where(step: Step) -> tuple[bool, bool, bool]:
    return is_inside(step.object), is_firewall(step.object), is_entry(step.object)
