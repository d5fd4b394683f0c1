"""Interfaces and their addresses, by netlink (pyroute2).

Everything that is made carries its owner as ``ifalias pyflat:<kind>:<id>``. The kernel does not
take an alias while it makes a link, so the link group says "ours" from the first message on.
"""

import errno
from collections.abc import Callable, Iterator
from typing import Any, Literal

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from pyflat import naming
from pyflat.dataplane.links import (
    LinkInfo,
    find_link,
    index_of,
    list_addresses,
    list_links,
    name_of,
    read_vxlan,
)
from pyflat.dataplane.namespace import Home
from pyflat.dataplane.objects import Address, Bridge, Hairpin, Veth
from pyflat.dataplane.overlay_objects import Gateway, GatewayPort, Vxlan
from pyflat.dataplane.reaper import Reaper
from pyflat.errors import BackendError, Conflict

#: Group of every link of ours ("pf"); only a hint of ownership, never deleted as a group.
GROUP = 0x7066

_NODAD = 2  # IFA_F_NODAD (linux/if_addr.h): usable at once, as nobody else can have it
# linux/neighbour.h: NTF_MASTER, NTF_STICKY, NUD_NOARP
_MASTER, _STICKY, _STATIC = 0x04, 0x40, 0x40
_GONE = {errno.ENODEV, errno.ENOENT, errno.EADDRNOTAVAIL}

Link = Bridge | GatewayPort | Gateway | Address | Vxlan | Veth | Hairpin


class Links:
    """The links of the namespace of the thread that makes this object.

    To be called by one thread at a time. ``home`` is the host's namespace if this is another:
    there containers' ends are made, for dockerd to find, and tunnels begin.
    """

    def __init__(self, home: Home | None = None) -> None:
        self._home = {} if home is None else {"net_ns_fd": home.fd}
        self._find_underlay = name_of if home is None else home.name_of
        self._inside = home is not None
        self._ip = IPRoute()
        self._reaper = Reaper()

    def add(self, item: Link) -> None:
        """Make the item, or change what stands there; raises Conflict or BackendError."""
        match item:
            case Bridge():
                self._add_bridge(item)
            case GatewayPort():
                peer = {"ifname": item.gateway, "group": GROUP}
                self._add_pair(item.name, peer, item.bridge, item.mtu)
                self._pin(item)
            case Gateway():
                self._raise(item)
            case Veth():
                self._add_veth(item)
            case Address():
                self._add_address(item)
            case Hairpin():
                self.request("brport", "set", index=require(item.port), mode=1)

    def delete(self, item: Link) -> None:
        """Remove the item; one that is not there is success. A veth pair goes soon after.

        The kernel waits for its readers before it lets go of a veth, 15 ms each time; the
        reaper lets pairs wait together.
        """
        match item:
            case Veth():
                self._reaper.put(item.name)
            case Bridge() | GatewayPort() | Gateway() | Vxlan():
                self._delete_link(item)
            case Address(device=device, address=address) if index := index_of(device):
                ip, length = str(address.ip), address.prefixlen
                self.request("addr", "del", index=index, address=ip, prefixlen=length, accept=_GONE)
            case Hairpin(port=port) if index := index_of(port):
                self.request("brport", "set", index=index, mode=0, accept=_GONE)

    def observe(self) -> set[Link]:
        """Read everything of ours; costs as much as the host has links and addresses."""
        going = set(self._reaper.pending)  # before the listing, or one could go in between
        links = list_links()
        names = {link.index: link.name for link in links}
        found: set[Link] = set()
        for link in filter(is_ours, links):
            if link.name in going:
                continue
            bridge = names.get(link.master, "")
            found.update(made_of(link, bridge, self._find_underlay, inside=self._inside))
        bridges = {link.index: link.name for link in links if _bears_gateway(link)}
        for info in list_addresses():
            if info.index in bridges:
                found.add(Address(device=bridges[info.index], address=info.address))
        return found

    def whereabouts(self, host_end: str) -> Literal["gone", "home", "away"]:
        """Tell where the other end of a pair is: in a container (away), or with us (home)."""
        link = find_link(host_end)
        if link is None:
            return "gone"
        return "away" if link.peer_is_away else "home"

    def exists(self, name: str) -> bool:
        """Say whether there is an interface of that name."""
        return bool(index_of(name))

    def close(self) -> None:
        """Finish the pending removals and end."""
        self._reaper.close()
        self._ip.close()

    def _add_bridge(self, item: Bridge) -> None:
        try:
            self._ip.link("add", ifname=item.name, kind="bridge", address=item.mac, group=GROUP)
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise BackendError(f"bridge {item.name}: {error}") from error
            self.check_ours(item.name)
        # The MTU is set here and not above: only so does the kernel keep it as set by a user
        # when ports come and go (net/bridge/br_if.c, br_mtu_auto_adjust).
        self._raise(item)

    def _pin(self, item: GatewayPort) -> None:
        """Keep the gateway's MAC at its port: other hosts' gateways have the same one."""
        values: dict[str, Any] = {"lladdr": item.mac, "flags": _MASTER | _STICKY, "state": _STATIC}
        self.request("fdb", "replace", ifindex=require(item.name), **values)

    def _raise(self, item: Bridge | Gateway) -> None:
        self.request(
            "link",
            "set",
            ifname=item.name,
            address=item.mac,
            mtu=item.mtu,
            ifalias=f"pyflat:network:{item.owner}",
            state="up",
        )

    def _delete_link(self, item: Bridge | GatewayPort | Gateway | Vxlan) -> None:
        # A refused network is taken back as well: the interface that stood in its way stays.
        link = find_link(item.name)
        if link is not None and is_ours(link):
            self.request("link", "del", index=link.index, accept=_GONE)

    def check_ours(self, name: str) -> None:
        """Raise Conflict if an interface has the name that is not pyflat's."""
        link = find_link(name)
        if link is not None and not is_ours(link):
            raise Conflict(
                f"interface {name} exists already and is not pyflat's; "
                "choose another com.docker.network.bridge.name"
            )

    def _add_veth(self, item: Veth) -> None:
        self._reaper.await_end(item.name)
        # The peer bears no group: in a container it must not look like a link of a pyflat there.
        peer = {"ifname": item.peer, "address": item.mac}
        self._add_pair(item.name, peer, item.bridge, item.mtu)
        alias = f"pyflat:endpoint:{item.owner}"
        self.request("link", "set", ifname=item.name, ifalias=alias)

    def _add_pair(self, name: str, peer: dict[str, Any], bridge: str, mtu: int) -> None:
        """Make a pair of which one end is a port, or mend the port. Raises BackendError."""
        port: dict[str, Any] = {
            "ifname": name,
            "master": require(bridge),
            "mtu": mtu,
            "state": "up",
        }
        end = {**peer, "mtu": mtu, **self._home}
        try:
            self._ip.link("add", kind="veth", group=GROUP, peer=end, **port)
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise BackendError(f"interface {name}: {error}") from error
            self.request("link", "set", **port)

    def _add_address(self, item: Address) -> None:
        self.request(
            "addr",
            "add",
            index=require(item.device),
            address=str(item.address.ip),
            prefixlen=item.address.prefixlen,
            flags=_NODAD if item.address.version == 6 else 0,
            accept={errno.EEXIST},
        )

    def request(
        self, method: str, verb: str, *, accept: set[int] | None = None, **values: Any
    ) -> None:
        """Send one request; an error number to ``accept`` is success. Raises BackendError."""
        call: Callable[..., Any] = getattr(self._ip, method)
        try:
            call(verb, **values)
        except NetlinkError as error:
            if error.code not in (accept or ()):
                subject = values.get("ifname") or values.get("address") or values.get("index")
                raise BackendError(f"{method} {verb} {subject}: {error}") from error


