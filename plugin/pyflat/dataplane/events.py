"""The kernel's notifications about links, addresses, routes and firewalls, taken apart."""

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias

from pyflat.dataplane import entries, links, routes
from pyflat.dataplane.links import name_of
from pyflat.dataplane.netlink import is_ours, made_of
from pyflat.dataplane.objects import Address, Bridge, Forwarding, Veth
from pyflat.dataplane.overlay_objects import Gateway, GatewayPort, Vxlan
from pyflat.dataplane.raw import attributes, messages
from pyflat.dataplane.ruleset import TABLES

Link: TypeAlias = Bridge | GatewayPort | Gateway | Vxlan | Veth

#: linux/rtnetlink.h: RTNLGRP_NEIGH; RTNLGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE,
#: IPV4_NETCONF, IPV6_NETCONF; linux/netfilter/nfnetlink.h: NFNLGRP_NFTABLES.
NEIGHBOUR_GROUP, ROUTE_GROUPS, FIREWALL_GROUPS = 3, (1, 5, 7, 9, 11, 24, 25), (7,)

# linux/rtnetlink.h: RTM_NEWNETCONF; linux/netconf.h: NETCONFA_IFINDEX
_NEW_SWITCHES, _INDEX = 80, 1
_CONFIG = struct.Struct("=Bxxx")  # struct netconfmsg
_FAMILIES: dict[int, int] = {socket.AF_INET: 4, socket.AF_INET6: 6}

_NFTABLES = 10  # NFNL_SUBSYS_NFTABLES
# linux/netfilter/nf_tables.h, NFT_MSG_…: DELTABLE, DELCHAIN, DELRULE, DELSET, DELSETELEM
_REMOVALS, _NEW_RULE, _NEW_GENERATION = {2, 5, 8, 11, 14}, 6, 15
_OUR_TABLES = {f"{words.split()[1]}\0".encode() for words in TABLES.values()}
_DOCKER_CHAIN = b"DOCKER-USER\0"
_AUTHOR = struct.pack("=HH", 8, 2)  # an attribute NFTA_GEN_PROC_PID


@dataclass(slots=True)
class Events:
    """What has happened since the last look.

    ``links`` holds the last that was said of each link of ours, None if that it is gone;
    ``addresses`` those that were taken from our bridges, ``entries`` the keys of those that were
    taken from overlays, ``switched`` what may forward no more. ``firewall`` means that somebody
    else changed what is ours there, ``overrun`` that notifications were lost.
    """

    links: dict[str, Link | None] = field(default_factory=dict)
    addresses: set[Address] = field(default_factory=set)
    entries: set[tuple[object, ...]] = field(default_factory=set)
    switched: set[Forwarding] = field(default_factory=set)
    routes: bool = False
    firewall: bool = False
    overrun: bool = False


class Reader:
    """Collects the events of one namespace.

    ``find_name`` gives the name of an interface there by its index.
    """

    def __init__(self, find_name: Callable[[int], str] = name_of, *, inside: bool = False) -> None:
        self.events = Events()
        self._find_name = cache(find_name)  # a crowd of thousands is of a few interfaces
        self._inside = inside
        self._dirty = False  # from a removal to the end of its transaction

    def take(self) -> Events:
        """Give what has been collected, and begin anew."""
        self._find_name.cache_clear()
        events, self.events = self.events, Events()
        return events

    def read_routing(self, data: bytes) -> None:
        """Read notifications of NETLINK_ROUTE."""
        for kind, message in messages(data):
            match kind:
                case links.NEW_LINK | links.DELETE_LINK:
                    self._link(kind == links.DELETE_LINK, message)
                case links.NEW_ADDRESS | links.DELETE_ADDRESS:
                    self._address(kind == links.DELETE_ADDRESS, message)
                case entries.NEW_NEIGHBOUR:
                    pass  # most are of no concern to us, and others hardly ever make ours anew
                case entries.DELETE_NEIGHBOUR:
                    key = entries.read_key(message, self._find_name)
                    self.events.entries.update(() if key is None else (key,))
                case routes.NEW_ROUTE | routes.DELETE_ROUTE if routes.is_own(message):
                    pass  # there may be thousands, and they lead nowhere but to networks of ours
                case _:
                    if kind == _NEW_SWITCHES and not self._inside:
                        self._switches(message)
                    self.events.routes = True

    def read_firewall(self, data: bytes) -> None:
        """Read notifications of nftables."""
        for kind, message in messages(data):
            subsystem, what = divmod(kind, 256)
            if subsystem == _NFTABLES:
                self._rules(what, message)

    def _link(self, gone: bool, message: bytes) -> None:
        if message[0] == socket.AF_BRIDGE:
            return  # about a bridge's port; what matters is said of the link as well
        link = links.read_link(message)
        if not is_ours(link):
            return
        bridge = self._find_name(link.master)
        for item in made_of(link, bridge, name_of, inside=self._inside):
            if isinstance(item, Link):
                self.events.links[item.name] = None if gone else item

    def _address(self, gone: bool, message: bytes) -> None:
        info = links.read_address(message)
        address = Address(device=self._find_name(info.index), address=info.address)
        if gone:
            self.events.addresses.add(address)
        else:
            self.events.addresses.discard(address)

    def _switches(self, message: bytes) -> None:
        # Of force_forwarding the kernel tells that it was written, and not what: all are noted.
        parts = dict(attributes(message[_CONFIG.size :]))
        index = int.from_bytes(parts.get(_INDEX, b""), "little", signed=True)
        if index > 0 and message[0] in _FAMILIES:  # others are of all interfaces together
            name, version = self._find_name(index), _FAMILIES[message[0]]
            self.events.switched.add(Forwarding(device=name, version=version))

    def _rules(self, what: int, message: bytes) -> None:
        if what == _NEW_GENERATION:
            # It ends each transaction and names the thread that made it.
            place = message.find(_AUTHOR)
            (author,) = struct.unpack_from(">I", message, place + len(_AUTHOR))
            self.events.firewall |= self._dirty and not _is_own(author)
            self._dirty = False
        elif _DOCKER_CHAIN in message:
            self._dirty |= what in _REMOVALS or what == _NEW_RULE
        elif any(table in message for table in _OUR_TABLES):
            self._dirty |= what in _REMOVALS


def _is_own(thread: int) -> bool:
    """Say whether a thread is one of this process; the kernel calls it a process all the same.

    Source: nf_tables_fill_gen_info puts task_pid_nr(current), which is that of the thread.
    """
    return Path(f"/proc/self/task/{thread}").exists()
