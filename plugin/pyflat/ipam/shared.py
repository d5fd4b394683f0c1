"""Addresses of a pool that a cluster shares: given out of the blocks that this host holds.

The pool is the cluster's if a network of many hosts has it. Its gateway and its auxiliary
addresses were given out before that network was there, on every host the same ones.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby

from netaddr import IPAddress, IPNetwork

from pyflat.addressing import InterfaceAddress, Pool, overlap
from pyflat.errors import Conflict, Exhausted
from pyflat.ipam.addresses import check_free, count_set_aside, lowest_free, take, useless
from pyflat.ipam.blocks import block_around, free_block
from pyflat.ipam.pools import Lease
from pyflat.model import Network
from pyflat.peers import Claim, Peer, Remote, foreign_pool
from pyflat.state import State
from pyflat.wants import BlockWant, Unclaimed


def cluster_network(state: State, pool: str) -> Network | None:
    """Give the network of a cluster that shares a pool; without one the pool is this host's."""
    networks = (state.require(Network, identifier) for identifier in state.ids("addresses", pool))
    return next((n for n in networks if n.is_clustered and not n.of_swarm), None)


def request_shared_address(
    state: State, lease: Lease, network: Network, *, wanted: IPAddress | None, leased: bool
) -> tuple[State, InterfaceAddress]:
    """Give out an address of ``network``, as ``request_address`` does, from this host's blocks.

    Raises Unclaimed if it needs a block first, or if this host is not ``leased``: then others
    may believe that it is dead. Raises InvalidRequest for an address outside the pool, Conflict
    for one that is given out, here or on another host.
    """
    pool = state.require(Pool, lease.pool)
    part = lease.part or pool.cidr
    if wanted is not None:
        part = part if wanted in part else pool.cidr
        check_free(state, pool, wanted)
        if host := host_of(state, network, wanted):
            raise Conflict(f"address {wanted} of pool {pool.cidr} is in use on host {host}")
    want = BlockWant(pool=pool.id, part=part, address=wanted)
    address = _held_address(state, network, want)
    if address is None or not leased:
        raise Unclaimed(want)
    return take(state, pool, address, asked=wanted is not None)


def is_held(state: State, want: BlockWant) -> bool:
    """Say whether this host holds what a change wants, or nothing can want it any more."""
    network = cluster_network(state, want.pool)
    return network is None or _held_address(state, network, want) is not None


def _held_address(state: State, network: Network, want: BlockWant) -> IPAddress | None:
    """Find the address that a want is about, else any free one, in this host's blocks."""
    pool = state.require(Pool, want.pool)
    blocks = held_blocks(state, pool, want.part)
    if want.address is not None:
        return want.address if any(want.address in block for block in blocks) else None
    return lowest_free(state, pool, blocks, lambda a: not host_of(state, network, a))


def host_of(state: State, network: Network, address: IPAddress) -> str:
    """Name the other host that is known to have an address of a network in use; "" for none."""
    found = state.ids("remote", str(network.vni), str(address)) if network.is_clustered else ()
    return next((state.require(Remote, remote).host for remote in found), "")


def claims_of(state: State, pool: str) -> Iterator[Claim]:
    """Give what this host has claimed of a pool, in the order of addresses."""
    claims = (state.require(Claim, identifier) for identifier in state.ids("claims", pool))
    return iter(sorted(claims, key=lambda claim: claim.cidr))


def held_blocks(state: State, pool: Pool, part: IPNetwork) -> list[IPNetwork]:
    """Give what this host may give out of a part of a pool, in the order of addresses."""
    blocks = (claim.cidr for claim in claims_of(state, pool.id) if not claim.lost)
    # Of two that overlap, one is within the other.
    return [max(block, part, key=_length) for block in blocks if block in part or part in block]


def reserved(network: Network, pool: Pool) -> set[IPAddress]:
    """Give the addresses of a pool that no container of a network has."""
    own = [subnet for subnet in network.subnets if subnet.cidr == pool.cidr]
    gateways = {subnet.gateway.ip for subnet in own if subnet.gateway}
    return useless(pool.cidr).union(gateways, *(subnet.auxiliary for subnet in own))


