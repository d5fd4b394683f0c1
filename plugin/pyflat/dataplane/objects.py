"""What pyflat makes in the kernel, as values.

Objects that are ``inside`` lie in the namespace of pyflat's own, all others in the host's.
"""

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from netaddr import IPAddress, IPNetwork

from pyflat.addressing import InterfaceAddress
from pyflat.dataplane.made import Made
from pyflat.dataplane.overlay_objects import (
    Fdb,
    Flood,
    Gateway,
    GatewayPort,
    Neighbour,
    ProxyNeighbour,
    Route,
    Vxlan,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPort(Made):
    """A port of the host that is held, so that nobody else can take it.

    ``relay`` is the container's address and port that connections to ::1 are relayed to: the
    kernel cannot translate them.
    """

    kind: ClassVar[str] = "port"
    rank: ClassVar[int] = 0
    identity: ClassVar[tuple[str, ...]] = ("protocol", "host", "port")

    protocol: str
    host: IPAddress
    port: int
    relay: tuple[IPAddress, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge(Made):
    """A bridge; ``owner`` is the id of its network."""

    kind: ClassVar[str] = "link"
    rank: ClassVar[int] = 1
    identity: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    mac: str
    mtu: int
    owner: str
    up: bool = True
    inside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctl(Made):
    """A kernel switch of an interface; ``path`` is below ``/proc/sys/net``."""

    kind: ClassVar[str] = "sysctl"
    rank: ClassVar[int] = 4
    identity: ClassVar[tuple[str, ...]] = ("path",)

    path: str
    value: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding(Made):
    """The switch that lets packets of a family (4 or 6) through from one interface."""

    kind: ClassVar[str] = "forwarding"
    rank: ClassVar[int] = 4
    identity: ClassVar[tuple[str, ...]] = ("device", "version")

    device: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(Made):
    """An address of a bridge, with its prefix length."""

    kind: ClassVar[str] = "address"
    rank: ClassVar[int] = 5
    identity: ClassVar[tuple[str, ...]] = ("device", "address")

    device: str
    address: InterfaceAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Veth(Made):
    """A pair of interfaces: ``name`` stays a port of ``bridge``, ``peer`` goes to a container.

    ``made`` means that a container has the peer: such a pair is never made anew, because only
    dockerd can finish it. ``owner`` is the id of its endpoint.
    """

    kind: ClassVar[str] = "link"
    rank: ClassVar[int] = 6
    identity: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    bridge: str
    mtu: int
    owner: str
    up: bool = True
    inside: bool = False
    peer: str = field(default="", compare=False)
    mac: str = field(default="", compare=False)
    made: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hairpin(Made):
    """The switch of a bridge port that lets a container reach its own published port."""

    kind: ClassVar[str] = "hairpin"
    rank: ClassVar[int] = 7
    identity: ClassVar[tuple[str, ...]] = ("port",)

    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Made):
    """One of our nftables tables with its chains and rules; its elements are objects apart.

    ``family`` is a key of ``ruleset.TABLES``.

    ``intact`` is false for a table whose rules are not ours as we installed them; such a table
    is observed without its elements, because mending it means replacing it.
    """

    kind: ClassVar[str] = "table"
    rank: ClassVar[int] = 8
    identity: ClassVar[tuple[str, ...]] = ("family",)

    family: str
    intact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Element(Made):
    """An element of a set or map of ours.

    ``match`` and ``data`` hold nftables' own words: interface names, addresses or prefixes,
    protocols and numbers. Another datum under the same match is another element.
    """

    kind: ClassVar[str] = "element"
    rank: ClassVar[int] = 9
    identity: ClassVar[tuple[str, ...]] = ("family", "name", "match", "data")

    family: str
    name: str
    match: tuple[str, ...]
    data: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerAccept(Made):
    """The one rule in Docker's DOCKER-USER chain that lets through what our rules accepted."""

    kind: ClassVar[str] = "docker-user"
    rank: ClassVar[int] = 10
    identity: ClassVar[tuple[str, ...]] = ("family",)

    family: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """An interface that leads out of the host; found there, not made.

    ``routed`` holds the address families (4, 6) that the whole host forwards anyway.
    """

    device: str
    routed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the host has that is not ours.

    Its uplinks, the subnets and addresses it uses itself, and the ports it chooses from where
    nobody names one.
    """

    uplinks: frozenset[Uplink] = frozenset()
    occupied: frozenset[IPNetwork] = frozenset()
    ephemeral: range = range(32768, 61000)


Object: TypeAlias = (
    HostPort
    | Bridge
    | GatewayPort
    | Gateway
    | Sysctl
    | Forwarding
    | Address
    | Vxlan
    | Veth
    | Hairpin
    | Fdb
    | Flood
    | Neighbour
    | ProxyNeighbour
    | Route
    | Table
    | Element
    | DockerAccept
)
