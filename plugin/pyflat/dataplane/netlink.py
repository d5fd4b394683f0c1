"""Interfaces and their addresses, by netlink (pyroute2).

Everything that is made carries its owner as ``ifalias pyflat:<kind>:<id>``. The kernel does not
take an alias while it makes a link, so the link group says "ours" from the first message on.
"""

import errno
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from netaddr import IPNetwork
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from pyflat import naming
from pyflat.dataplane.objects import Address, Bridge, Hairpin, Veth
from pyflat.dataplane.reaper import Reaper
from pyflat.errors import BackendError, Conflict

#: Group of every link of ours ("pf"); only a hint of ownership, never deleted as a group.
GROUP = 0x7066

_NODAD = 2  # IFA_F_NODAD (linux/if_addr.h): usable at once, as nobody else can have it
_RTN_UNICAST = 1  # linux/rtnetlink.h
_GONE = {errno.ENODEV, errno.ENOENT, errno.EADDRNOTAVAIL}

Link = Bridge | Address | Veth | Hairpin


class Links:
    """The links of the namespace this process is in. To be called by one thread at a time."""

    def __init__(self) -> None:
        self._ip = IPRoute()
        self._reaper = Reaper()

    def add(self, item: Link) -> None:
        """Make the item, or change what stands there; raises Conflict or BackendError."""
        match item:
            case Bridge():
                self._add_bridge(item)
            case Veth():
                self._add_veth(item)
            case Address():
                self._add_address(item)
            case Hairpin():
                self._request("brport", "set", index=_index(item.port), mode=1)

    def delete(self, item: Link) -> None:
        """Remove the item; one that is not there is success. A veth pair goes soon after.

        The kernel waits for its readers before it lets go of a veth, 15 ms each time; the
        reaper lets pairs wait together.
        """
        match item:
            case Veth():
                self._reaper.put(item.name)
            case Bridge():
                self._delete_bridge(item)
            case Address(device=device, address=address) if index := _find(device):
                ip, length = str(address.ip), address.prefixlen
                self._request(
                    "addr", "del", index=index, address=ip, prefixlen=length, accept=_GONE
                )
            case Hairpin(port=port) if index := _find(port):
                self._request("brport", "set", index=index, mode=0, accept=_GONE)

    def observe(self) -> set[Link]:
        """Read everything of ours; costs as much as the host has links and addresses."""
        links = list(self._ip.get_links())
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in links}
        found: set[Link] = set()
        for link in filter(_is_ours, links):
            found.update(_read_link(link, names))
        bridges = {_find(item.name): item.name for item in found if isinstance(item, Bridge)}
        found.update(_read_addresses(self._ip.get_addr(), bridges))
        return found

    def whereabouts(self, host_end: str) -> Literal["gone", "home", "away"]:
        """Tell where the other end of a pair is: in a container (away), or with us (home)."""
        try:
            (link,) = self._ip.link("get", ifname=host_end)
        except NetlinkError as error:
            if error.code == errno.ENODEV:
                return "gone"
            raise BackendError(f"link {host_end}: {error}") from error
        return "home" if link.get_attr("IFLA_LINK_NETNSID") is None else "away"

    def uplinks(self, further: Iterable[str]) -> set[str]:
        """Name the interfaces that a default route leaves by, and those of ``further`` there are.

        Raises BackendError.
        """
        try:
            routes = [
                route
                for family in (socket.AF_INET, socket.AF_INET6)
                for route in self._ip.get_default_routes(family)
            ]
        except NetlinkError as error:
            raise BackendError(f"routes: {error}") from error
        names = (_name(index) for route in routes for index in _outgoing(route))
        # A name that nft could not be told is left out.
        found = {name for name in names if name and naming.is_interface_name(name)}
        return found | {name for name in further if _find(name)}

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
            self._check_ours(item)
        # The MTU is set here and not above: only so does the kernel keep it as set by a user
        # when ports come and go (net/bridge/br_if.c, br_mtu_auto_adjust).
        self._request(
            "link",
            "set",
            ifname=item.name,
            address=item.mac,
            mtu=item.mtu,
            ifalias=f"pyflat:network:{item.owner}",
            state="up",
        )

    def _delete_bridge(self, item: Bridge) -> None:
        # A refused network is taken back as well: the interface that stood in its way stays.
        try:
            (link,) = self._ip.link("get", ifname=item.name)
        except NetlinkError as error:
            if error.code in _GONE:
                return
            raise BackendError(f"bridge {item.name}: {error}") from error
        if _is_our_bridge(link):
            self._request("link", "del", index=link["index"], accept=_GONE)

    def _check_ours(self, item: Bridge) -> None:
        (link,) = self._ip.link("get", ifname=item.name)
        if not _is_our_bridge(link):
            raise Conflict(
                f"interface {item.name} exists already and is not pyflat's; "
                "choose another com.docker.network.bridge.name"
            )

    def _add_veth(self, item: Veth) -> None:
        master = _index(item.bridge)
        # The peer bears no group: in a container it must not look like a link of a pyflat there.
        peer = {"ifname": item.peer, "address": item.mac, "mtu": item.mtu}
        try:
            self._ip.link(
                "add",
                ifname=item.name,
                kind="veth",
                master=master,
                mtu=item.mtu,
                group=GROUP,
                state="up",
                peer=peer,
            )
        except NetlinkError as error:
            if error.code != errno.EEXIST:
                raise BackendError(f"interface {item.name}: {error}") from error
            self._request("link", "set", ifname=item.name, master=master, mtu=item.mtu, state="up")
        alias = f"pyflat:endpoint:{item.owner}"
        self._request("link", "set", ifname=item.name, ifalias=alias)

    def _add_address(self, item: Address) -> None:
        self._request(
            "addr",
            "add",
            index=_index(item.device),
            address=str(item.address.ip),
            prefixlen=item.address.prefixlen,
            flags=_NODAD if item.address.version == 6 else 0,
            accept={errno.EEXIST},
        )

    def _request(
        self, method: str, verb: str, *, accept: set[int] | None = None, **values: Any
    ) -> None:
        call: Callable[..., Any] = getattr(self._ip, method)
        try:
            call(verb, **values)
        except NetlinkError as error:
            if error.code not in (accept or ()):
                subject = values.get("ifname") or values.get("address") or values.get("index")
                raise BackendError(f"{method} {verb} {subject}: {error}") from error


