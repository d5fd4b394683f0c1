"""What State holds, in the words and the shape in which it is shown. Pure.

Addresses are plain text, subnets and addresses of interfaces in CIDR form. Readers take what they
know and pass over the rest: a field may be added, and none changes its meaning.
"""

from collections.abc import Iterator

import msgspec
from netaddr import IPAddress

from pyflat import naming
from pyflat.addressing import AddressBlock, Pool
from pyflat.model import Endpoint, Network, PortBinding, Publication
from pyflat.peers import Claim, Peer, Remote
from pyflat.state import State

#: Up to which whoever reads JSON can count.
_LARGEST = 2**53


class PortView(msgspec.Struct, frozen=True, kw_only=True):
    """A port; ``host`` is "" where it is opened without translation, 0.0.0.0 or :: for all."""

    protocol: str
    host: str
    host_port: int
    container: str
    container_port: int


class EndpointView(msgspec.Struct, frozen=True, kw_only=True):
    """A container's connection; ``sandbox`` is "" while no container has it."""

    id: str
    mac: str
    addresses: tuple[str, ...]
    names: tuple[str, ...]
    sandbox: str
    host_end: str
    container_end: str
    ports: tuple[PortView, ...]


class SubnetView(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet; ``ours`` says that pyflat gives out its addresses, ``gateway`` may be ""."""

    cidr: str
    gateway: str
    ours: bool


class TunnelView(msgspec.Struct, frozen=True, kw_only=True):
    """An overlay's tunnel: ``device`` is the VXLAN interface, ``underlay`` the one beneath it."""

    vni: int
    device: str
    underlay: str
    address: str
    port: int
    group: str
    direct: bool
    clustered: bool


class PeerView(msgspec.Struct, frozen=True, kw_only=True):
    """Another host of an overlay; ``vtep`` is "" where names alone are told.

    ``expired`` is the Unix time since which it is not heard of, 0 if it is.
    """

    host: str
    vtep: str
    blocks: tuple[str, ...]
    expired: float


class RemoteView(msgspec.Struct, frozen=True, kw_only=True):
    """A container's connection on another host."""

    id: str
    host: str
    vtep: str
    mac: str
    addresses: tuple[str, ...]
    names: tuple[str, ...]


class NetworkView(msgspec.Struct, frozen=True, kw_only=True):
    """A network; if ``inside``, ``port_bridge`` lies in pyflat's namespace."""

    id: str
    bridge: str
    port_bridge: str
    inside: bool
    internal: bool
    mtu: int
    masquerade: bool
    icc: bool
    antispoof: bool
    ports: str
    modes: dict[str, str]
    subnets: tuple[SubnetView, ...]
    tunnel: TunnelView | None
    endpoints: tuple[EndpointView, ...]
    peers: tuple[PeerView, ...]
    remotes: tuple[RemoteView, ...]


class PoolView(msgspec.Struct, frozen=True, kw_only=True):
    """A pool of addresses; ``blocks`` are what the cluster lets this host give out of it.

    ``used`` are given out of ``size`` (2**53 stands for more).
    """

    space: str
    cidr: str
    part: str
    automatic: bool
    references: int
    used: int
    size: int
    blocks: tuple[str, ...]


class ClusterView(msgspec.Struct, frozen=True, kw_only=True):
    """How a host stands with its cluster; ``telling`` and ``hearing`` are "" while all is well."""

    name: str
    leased: bool
    telling: str
    hearing: str


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """One host's networks; ``namespace`` is where bridges may lie beside the host's, "" nowhere.

    ``since`` is the Unix time at which the plugin began to answer.
    """

    host: str
    version: str
    namespace: str
    since: float
    cluster: ClusterView | None
    networks: tuple[NetworkView, ...]
    pools: tuple[PoolView, ...]


def topology(
    state: State,
    *,
    host: str,
    version: str,
    namespace: str,
    since: float = 0.0,
    cluster: ClusterView | None = None,
) -> Topology:
    """Give everything that a host knows."""
    return Topology(
        host=host,
        version=version,
        namespace=namespace,
        since=since,
        cluster=cluster,
        networks=tuple(sorted(map(_Viewer(state).network, state.all(Network)), key=_id)),
        pools=tuple(sorted((_pool(state, pool) for pool in state.all(Pool)), key=_cidr)),
    )


class _Viewer:
    """Views of the records of one State."""

    def __init__(self, state: State) -> None:
        self._state = state

    def network(self, network: Network) -> NetworkView:
        options, state, vni = network.options, self._state, str(network.vni)
        endpoints = (state.require(Endpoint, i) for i in state.ids("network", network.id))
        peers = (state.require(Peer, i) for i in state.ids("peers", vni))
        remotes = (state.require(Remote, i) for i in state.ids("remotes", vni))
        return NetworkView(
            id=network.id,
            bridge=network.bridge,
            port_bridge=network.port_bridge,
            inside=network.inside,
            internal=network.internal,
            mtu=options.mtu,
            masquerade=options.masquerade,
            icc=options.icc,
            antispoof=options.antispoof,
            ports=options.ports,
            modes={"ipv4": options.ipv4.mode, "ipv6": options.ipv6.mode},
            subnets=tuple(_subnets(network)),
            tunnel=_tunnel(network),
            endpoints=tuple(sorted(map(self.endpoint, endpoints), key=_id)),
            peers=tuple(sorted(map(_peer, peers), key=lambda peer: peer.host)),
            remotes=tuple(sorted(map(_remote, remotes), key=_id)),
        )

    def endpoint(self, endpoint: Endpoint) -> EndpointView:
        published = self._state.get(Publication, endpoint.id)
        return EndpointView(
            id=endpoint.id,
            mac=endpoint.mac,
            addresses=tuple(map(str, endpoint.addresses)),
            names=endpoint.names,
            sandbox=endpoint.sandbox or "",
            host_end=endpoint.host_end,
            container_end=endpoint.container_end,
            ports=tuple(map(_port, published.bindings if published else ())),
        )


def _port(binding: PortBinding) -> PortView:
    return PortView(
        protocol=binding.protocol,
        host=_text(binding.host),
        host_port=binding.host_port,
        container=str(binding.container),
        container_port=binding.container_port,
    )


def _subnets(network: Network) -> Iterator[SubnetView]:
    for subnet in network.subnets:
        gateway = str(subnet.gateway.ip) if subnet.gateway else ""
        yield SubnetView(cidr=str(subnet.cidr), gateway=gateway, ours=subnet.is_ours)


def _tunnel(network: Network) -> TunnelView | None:
    overlay, tunnel = network.options.overlay, network.tunnel
    if overlay is None or tunnel is None:
        return None
    return TunnelView(
        vni=overlay.vni,
        device=naming.vxlan(network.id),
        underlay=tunnel.device,
        address=str(tunnel.address),
        port=overlay.port,
        group=_text(overlay.group),
        direct=network.is_direct,
        clustered=network.is_clustered,
    )


def _peer(peer: Peer) -> PeerView:
    return PeerView(
        host=peer.host,
        vtep=_text(peer.vtep),
        blocks=tuple(map(str, peer.blocks)),
        expired=peer.expired,
    )


def _remote(remote: Remote) -> RemoteView:
    return RemoteView(
        id=remote.id,
        host=remote.host,
        vtep=_text(remote.vtep),
        mac=remote.mac,
        addresses=tuple(map(str, remote.addresses)),
        names=remote.names,
    )


def _pool(state: State, pool: Pool) -> PoolView:
    claims = (state.require(Claim, identifier) for identifier in state.ids("claims", pool.id))
    blocks = (state.require(AddressBlock, identifier) for identifier in state.ids("pool", pool.id))
    return PoolView(
        space=pool.space,
        cidr=str(pool.cidr),
        part=str(pool.part or ""),
        automatic=pool.automatic,
        references=pool.references,
        used=sum(int.from_bytes(block.taken).bit_count() for block in blocks),
        size=min(pool.cidr.size, _LARGEST),
        blocks=tuple(sorted(str(claim.cidr) for claim in claims if not claim.lost)),
    )


def _text(address: IPAddress | None) -> str:
    """Write an address; one of zeros is false, and an address all the same."""
    return "" if address is None else str(address)


def _id(view: NetworkView | EndpointView | RemoteView) -> str:
    return view.id


def _cidr(view: PoolView) -> str:
    return view.cidr
