"""What overlays have in the kernel beside what every network has, and ways to a bridge inside.

Objects that are ``inside`` lie in the namespace of pyflat's own.
"""

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from netaddr import IPAddress, IPNetwork

from pyflat.dataplane.made import Made


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPort(Made):
    """The port of a bridge inside that leads to the host.

    Its other end there is ``gateway``, which has the address ``mac``.
    """

    kind: ClassVar[str] = "link"
    rank: ClassVar[int] = 2
    identity: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    bridge: str
    mtu: int
    up: bool = True
    inside: bool = True
    gateway: str = field(default="", compare=False)
    mac: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway(Made):
    """The host's end of such a pair, which bears the gateway addresses."""

    kind: ClassVar[str] = "link"
    rank: ClassVar[int] = 3
    identity: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    mac: str
    mtu: int
    owner: str
    up: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Vxlan(Made):
    """A port of ``bridge`` that leads through the tunnel (RFC 7348).

    Its packets go out by ``underlay`` under the address ``local``. ``learning`` is for networks
    of which nobody knows which MAC is where; without it the port answers for known neighbours.
    """

    kind: ClassVar[str] = "link"
    rank: ClassVar[int] = 6
    identity: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    bridge: str
    vni: int
    local: IPAddress
    port: int
    mtu: int
    owner: str
    learning: bool
    underlay: str
    group: IPAddress | None = None
    up: bool = True
    inside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fdb(Made):
    """Where a MAC is: behind the VTEP ``vtep``, through the VXLAN ``device``."""

    kind: ClassVar[str] = "fdb"
    rank: ClassVar[int] = 7
    identity: ClassVar[tuple[str, ...]] = ("device", "mac")

    device: str
    mac: str
    vtep: IPAddress
    inside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood(Made):
    """A VTEP that gets a copy of what goes to all (RFC 7348, section 4.2, without multicast)."""

    kind: ClassVar[str] = "flood"
    rank: ClassVar[int] = 7
    identity: ClassVar[tuple[str, ...]] = ("device", "vtep")

    device: str
    vtep: IPAddress
    inside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour(Made):
    """What a bridge answers to who asks for ``address``, instead of all who are far away."""

    kind: ClassVar[str] = "neighbour"
    rank: ClassVar[int] = 7
    identity: ClassVar[tuple[str, ...]] = ("device", "address")

    device: str
    address: IPAddress
    mac: str
    inside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyNeighbour(Made):
    """An address that ``device`` answers for itself, because it routes what goes there."""

    kind: ClassVar[str] = "proxy"
    rank: ClassVar[int] = 7
    identity: ClassVar[tuple[str, ...]] = ("device", "address")

    device: str
    address: IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Made):
    """A route of the host's main table, by ``via`` or else straight out of ``device``.

    ``source`` is the address that the host itself sends from, None for the kernel's choice.
    """

    kind: ClassVar[str] = "route"
    rank: ClassVar[int] = 7
    identity: ClassVar[tuple[str, ...]] = ("destination",)

    destination: IPNetwork
    device: str
    via: IPAddress | None = None
    source: IPAddress | None = None


#: What there are thousands of, many of which are made in one message.
Entry: TypeAlias = Fdb | Flood | Neighbour | ProxyNeighbour | Route
