"""What hosts of one overlay know of each other, as immutable records.

An overlay is one layer-2 network over many hosts. Its VNI names it on every host; a host's end of
the tunnel is its VTEP, the address that VXLAN packets (RFC 7348) go to.
"""

from dataclasses import dataclass
from typing import ClassVar

from netaddr import IPAddress, IPNetwork

#: VNIs are 24 bits (RFC 7348, section 5); 0 stands for one that is to be drawn.
MAX_VNI = (1 << 24) - 1

#: Bytes that the tunnel adds to a packet, by the family of the underlay: inner Ethernet, VXLAN,
#: UDP and IP headers (RFC 7348, section 5).
OVERHEAD = {4: 14 + 8 + 8 + 20, 6: 14 + 8 + 8 + 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Options of a network that spans hosts.

    Which hosts have it is said by ``peers`` (plain addresses of VTEPs), by the file ``roster`` of
    such addresses, by the multicast ``group``, by the ``swarm`` that this host is a node of, or,
    if nothing of that is so, by the cluster.
    ``underlay`` is the device of the tunnel, "" for the one that leads to the others.
    """

    vni: int = 0
    peers: tuple[IPAddress, ...] = ()
    roster: str = ""
    group: IPAddress | None = None
    underlay: str = ""
    port: int = 4789
    direct: bool = False
    swarm: bool = False

    @property
    def clustered(self) -> bool:
        """Say whether a control plane tells where each MAC and address is."""
        return not (self.peers or self.roster or self.group or self.swarm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """This host's end of a tunnel.

    ``segment`` is the subnet of ``address`` on ``device``: other VTEPs in it are reached without
    a router. ``mtu`` is the device's.
    """

    device: str
    address: IPAddress
    segment: IPNetwork
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another host that has an overlay; ``blocks`` are the parts of its subnets it gives out.

    ``vtep`` is None if the cluster tells the names of its containers only: where its tunnel ends
    is then said by another record, or by the overlay's group. ``expired`` is the Unix time at
    which its lease was seen to be over, 0 while it is alive.
    """

    kind: ClassVar[str] = "peer"

    vni: int
    host: str
    vtep: IPAddress | None
    blocks: tuple[IPNetwork, ...] = ()
    expired: float = 0.0

    @property
    def id(self) -> str:
        """Name the peer after network and host."""
        return f"{self.vni}|{self.host}"

    def index_keys(self) -> tuple[tuple[str, ...], ...]:
        """Index by network, by host, and by what is not heard of any more."""
        expired = (("expired",),) if self.expired else ()
        return (("peers", str(self.vni)), ("peers-of", self.host), *expired)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the swarm that this host is one of, by the address that others hear of it by.

    ``own`` says that it is this host. ``gone`` is the Unix time at which it was seen to be gone, 0
    while it is there.
    """

    kind: ClassVar[str] = "node"

    address: IPAddress
    own: bool = False
    gone: float = 0.0

    @property
    def id(self) -> str:
        """Name the node after its address."""
        return str(self.address)

    def index_keys(self) -> tuple[tuple[str, ...], ...]:
        """Index what is this host."""
        return (("own-node",),) if self.own else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What this manager has said of a network of its swarm, to be so on every node.

    Its ``id`` is the network's, ``subnets`` are those that the managers chose for it.
    """

    kind: ClassVar[str] = "allocation"

    id: str
    vni: int
    subnets: tuple[IPNetwork, ...] = ()

    def index_keys(self) -> tuple[tuple[str, ...], ...]:
        """Index by VNI and by each subnet."""
        subnets = (("granted", str(subnet)) for subnet in self.subnets)
        return (("allocated", str(self.vni)), *subnets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """An endpoint on another host; its ``id`` is the endpoint's, ``addresses`` are plain.

    ``vtep`` is that of its host's ``Peer``. Of two records with the same address the one of the
    higher ``generation`` is true.
    """

    kind: ClassVar[str] = "remote"

    id: str
    vni: int
    host: str
    vtep: IPAddress | None
    mac: str
    addresses: tuple[IPAddress, ...] = ()
    names: tuple[str, ...] = ()
    generation: int = 0

    def index_keys(self) -> tuple[tuple[str, ...], ...]:
        """Index by network, by host in it, and by each address in it."""
        vni = str(self.vni)
        addresses = (("remote", vni, str(address)) for address in self.addresses)
        return (("remotes", vni), ("remotes-of", vni, self.host), *addresses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Addresses that the cluster has given this host to give out.

    ``pool`` is the id of a pool of ours; for one address that another address manager chose, it
    is ``foreign_pool`` of the overlay. ``lost`` is the host that the cluster says has them by now,
    "" while they are this host's.
    """

    kind: ClassVar[str] = "claim"

    pool: str
    cidr: IPNetwork
    lost: str = ""

    @property
    def id(self) -> str:
        """Name the claim after pool and block."""
        return f"{self.pool}#{self.cidr}"

    def index_keys(self) -> tuple[tuple[str, ...], ...]:
        """Index by pool."""
        return (("claims", self.pool),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    """A program of ours that answers for a name server, if an overlay's containers ask that.

    It listens on ``port`` of the overlay's gateway ``address``, on UDP and TCP.
    """

    kind: ClassVar[str] = "resolver"

    network: str
    server: IPAddress
    address: IPAddress
    port: int

    @property
    def id(self) -> str:
        """Name the resolver after network and server."""
        return f"{self.network}|{self.server}"

    def index_keys(self) -> tuple[tuple[str, ...], ...]:
        """Index by network."""
        return (("resolvers", self.network),)


def foreign_pool(vni: int) -> str:
    """Name what stands for the pools of an overlay whose addresses are not of our pools."""
    return f"vni|{vni}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A VNI that the cluster has given this host a network with.

    ``parts`` describes the network's subnets, in the same words on every host. ``auto`` says that
    the VNI was drawn, and not chosen by somebody.
    """

    kind: ClassVar[str] = "segment"

    vni: int
    parts: tuple[str, ...]
    auto: bool = False

    @property
    def id(self) -> str:
        """Name the segment after its VNI."""
        return str(self.vni)

    def index_keys(self) -> tuple[tuple[str, ...], ...]:
        """Index by what it is, if that is what it is found by."""
        return (("drawn", *self.parts),) if self.auto else ()
