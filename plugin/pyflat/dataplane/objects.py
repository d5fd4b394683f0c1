"""What pyflat makes in the kernel, as values.

Two objects with the same ``key`` are the same thing in the kernel; if they differ otherwise,
the thing is to be changed. Fields that cannot be read back are left out of comparisons.
"""

from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from netaddr import IPAddress, IPNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPort:
    """A port of the host that is held, so that nobody else can take it."""

    rank: ClassVar[int] = 0

    protocol: str
    host: IPAddress
    port: int

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same port."""
        return ("port", self.protocol, self.host, self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A bridge; ``owner`` is the id of its network."""

    rank: ClassVar[int] = 1

    name: str
    mac: str
    mtu: int
    owner: str

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same link."""
        return ("link", self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctl:
    """A kernel switch of an interface; ``path`` is below ``/proc/sys/net``."""

    rank: ClassVar[int] = 2

    path: str
    value: str
    device: str

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same switch."""
        return ("sysctl", self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """The switch that lets packets of a family (4 or 6) through from one interface."""

    rank: ClassVar[int] = 2

    device: str
    version: int

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same switch."""
        return ("forwarding", self.device, self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address of a bridge, with its prefix length."""

    rank: ClassVar[int] = 3

    device: str
    address: IPNetwork

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same address."""
        return ("address", self.device, self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Veth:
    """A pair of interfaces: ``name`` stays a port of ``bridge``, ``peer`` goes to a container.

    ``made`` means that a container has the peer: such a pair is never made anew, because only
    dockerd can finish it. ``owner`` is the id of its endpoint.
    """

    rank: ClassVar[int] = 4

    name: str
    bridge: str
    mtu: int
    owner: str
    peer: str = field(default="", compare=False)
    mac: str = field(default="", compare=False)
    made: bool = field(default=False, compare=False)

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same pair."""
        return ("link", self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hairpin:
    """The switch of a bridge port that lets a container reach its own published port."""

    rank: ClassVar[int] = 5

    port: str

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same switch."""
        return ("hairpin", self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One of our nftables tables with its chains and rules; its elements are objects apart.

    ``intact`` is false for a table whose rules are not ours as we installed them; such a table
    is observed without its elements, because mending it means replacing it.
    """

    rank: ClassVar[int] = 6

    family: str
    intact: bool = True

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same table."""
        return ("table", self.family)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """An element of a set or map of ours.

    ``match`` and ``data`` hold nftables' own words: interface names, addresses or prefixes,
    protocols and numbers. Another datum under the same match is another element.
    """

    rank: ClassVar[int] = 7

    family: str
    name: str
    match: tuple[str, ...]
    data: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same element."""
        return ("element", self.family, self.name, self.match, self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerAccept:
    """The one rule in Docker's DOCKER-USER chain that lets through what our rules accepted."""

    rank: ClassVar[int] = 8

    family: str

    @property
    def key(self) -> tuple[object, ...]:
        """Tell what makes it the same rule."""
        return ("docker-user", self.family)


Object: TypeAlias = (
    HostPort
    | Bridge
    | Sysctl
    | Forwarding
    | Address
    | Veth
    | Hairpin
    | Table
    | Element
    | DockerAccept
)