def choose_block(
    state: State, network: Network, want: BlockWant, held: Mapping[IPNetwork, str], host: str
) -> IPNetwork:
    """Choose the block that this ``host`` claims next of a pool, for a want.

    ``held`` is what the cluster knows of the pool's blocks and whose they are. One of this host's
    that State knows nothing of is taken up again: a claim was cut off. What other hosts were
    last known to hold is left to them, even if the cluster has forgotten it. Raises Conflict if
    another host holds the address that is wanted, Exhausted if nothing is left.
    """
    pool = state.require(Pool, want.pool)
    known = {claim.cidr: host for claim in claims_of(state, pool.id) if not claim.lost}
    cut_off = [block for block, holder in held.items() if holder == host and block not in known]
    for block in sorted(cut_off):
        if want.address in block if want.address else overlap(block, want.part):
            return block
    taken = {**_blocks_of_peers(state, network, pool), **known, **held}
    if want.address is not None:
        return block_around(want.part, want.address, taken)
    found = free_block(want.part, taken, reserved(network, pool))
    if found is None:
        counts = sorted(Counter(taken.values()).items())
        told = ", ".join(f"{name} has {count}" for name, count in counts)
        raise Exhausted(f"no block of addresses is left in {want.part} of pool {pool.cidr}: {told}")
    return found


def runs_low(state: State, pool: Pool, network: Network) -> bool:
    """Say whether less than a quarter of what this host holds of a pool is free, if it does."""
    free, size = _room(state, pool, network, held_blocks(state, pool, pool.part or pool.cidr))
    return size > 0 and 4 * free < size


def is_idle(state: State, claim: Claim) -> bool:
    """Say whether no container has, or may come back for, an address of a claim."""
    space, _, vni = claim.pool.partition("|")
    if foreign_pool(0).startswith(f"{space}|"):
        networks = state.ids("vni", vni)
        return not any(any(state.ids("address", n, str(claim.cidr.ip))) for n in networks)
    pool = state.get(Pool, claim.pool)
    if pool is None:
        return True
    network = cluster_network(state, pool.id)
    kept = reserved(network, pool) if network is not None else ()
    return count_set_aside(state, pool, claim.cidr, kept) == 0


def spare_claims(state: State) -> Iterator[Claim]:
    """Give the claims that this host has no use for.

    Of a pool that is in use, half of what stays is free, so that none is claimed again at once.
    """
    for pool, claims in groupby(sorted(state.all(Claim), key=_pool), key=_pool):
        idle = [claim for claim in claims if is_idle(state, claim)]
        found = state.get(Pool, pool)
        network = cluster_network(state, pool)
        if found is None or network is None:
            yield from idle
            continue
        blocks = held_blocks(state, found, found.cidr)
        for claim in sorted(idle, key=lambda claim: claim.cidr, reverse=True):
            rest = [block for block in blocks if block != claim.cidr]
            free, size = _room(state, found, network, rest)
            if claim.lost or 2 * free >= size:
                blocks = rest
                yield claim


def _blocks_of_peers(state: State, network: Network, pool: Pool) -> dict[IPNetwork, str]:
    peers = (state.require(Peer, found) for found in state.ids("peers", str(network.vni)))
    return {block: peer.host for peer in peers for block in peer.blocks if block in pool.cidr}


def _room(state: State, pool: Pool, network: Network, blocks: list[IPNetwork]) -> tuple[int, int]:
    """Give how many addresses of blocks are free, and how many containers could have at all."""
    kept = reserved(network, pool)
    size = sum(int(block.size) - sum(a in block for a in kept) for block in blocks)
    used = sum(count_set_aside(state, pool, block, kept) for block in blocks)
    return size - used, size


def _pool(claim: Claim) -> str:
    return claim.pool


def _length(cidr: IPNetwork) -> int:
    return int(cidr.prefixlen)
