"""What CreateNetwork and DeleteNetwork do for a network of many hosts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from netaddr import IPAddress

from pyflat.errors import InvalidRequest
from pyflat.model import Network
from pyflat.peers import OVERHEAD, Overlay, Peer, Remote, Resolver, Tunnel
from pyflat.state import State

MTU = "com.docker.network.driver.mtu"


class Site(Protocol):
    """What an overlay has to know of the host it is made on."""

    def clustered(self) -> bool:
        """Say whether this host belongs to a cluster."""

    def leased(self) -> bool:
        """Say whether the cluster counts on this host: only then it gives out addresses of it."""

    def may_be_inside(self) -> bool:
        """Say whether overlays can be made in a namespace of their own."""

    def tunnel(self, overlay: Overlay) -> Tunnel:
        """Find this host's end of an overlay's tunnel. Raises InvalidRequest."""

    def name_servers(self) -> tuple[IPAddress, ...]:
        """Give the name servers that Docker takes from this host."""


def span(network: Network, labels: Mapping[str, str], site: Site, old: Network | None) -> Network:
    """Give an overlay this host's end of its tunnel, and the MTU that the tunnel leaves it.

    What ``old`` has already stays as it is. Raises InvalidRequest for a host that could not
    reach another, or for packets that are larger than the tunnel takes.
    """
    overlay = network.options.overlay
    if overlay is None:
        return network
    if overlay.clustered and not site.clustered():
        raise InvalidRequest(
            f"option vni={overlay.vni}: say which hosts have the network: peers=ADDRESS,… or "
            "group=ADDRESS, or run pyflat with PYFLAT_CLUSTER"
        )
    known = old is not None and old.tunnel is not None
    tunnel = old.tunnel if old is not None and known else site.tunnel(overlay)
    inside = old.inside if old is not None and known else site.may_be_inside()
    assert tunnel is not None
    options = replace(network.options, mtu=_mtu(network, labels, tunnel))
    return replace(network, tunnel=tunnel, inside=inside, options=options)


def put_peers(state: State, network: Network) -> State:
    """Add the other hosts that an overlay's options name."""
    if network.vni is None:
        return state
    assert network.options.overlay is not None
    assert network.tunnel is not None
    for address in network.options.overlay.peers:
        if address != network.tunnel.address:
            state = state.put(Peer(vni=network.vni, host=str(address), vtep=address))
    return state


def drop_overlay(state: State, network: Network) -> State:
    """Forget what is known of other hosts of an overlay, and what answers for its names."""
    for peer in list(state.ids("peers", str(network.vni))):
        state = state.drop(Peer, peer)
    for remote in list(state.ids("remotes", str(network.vni))):
        state = state.drop(Remote, remote)
    for resolver in list(state.ids("resolvers", network.id)):
        state = state.drop(Resolver, resolver)
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
