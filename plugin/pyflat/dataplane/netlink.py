"""Interfaces and their addresses, by netlink (pyroute2).

Everything that is made carries its owner as ``ifalias pyflat:<kind>:<id>``. The kernel does not
take an alias while it makes a link, so the link group says "ours" from the first message on.
"""

import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any, Literal

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from pyflat import naming
from pyflat.dataplane.links import LinkInfo, find_link, list_addresses, list_links
from pyflat.dataplane.objects import Address, Bridge, Hairpin, Veth
from pyflat.dataplane.reaper import Reaper
from pyflat.errors import BackendError, Conflict

#: Group of every link of ours ("pf"); only a hint of ownership, never deleted as a group.
GROUP = 0x7066

_NODAD = 2  # IFA_F_NODAD (linux/if_addr.h): usable at once, as nobody else can have it
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
        going = set(self._reaper.pending)  # before the listing, or one could go in between
        links = list_links()
        names = {link.index: link.name for link in links}
        found: set[Link] = set()
        for link in filter(is_ours, links):
            if link.name in going:
                continue
            found.update(made_of(link, names.get(link.master, "")))
        bridges = {link.index: link.name for link in links if _is_our_bridge(link)}
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
        return _find(name) is not None

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
        link = find_link(item.name)
        if link is not None and _is_our_bridge(link):
            self._request("link", "del", index=link.index, accept=_GONE)

    def _check_ours(self, item: Bridge) -> None:
        link = find_link(item.name)
        if link is not None and not _is_our_bridge(link):
            raise Conflict(
                f"interface {item.name} exists already and is not pyflat's; "
                "choose another com.docker.network.bridge.name"
            )

    def _add_veth(self, item: Veth) -> None:
        self._reaper.await_end(item.name)
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


def _index(name: str) -> int:
    index = _find(name)
    if index is None:
        raise BackendError(f"interface {name} is gone; `pyflat serve` makes it anew at its start")
    return index


def is_ours(link: LinkInfo) -> bool:
    """Say whether an interface was made by pyflat."""
    named = naming.LINK_NAME.fullmatch(link.name) is not None
    return named or link.group == GROUP or link.alias.startswith("pyflat:")


def made_of(link: LinkInfo, bridge: str) -> Iterator[Bridge | Veth | Hairpin]:
    """Give what an interface of ours is; ``bridge`` is the name of its bridge, or ""."""
    owner = link.alias.rpartition(":")[2]
    if link.kind == "bridge":
        yield Bridge(name=link.name, mac=link.mac, mtu=link.mtu, owner=owner, up=link.up)
    elif link.kind == "veth" and not link.name.startswith("pe-"):
        yield Veth(name=link.name, bridge=bridge, mtu=link.mtu, owner=owner, up=link.up)
        if link.hairpin:
            yield Hairpin(port=link.name)


def _is_our_bridge(link: LinkInfo) -> bool:
    return link.kind == "bridge" and is_ours(link)
