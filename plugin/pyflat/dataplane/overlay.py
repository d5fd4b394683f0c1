"""What an overlay has in the kernel beside what every network has. Pure."""

from collections.abc import Iterator

from netaddr import IPAddress, IPNetwork

from pyflat import naming
from pyflat.dataplane.objects import Bridge, Element, Object, Sysctl
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
from pyflat.dataplane.ruleset import listed
from pyflat.model import Network
from pyflat.peers import Overlay, Peer, Remote, Resolver, Tunnel
from pyflat.state import State


def gateway(network: Network, mac: str) -> Iterator[Object]:
    """Give the interface that bears the gateway addresses, and the bridge behind it."""
    bridge = Bridge(name=network.bridge, mac=mac, mtu=network.options.mtu, owner=network.id)
    if not network.inside:
        yield bridge
        return
    yield Bridge(
        name=network.port_bridge,
        mac=naming.mac_of_id(network.id),
        mtu=network.options.mtu,
        owner=network.id,
        inside=True,
    )
    yield GatewayPort(
        name=naming.gateway_port(network.id),
        bridge=network.port_bridge,
        mtu=network.options.mtu,
        gateway=network.bridge,
        mac=mac,
    )
    yield Gateway(name=network.bridge, mac=mac, mtu=network.options.mtu, owner=network.id)


def tunnel(network: Network, mac: str) -> Iterator[Object]:
    """Give this host's end of the tunnel; ``mac`` is that of the gateway."""
    overlay, end = _parts(network)
    name = naming.vxlan(network.id)
    yield Vxlan(
        name=name,
        bridge=network.port_bridge,
        vni=overlay.vni,
        underlay=end.device,
        local=end.address,
        port=overlay.port,
        mtu=network.options.mtu,
        owner=network.id,
        learning=not overlay.clustered,
        group=overlay.group,
        inside=network.inside,
    )
    yield from _seal(network, name, mac)
    if not network.options.icc:
        yield frames(network, "quiet", name)
    if overlay.group is None:
        yield _untracked("sealed", str(overlay.port), str(overlay.vni))
    yield _element("clamped", network.bridge)
    yield from _ways(network, end)
    if network.is_direct:
        yield Sysctl(path=f"ipv4/conf/{network.bridge}/proxy_arp", value="1", device=network.bridge)
        yield Sysctl(path=f"ipv6/conf/{network.bridge}/proxy_ndp", value="1", device=network.bridge)
        # Who is no router answers for nobody, whatever it is forced to forward.
        yield Sysctl(
            path=f"ipv6/conf/{network.bridge}/forwarding", value="1", device=network.bridge
        )
        for family in ("ipv4", "ipv6"):
            path = f"{family}/neigh/{network.bridge}/proxy_delay"
            yield Sysctl(path=path, value="0", device=network.bridge)


def _ways(network: Network, end: Tunnel) -> Iterator[Element]:
    """Say who may use the routes to other hosts: the whole subnet, as they may be thousands."""
    if network.internal or not network.is_clustered:
        return
    version = end.address.version
    for cidr in (subnet.cidr for subnet in network.subnets if subnet.cidr.version == version):
        yield _element(f"remote{version}", f"ipv{version}", listed(cidr))
        if network.is_direct:
            yield _element(f"onward{version}", network.bridge, listed(cidr))


def _seal(network: Network, name: str, mac: str) -> Iterator[Object]:
    """Keep the gateway out of the tunnel: every host has one of the same address."""
    yield _contained(network, "anycast", name, mac)
    for subnet in network.subnets:
        if subnet.gateway is not None:
            address = subnet.gateway.ip
            word = str(address) if address.version == 4 else f"{int(address):#034x}"
            yield _contained(network, f"gateway{address.version}", name, word)


