"""Addresses, and the pools that containers get them from, as immutable records."""

from dataclasses import dataclass
from typing import ClassVar

from netaddr import IPNetwork


class InterfaceAddress(IPNetwork):
    """An address with the prefix length of its subnet, as an interface bears it.

    A network of netaddr's is equal to another that holds the same addresses; of these, only the
    same address is.
    """

    __slots__ = ()

    def key(self) -> tuple[int, ...]:
        """Give what is compared."""
        return self.version, int(self.ip), self.prefixlen


def overlap(one: IPNetwork, other: IPNetwork) -> bool:
    """Say whether two subnets share an address."""
    return bool(
        one.version == other.version and one.first <= other.last and other.first <= one.last
    )


#: Our own address spaces: of one host, and of a swarm.
SPACES = ("PyflatLocal", "PyflatGlobal")


def pool_id(space: str, cidr: IPNetwork) -> str:
    """Name a pool: the same subnet of the same address space is the same pool."""
    return f"{space}|{cidr}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A subnet that IpamDriver hands out addresses of.

    ``references`` counts the RequestPool calls that a ReleasePool has not answered yet. The subnet
    of an ``automatic`` one was chosen here, and not by who asked. ``part`` is the range that
    addresses are chosen from.
    """

    kind: ClassVar[str] = "pool"

    id: str
    space: str
    cidr: IPNetwork
    references: int = 1
    automatic: bool = False
    part: IPNetwork | None = None

    def index_keys(self) -> tuple[tuple[str, ...], ...]:
        """Index by address space and family."""
        return (("space", self.space, str(self.cidr.version)),)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressBlock:
    """Which of up to ``AddressBlock.SIZE`` neighbouring addresses of a pool are given out.

    Bit i of byte j (little endian) stands for the address number i + 8·j of the block; block
    ``number`` starts at ``number * SIZE``. ``asked`` are those that somebody once asked for by
    name. One row for many addresses: a million of them are 64 rows.
    """

    kind: ClassVar[str] = "addresses"
    SIZE: ClassVar[int] = 1 << 14

    pool: str
    number: int
    taken: bytes
    asked: bytes

    @property
    def id(self) -> str:
        """Name the block after its pool and number."""
        return f"{self.pool}#{self.number}"

    def index_keys(self) -> tuple[tuple[str, ...], ...]:
        """Index by pool."""
        return (("pool", self.pool),)
