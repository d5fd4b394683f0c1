"""What CreateNetwork and DeleteNetwork do for a network of many hosts."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from typing import Protocol

from netaddr import IPAddress

from pyflat.driver.options import DIRECT_NEEDS
from pyflat.errors import InvalidRequest
from pyflat.model import Network
from pyflat.peers import OVERHEAD, Node, Overlay, Peer, Remote, Resolver, Tunnel
from pyflat.state import State

MTU = "com.docker.network.driver.mtu"


class Site(Protocol):
    """What an overlay has to know of the host it is made on."""

    def clustered(self) -> bool:
        """Say whether this host belongs to a cluster."""

    def in_swarm(self) -> bool:
        """Say whether networks are made for all nodes of a swarm."""

    def leased(self) -> bool:
        """Say whether the cluster counts on this host: only then it gives out addresses of it."""

    def may_be_inside(self) -> bool:
        """Say whether bridges can be made in a namespace of pyflat's own."""

    def tunnel(self, overlay: Overlay, nodes: Iterable[Node] = ()) -> Tunnel:
        """Find this host's end of an overlay's tunnel. Raises InvalidRequest.

        ``nodes`` are those that are known of the swarm.
        """

    def name_servers(self) -> tuple[IPAddress, ...]:
        """Give the name servers that Docker takes from this host."""


def governed(overlay: Overlay, site: Site) -> Overlay:
    """Give an overlay with who tells which hosts have it.

    Raises InvalidRequest if nobody does, or for what could not be told.
    """
    if not overlay.clustered or site.clustered():
        return overlay
    if not site.in_swarm():
        raise InvalidRequest(
            f"option vni={overlay.vni}: say which hosts have the network: peers=ADDRESS,… or "
            "group=ADDRESS, or run pyflat with PYFLAT_CLUSTER, or as a swarm's, PYFLAT_SCOPE=global"
        )
    if overlay.direct:
        raise InvalidRequest(DIRECT_NEEDS)
    if not overlay.vni:
        raise InvalidRequest("option vni='auto': only a manager of a swarm draws it; say a number")
    return replace(overlay, swarm=True)


def span(state: State, network: Network, labels: Mapping[str, str], site: Site) -> Network:
    """Give an overlay this host's end of its tunnel, and the MTU that the tunnel leaves it.

    What is known of it already stays as it is. Raises InvalidRequest for a host that could not
    reach another, or for packets that are larger than the tunnel takes.
    """
    if network.options.overlay is None:
        return network
    overlay = governed(network.options.overlay, site)
    old = state.get(Network, network.id)
    if old is not None and old.tunnel is not None:
        tunnel = old.tunnel
    else:
        tunnel = site.tunnel(overlay, state.all(Node))
    options = replace(network.options, mtu=_mtu(network, labels, tunnel), overlay=overlay)
    return replace(network, tunnel=tunnel, options=options)


def put_peers(state: State, network: Network) -> State:
    """Add the other hosts that an overlay's options name, or that its swarm has."""
    overlay = network.options.overlay
    if overlay is None:
        return state
    return _put(state, network, other_nodes(state) if overlay.swarm else overlay.peers)


def settle_peers(state: State, identifier: str, addresses: Set[IPAddress]) -> State:
    """Make the other hosts of a network those that have the addresses."""
    network = state.get(Network, identifier)
    if network is None or network.vni is None:
        return state
    for peer in list(state.ids("peers", str(network.vni))):
        if state.require(Peer, peer).vtep not in addresses:
            state = state.drop(Peer, peer)
    return _put(state, network, addresses)


def other_nodes(state: State) -> set[IPAddress]:
    """Give the addresses of all nodes of the swarm that are known, but for this host."""
    return {node.address for node in state.all(Node) if not node.own}


def drop_overlay(state: State, network: Network) -> State:
    """Forget what is known of other hosts of an overlay, and what answers for its names."""
    for peer in list(state.ids("peers", str(network.vni))):
        state = state.drop(Peer, peer)
    for remote in list(state.ids("remotes", str(network.vni))):
        state = state.drop(Remote, remote)
    for resolver in list(state.ids("resolvers", network.id)):
        state = state.drop(Resolver, resolver)
    return state


def _put(state: State, network: Network, addresses: Iterable[IPAddress]) -> State:
    assert network.vni is not None
    assert network.tunnel is not None
    own = network.tunnel.address
    for address in addresses:
        if address != own and address.version == own.version:
            state = state.put(Peer(vni=network.vni, host=str(address), vtep=address))
    return state


def _mtu(network: Network, labels: Mapping[str, str], tunnel: Tunnel) -> int:
    room = tunnel.mtu - OVERHEAD[tunnel.address.version]
    if labels.get(MTU, "0") == "0":
        return room
    if network.options.mtu > room:
        raise InvalidRequest(
            f"option {MTU}={network.options.mtu}: the tunnel over {tunnel.device} takes packets "
            f"of at most {room}"
        )
    return network.options.mtu
