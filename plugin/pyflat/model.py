"""What pyflat knows, as immutable records."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias, get_args

from netaddr import IPAddress, IPNetwork

from pyflat import naming
from pyflat.addressing import SPACES, AddressBlock, InterfaceAddress, Pool, pool_id
from pyflat.peers import (
    Allocation,
    Claim,
    Node,
    Overlay,
    Peer,
    Remote,
    Resolver,
    Segment,
    Tunnel,
)

#: A fact under which a record can be found without a search, as ("address", network, ip).
IndexKey: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """One subnet of a network: ``cidr`` masked, ``gateway`` with the mask of the subnet.

    ``space`` is the address space that the subnet was taken from. ``auxiliary`` are plain
    addresses that no container gets.
    """

    cidr: IPNetwork
    gateway: InterfaceAddress | None = None
    space: str = ""
    auxiliary: tuple[IPAddress, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Say whether we give out its addresses."""
        return self.space in SPACES

    @property
    def pool(self) -> str:
        """Give the id of the subnet's pool, if it is one of ours."""
        return pool_id(self.space, self.cidr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Options of a network that each address family has for itself.

    ``mode`` is one of Docker's gateway modes: nat, nat-unprotected, routed, isolated.
    ``source`` is the host's address that containers appear under outside, None for whichever
    the kernel takes.
    """

    mode: str = "nat"
    source: IPAddress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """Validated ``-o`` options; the defaults are those of Docker's bridge driver.

    ``ports`` says who publishes them: we (native), or dockerd through a bridge of its own (docker).
    ``overlay`` is None for a network of this host alone. ``namespace`` says where the bridge is to
    lie: own, host, or "" where nobody has said it.
    """

    bridge: str = ""
    mtu: int = 1500
    masquerade: bool = True
    container_prefix: str = "eth"
    host_binding: IPAddress | None = None
    icc: bool = True
    trusted: tuple[str, ...] = ()
    inhibit_ipv4: bool = False
    ports: str = "native"
    antispoof: bool = False
    namespace: str = ""
    overlay: Overlay | None = None
    ipv4: Family = Family()
    ipv6: Family = Family()

    def family(self, version: int) -> Family:
        """Give the options of IPv4 or IPv6."""
        return self.ipv4 if version == 4 else self.ipv6


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network as CreateNetwork described it.

    ``bridge`` is the interface that bears its gateway addresses. If it is ``inside``, the bridge
    itself lies in a namespace of pyflat's own. An overlay has a ``tunnel``.
    """

    kind: ClassVar[str] = "network"

    id: str
    bridge: str
    subnets: tuple[Subnet, ...] = ()
    internal: bool = False
    inside: bool = False
    tunnel: Tunnel | None = None
    options: NetworkOptions = NetworkOptions()

    @property
    def vni(self) -> int | None:
        """Give the VNI of an overlay."""
        return self.options.overlay.vni if self.options.overlay else None

    @property
    def port_bridge(self) -> str:
        """Name the bridge that the containers' interfaces are ports of."""
        return naming.inner_bridge(self.id) if self.inside else self.bridge

    @property
    def is_clustered(self) -> bool:
        """Say whether a cluster tells what is where in the network."""
        return self.options.overlay is not None and self.options.overlay.clustered

    @property
    def is_swarm(self) -> bool:
        """Say whether a swarm tells which hosts have the network."""
        return self.options.overlay is not None and self.options.overlay.swarm

    @property
    def is_direct(self) -> bool:
        """Say whether containers reach those of other hosts of the segment without the tunnel."""
        overlay = self.options.overlay
        closed = self.internal or not self.options.icc
        return overlay is not None and overlay.direct and not closed

    @property
    def of_swarm(self) -> bool:
        """Say whether a swarm's managers give out its addresses, and Docker tells its names."""
        return naming.is_of_swarm(self.id)

    def has_blocks(self, subnet: Subnet | None) -> bool:
        """Say whether each host of a cluster gives out addresses of a subnet from own blocks."""
        return subnet is not None and subnet.is_ours and not self.of_swarm

    def index_keys(self) -> tuple[IndexKey, ...]:
        """Index by interfaces, pools, families that leave the host, tables of rules, and VNI."""
        more = self.inside or self.vni is not None
        others = naming.further_links(self.id) if more else ()
        links = (("bridge", name) for name in (self.bridge, *others))
        versions = {subnet.cidr.version for subnet in self.subnets if not self.internal}
        families = (("family", str(version)) for version in sorted(versions))
        pools = (("addresses", subnet.pool) for subnet in self.subnets)
        overlay = (("overlays",), ("vni", str(self.vni))) if self.vni is not None else ()
        tables = (("tables", table) for table in self._tables())
        return (*links, *families, *pools, *tables, *overlay)

    def _tables(self) -> Iterator[str]:
        """Name the tables of the firewall that are only there for networks like this."""
        if self.options.antispoof or not self.options.icc:
            yield "inside" if self.inside else "bridge"
        if not self.options.icc and not self.inside:
            yield "icc"
        if self.vni is not None:
            yield "untracked"
            yield "inside-tunnels" if self.inside else "tunnels"

    def subnet_of(self, address: IPAddress) -> Subnet | None:
        """Give the subnet that holds ``address``."""
        return next((s for s in self.subnets if address in s.cidr), None)

    def has_address(self, version: int) -> bool:
        """Say whether the bridge bears the gateway address of a family."""
        inhibited = version == 4 and self.options.inhibit_ipv4
        return not inhibited and self.options.family(version).mode != "isolated"

    def is_translated(self, version: int) -> bool:
        """Say whether its containers appear outside under an address of the host."""
        return self.options.masquerade and self.options.family(version).mode != "routed"

    def gateway(self, version: int) -> InterfaceAddress | None:
        """Give the first gateway of an address family (4 or 6)."""
        gateways = (s.gateway for s in self.subnets if s.gateway and s.cidr.version == version)
        return next(gateways, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A container's connection to a network; ``addresses`` carry the mask of their subnet.

    ``sandbox`` is the path of the container's namespace; None before Join, "" after Leave.
    ``since`` is the Unix time of the last of these changes. Of two endpoints of an overlay that
    have one address, that of the higher ``generation`` has it. ``names`` are those that containers
    on other hosts find it by, ``servers`` the name servers that Docker's own resolver asks for it.
    """

    kind: ClassVar[str] = "endpoint"

    id: str
    network: str
    mac: str
    addresses: tuple[InterfaceAddress, ...] = ()
    sandbox: str | None = None
    since: float = 0.0
    generation: int = 0
    names: tuple[str, ...] = ()
    servers: tuple[IPAddress, ...] = ()

    @property
    def host_end(self) -> str:
        """Name of the veth end that is a port of the network's bridge."""
        return naming.host_end(self.id)

    @property
    def container_end(self) -> str:
        """Name of the veth end that dockerd moves."""
        return naming.container_end(self.id)

    def address(self, version: int) -> IPAddress | None:
        """Give the plain address of a family (4 or 6)."""
        return next((a.ip for a in self.addresses if a.version == version), None)

    def index_keys(self) -> tuple[IndexKey, ...]:
        """Index by network, by each address in it and server asked from it, and by interface."""
        holders = (("address", self.network, str(a.ip)) for a in self.addresses)
        asked = (("asks", self.network, str(server)) for server in self.servers)
        return (("network", self.network), ("interface", self.host_end), *holders, *asked)


#: All addresses of the host, by family, and its own loopback address of IPv6.
ANY = {4: IPAddress("0.0.0.0"), 6: IPAddress("::")}
LOOPBACK6 = IPAddress("::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PortBinding:
    """One port of the host that leads to one port of a container.

    ``host`` is an address of the host, or the family's unspecified address for all of them; None
    where there is no translation, and the container's port is opened to who is routed there.
    Only behind ::1 may the container's address be of the other family.
    """

    protocol: str
    host: IPAddress | None
    host_port: int
    container: IPAddress
    container_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The ports of one endpoint; its ``id`` is the endpoint's."""

    kind: ClassVar[str] = "publication"

    id: str
    bindings: tuple[PortBinding, ...]

    def index_keys(self) -> tuple[IndexKey, ...]:
        """Index by protocol and host port, whatever the host address."""
        held = (binding for binding in self.bindings if binding.host is not None)
        return tuple({("port", b.protocol, str(b.host_port)) for b in held})


Record: TypeAlias = (
    Network
    | Endpoint
    | Publication
    | Pool
    | AddressBlock
    | Peer
    | Node
    | Allocation
    | Remote
    | Claim
    | Segment
    | Resolver
)
RECORDS: dict[str, type[Record]] = {record.kind: record for record in get_args(Record)}

#: Names one record: its kind and its id.
Key: TypeAlias = tuple[str, str]