def _find(name: str) -> int | None:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


def _name(index: int) -> str | None:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return None


def _index(name: str) -> int:
    index = _find(name)
    if index is None:
        raise BackendError(f"interface {name} is gone; `pyflat serve` makes it anew at its start")
    return index


def _kind(link: Any) -> str | None:
    kind: str | None = link.get_nested("IFLA_LINKINFO", "IFLA_INFO_KIND")
    return kind


def _is_ours(link: Any) -> bool:
    alias = link.get_attr("IFLA_IFALIAS") or ""
    name = link.get_attr("IFLA_IFNAME")
    return (
        alias.startswith("pyflat:")
        or link.get_attr("IFLA_GROUP") == GROUP
        or naming.LINK_NAME.fullmatch(name) is not None
    )


def _is_our_bridge(link: Any) -> bool:
    return _kind(link) == "bridge" and _is_ours(link)


def _read_link(link: Any, names: dict[int, str]) -> Iterator[Link]:
    name, mtu = link.get_attr("IFLA_IFNAME"), link.get_attr("IFLA_MTU")
    owner = (link.get_attr("IFLA_IFALIAS") or "").rpartition(":")[2]
    kind = _kind(link)
    if kind == "bridge":
        yield Bridge(name=name, mac=link.get_attr("IFLA_ADDRESS"), mtu=mtu, owner=owner)
    elif kind == "veth" and not name.startswith("pe-"):
        bridge = names.get(link.get_attr("IFLA_MASTER") or 0, "")
        yield Veth(name=name, bridge=bridge, mtu=mtu, owner=owner)
        if link.get_nested("IFLA_LINKINFO", "IFLA_INFO_SLAVE_DATA", "IFLA_BRPORT_MODE"):
            yield Hairpin(port=name)


def _read_addresses(messages: Any, bridges: dict[int | None, str]) -> Iterator[Address]:
    for message in messages:
        device = bridges.get(message["index"])
        address = IPNetwork(f"{message.get_attr('IFA_ADDRESS')}/{message['prefixlen']}")
        if device is not None and not address.ip.is_link_local():
            yield Address(device=device, address=address)


def _outgoing(route: Any) -> Iterator[int]:
    if route["type"] != _RTN_UNICAST:
        return  # it keeps packets from going anywhere
    if index := route.get_attr("RTA_OIF"):
        yield index
    for hop in route.get_attr("RTA_MULTIPATH") or ():
        yield hop["oif"]
