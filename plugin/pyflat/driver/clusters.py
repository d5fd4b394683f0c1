"""What a network of many hosts must have of the cluster: its VNI, and foreign addresses."""

from collections.abc import Iterable
from dataclasses import replace

from netaddr import IPAddress

from pyflat.addressing import InterfaceAddress, Pool
from pyflat.errors import Conflict, InvalidRequest
from pyflat.ipam.shared import host_of
from pyflat.model import Network, Subnet
from pyflat.peers import Claim, Segment, foreign_pool
from pyflat.state import State
from pyflat.wants import AddressesWant, SegmentWant, Unclaimed


def with_vni(network: Network, vni: int) -> Network:
    """Give an overlay with another VNI."""
    assert network.options.overlay is not None
    overlay = replace(network.options.overlay, vni=vni)
    return replace(network, options=replace(network.options, overlay=overlay))


def settle_vni(state: State, network: Network) -> Network:
    """Give an overlay the VNI that is drawn for it, if one is to be.

    Raises Conflict for a VNI in use, InvalidRequest for a network that cannot be the same one on
    every host, Unclaimed while the cluster has not given the VNI to this host.
    """
    if network.vni is None:
        return network
    if network.vni:
        _check_unused(state, network)
    if not network.is_clustered:
        return network
    parts = _describe(state, network)
    segment = _segment(state, network.vni, parts)
    if segment is None or segment.parts != parts:
        raise Unclaimed(SegmentWant(vni=network.vni, parts=parts))
    network = with_vni(network, segment.vni)
    _check_unused(state, network)
    return network


def check_addresses(
    state: State, network: Network, addresses: Iterable[InterfaceAddress], *, leased: bool
) -> None:
    """Raise Conflict for an address that is in use on another host.

    Raises Unclaimed while the cluster has not given this host those that are not of our pools,
    or if this host is not ``leased``.
    """
    plain = [address.ip for address in addresses]
    for address in plain:
        if host := host_of(state, network, address):
            raise Conflict(f"address {address} of vni {network.vni} is in use on host {host}")
    if not network.is_clustered:
        return
    foreign = tuple(address for address in plain if not _is_of_block(network, address))
    missing = [address for address in foreign if not _is_claimed(state, network, address)]
    if missing or (foreign and not leased):
        assert network.vni is not None
        raise Unclaimed(AddressesWant(vni=network.vni, addresses=foreign))


def _check_unused(state: State, network: Network) -> None:
    for other in state.ids("vni", str(network.vni)):
        if other != network.id:
            raise Conflict(f"vni {network.vni} is already that of network {other[:12]}")


def _segment(state: State, vni: int, parts: tuple[str, ...]) -> Segment | None:
    if vni:
        return state.get(Segment, str(vni))
    return next((state.require(Segment, found) for found in state.ids("drawn", *parts)), None)


def _describe(state: State, network: Network) -> tuple[str, ...]:
    """Describe what must be the same on every host, as the docker command is told."""
    overlay = network.options.overlay
    assert overlay is not None
    for subnet in network.subnets:
        pool = state.get(Pool, subnet.pool)
        if pool is not None and pool.automatic:
            raise InvalidRequest(
                f"subnet {subnet.cidr} was chosen by this host alone; hosts of one overlay agree "
                f"on theirs: --subnet {subnet.cidr}"
            )
    if not overlay.vni and not network.subnets:
        raise InvalidRequest("option vni='auto': only a network with a --subnet is given one")
    return tuple(sorted(_words(network, subnet) for subnet in network.subnets))


def _words(network: Network, subnet: Subnet) -> str:
    words = [f"--subnet {subnet.cidr}"]
    if subnet.is_ours:
        words.append("--ipam-driver pyflat")
        if subnet.gateway is not None and network.has_address(subnet.cidr.version):
            words.append(f"--gateway {subnet.gateway.ip}")
        words.extend(f"--aux-address {address}" for address in subnet.auxiliary)
    return " ".join(words)


def _is_of_block(network: Network, address: IPAddress) -> bool:
    return network.has_blocks(network.subnet_of(address))


def _is_claimed(state: State, network: Network, address: IPAddress) -> bool:
    """Raise Conflict if the cluster has given a claimed address to another host meanwhile."""
    assert network.vni is not None
    length = 32 if address.version == 4 else 128
    claim = state.get(Claim, f"{foreign_pool(network.vni)}#{address}/{length}")
    if claim is not None and claim.lost:
        raise Conflict(f"address {address} of vni {network.vni} is in use on host {claim.lost}")
    return claim is not None
