"""CreateNetwork and DeleteNetwork."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations, product

from pyflat import naming
from pyflat.addressing import overlap
from pyflat.driver import clusters, endpoints
from pyflat.driver.endpoints import Alive
from pyflat.driver.options import parse_options
from pyflat.driver.overlays import Site, drop_overlay, put_peers, span
from pyflat.errors import Conflict, InvalidRequest
from pyflat.model import Endpoint, Network, Subnet
from pyflat.state import State

#: The kernel takes IPv6 away from an interface of a smaller MTU (RFC 8200, section 5).
IPV6_MTU = 1280


def create_network(
    state: State,
    *,
    identifier: str,
    subnets: Iterable[Subnet],
    internal: bool,
    labels: Mapping[str, str],
    alive: Alive,
    site: Site,
) -> State:
    """Add a network; the same one once more is no change.

    An address space has each subnet once. So a network without living endpoints gives way to
    another that has its subnet from the same space: Docker has forgotten it, or never heard that
    it was made. Raises InvalidRequest for a bad id or option, Conflict for the same id with
    another description, for a bridge name or VNI in use and for a subnet that overlaps another's,
    Unclaimed for a network of many hosts that the cluster has not heard of.
    """
    options = parse_options(labels)
    network = Network(
        id=naming.check_id("network", identifier),
        bridge=options.bridge or naming.bridge(identifier),
        subnets=tuple(_usable(subnets)),
        internal=internal,
        options=options,
    )
    _check_modes(network)
    old = state.get(Network, identifier)
    network = span(state, _placed(state, network, site), labels, site)
    if old is not None and old.vni and network.vni == 0:
        network = clusters.with_vni(network, old.vni)
    if old == network:
        return state
    if old is not None:
        raise Conflict(f"network {identifier} exists already with another description")
    _check_mtu(network)
    state = _claim_subnets(state, network, alive)
    _check_bridge(state, network)
    network = clusters.settle_vni(state, network)
    return put_peers(state.put(network), network)


def delete_network(state: State, identifier: str) -> State:
    """Remove a network and whatever endpoints it still has; an unknown one is no change.

    dockerd asks only when it has no endpoint left and ignores a refusal
    (moby ``libnetwork/network.go``), so what is left here is stale.
    """
    for endpoint in list(state.ids("network", identifier)):
        state = endpoints.delete_endpoint(state, endpoint)
    network = state.get(Network, identifier)
    if network is not None:
        state = drop_overlay(state, network)
    return state.drop(Network, identifier)


def _usable(subnets: Iterable[Subnet]) -> Iterable[Subnet]:
    for subnet in subnets:
        if subnet.cidr.prefixlen == 0:
            continue  # the null IPAM's way of saying "no addresses"
        if subnet.gateway is not None and subnet.gateway.ip not in subnet.cidr:
            raise InvalidRequest(f"gateway {subnet.gateway.ip} is not in subnet {subnet.cidr}")
        yield subnet


def _placed(state: State, network: Network, site: Site) -> Network:
    """Give a network with where its bridge lies: what is there already stays where it is."""
    old = state.get(Network, network.id)
    if old is not None:
        return replace(network, inside=old.inside)
    options = network.options
    asked = options.namespace == "own"
    wanted = asked or (not options.namespace and options.overlay is not None)
    inside = wanted and site.may_be_inside()
    if asked and not inside:
        raise InvalidRequest(
            "option namespace='own': pyflat may not make or enter that namespace; it needs a path "
            "in PYFLAT_NAMESPACE and CAP_SYS_ADMIN, or say namespace=host"
        )
    return replace(network, inside=inside)


def _check_modes(network: Network) -> None:
    for version in (4, 6):
        if network.options.family(version).mode == "isolated" and not network.internal:
            raise InvalidRequest(
                f"option com.docker.network.bridge.gateway_mode_ipv{version}='isolated': "
                "only an internal network can be isolated"
            )


def _check_mtu(network: Network) -> None:
    mtu, versions = network.options.mtu, {s.cidr.version for s in network.subnets}
    if 6 in versions and mtu < IPV6_MTU:
        raise InvalidRequest(f"mtu {mtu} is too small for IPv6, which needs at least {IPV6_MTU}")


def _check_bridge(state: State, network: Network) -> None:
    for other in state.ids("bridge", network.bridge):
        raise Conflict(f"bridge {network.bridge} is already the bridge of network {other}")


def _claim_subnets(state: State, network: Network, alive: Alive) -> State:
    for first, second in combinations(network.subnets, 2):
        if overlap(first.cidr, second.cidr):
            raise Conflict(f"subnets {first.cidr} and {second.cidr} overlap")
    for other in list(state.all(Network)):
        pairs = product(network.subnets, other.subnets)
        shared = [(o, t) for o, t in pairs if overlap(o.cidr, t.cidr)]
        for ours, theirs in shared:
            if ours.space != theirs.space or not ours.space or _lives(state, other, alive):
                raise Conflict(
                    f"subnet {ours.cidr} overlaps {theirs.cidr} of network {other.id[:12]}"
                )
        if shared:
            state = delete_network(state, other.id)
    return state


def _lives(state: State, network: Network, alive: Alive) -> bool:
    own = (state.require(Endpoint, identifier) for identifier in state.ids("network", network.id))
    return any(alive(endpoint) for endpoint in own)