def peer(state: State, record: Peer) -> Iterator[Object]:
    """Give what another host's being there takes."""
    if record.vtep is None:
        return
    for identifier in state.ids("vni", str(record.vni)):
        network = state.require(Network, identifier)
        overlay, end = _parts(network)
        if overlay.group is None:
            words = (str(record.vtep), str(overlay.port), str(overlay.vni))
            yield _untracked(f"vtep{record.vtep.version}", *words)
        if _is_near(network, record.vtep):
            yield _neighbouring(network, end, IPNetwork(record.vtep))
            for block in record.blocks:
                yield from _routed(network, end, block, record.vtep)
        if overlay.group is None and not (network.is_direct and _is_near(network, record.vtep)):
            yield Flood(device=naming.vxlan(network.id), vtep=record.vtep, inside=network.inside)


def remote(state: State, record: Remote) -> Iterator[Object]:
    """Give where an endpoint of another host is."""
    if record.vtep is None:
        return
    for identifier in state.ids("vni", str(record.vni)):
        network = state.require(Network, identifier)
        _, end = _parts(network)
        device, inside = naming.vxlan(network.id), network.inside
        near = _is_near(network, record.vtep)
        routed = [a for a in record.addresses if near and a.version == record.vtep.version]
        for address in routed:
            if not network.has_blocks(network.subnet_of(address)):
                yield from _routed(network, end, IPNetwork(address), record.vtep)
            if network.is_direct and address.version == 6:
                yield ProxyNeighbour(device=network.bridge, address=address)
        direct = routed if network.is_direct else []
        tunnelled = [address for address in record.addresses if address not in direct]
        for address in tunnelled:
            yield Neighbour(
                device=network.port_bridge, address=address, mac=record.mac, inside=inside
            )
        if tunnelled or not record.addresses:
            yield Fdb(device=device, mac=record.mac, vtep=record.vtep, inside=inside)


def resolver(state: State, record: Resolver) -> Iterator[Object]:
    """Have what an overlay's containers ask of a name server answered by a program of ours."""
    network = state.require(Network, record.network)
    version, place = record.server.version, (str(record.address), str(record.port))
    match = (network.bridge, str(record.server))
    yield Element(family="inet", name=f"resolver{version}", match=match, data=place)
    for protocol in ("tcp", "udp"):
        yield _element(f"private{version}", place[0], protocol, place[1])


def _routed(network: Network, end: Tunnel, block: IPNetwork, vtep: IPAddress) -> Iterator[Object]:
    """Have this host reach a part of the network past the tunnel, and its containers if direct.

    From the gateway's address no answer would come back: there is one on every host.
    """
    if block.version != vtep.version:
        return
    yield Route(destination=block, device=end.device, via=vtep, source=end.address)
    if network.is_direct:
        yield _neighbouring(network, end, block)
        # Else ports are published to containers of other hosts under their own addresses.
        if network.is_translated(block.version):
            yield _untracked(f"outward{block.version}", network.bridge, listed(block))
            for subnet in network.subnets:
                if subnet.cidr.version == block.version:
                    yield _untracked(f"homeward{block.version}", listed(block), listed(subnet.cidr))


def _neighbouring(network: Network, end: Tunnel, block: IPNetwork) -> Element:
    words = (end.device, network.bridge, listed(block))
    return _element(f"neighbouring{block.version}", *words)


def frames(network: Network, name: str, *match: str) -> Element:
    """Give an element of the table that filters the frames of a network's bridge."""
    return Element(family="inside" if network.inside else "bridge", name=name, match=match)


def _contained(network: Network, name: str, *match: str) -> Element:
    family = "inside-tunnels" if network.inside else "tunnels"
    return Element(family=family, name=name, match=match)


def _is_near(network: Network, vtep: IPAddress) -> bool:
    """Say whether no router lies between this host and another, and what is where is known."""
    _, end = _parts(network)
    return network.is_clustered and not network.internal and vtep in end.segment


def _parts(network: Network) -> tuple[Overlay, Tunnel]:
    overlay, end = network.options.overlay, network.tunnel
    assert overlay is not None, "only an overlay has peers"
    assert end is not None, "an overlay is made with its tunnel"
    return overlay, end


def _element(name: str, *match: str) -> Element:
    return Element(family="inet", name=name, match=match)


def _untracked(name: str, *match: str) -> Element:
    return Element(family="untracked", name=name, match=match)