def require(name: str) -> int:
    """Give the index of an interface. Raises BackendError if there is none."""
    index = index_of(name)
    if not index:
        raise BackendError(f"interface {name} is gone; `pyflat serve` makes it anew at its start")
    return index


def is_ours(link: LinkInfo) -> bool:
    """Say whether an interface was made by pyflat."""
    named = naming.LINK_NAME.fullmatch(link.name) is not None
    return named or link.group == GROUP or link.alias.startswith("pyflat:")


def made_of(
    link: LinkInfo, bridge: str, find_underlay: Callable[[int], str], *, inside: bool
) -> Iterator[Bridge | GatewayPort | Gateway | Vxlan | Veth | Hairpin]:
    """Give what an interface of ours is; ``bridge`` is the name of its bridge, or "".

    ``find_underlay`` names an interface of the host by its index.
    """
    owner = link.alias.rpartition(":")[2]
    common: dict[str, Any] = {"name": link.name, "mtu": link.mtu, "owner": owner, "up": link.up}
    match link.kind:
        case "bridge":
            yield Bridge(mac=link.mac, inside=inside, **common)
        case "vxlan":
            own = read_vxlan(link.data, find_underlay)
            yield Vxlan(bridge=bridge, inside=inside, **own, **common)
        case "veth" if _bears_gateway(link):
            yield Gateway(mac=link.mac, **common)
        case "veth" if link.name.startswith("pg-"):
            yield GatewayPort(name=link.name, bridge=bridge, mtu=link.mtu, up=link.up)
        case "veth" if not link.name.startswith("pe-"):
            yield Veth(bridge=bridge, inside=inside, **common)
            if link.hairpin:
                yield Hairpin(port=link.name)


def _bears_gateway(link: LinkInfo) -> bool:
    """Say whether the host's end of a network is this interface of ours."""
    named = link.name.startswith("pf-") or link.alias.startswith("pyflat:network:")
    return is_ours(link) and named and not link.name.startswith(("pg-", "px-", "pb-"))
