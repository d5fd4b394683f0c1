"""What a swarm tells: managers of networks for all nodes, and every node of the others."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from itertools import product

from netaddr import IPAddress, IPNetwork

from pyflat import naming
from pyflat.addressing import Pool, overlap, pool_id
from pyflat.driver.endpoints import Alive
from pyflat.driver.networks import delete_network
from pyflat.driver.options import parse_options
from pyflat.driver.overlays import Site, governed, other_nodes, settle_peers
from pyflat.errors import Conflict, Exhausted, InvalidRequest
from pyflat.ipam.pools import GLOBAL, drop_pool
from pyflat.ipam.swarm import release_swarm_pool
from pyflat.model import Endpoint, Network
from pyflat.peers import Allocation, Node
from pyflat.state import State

#: Seconds for which a node that is gone is a host of networks still: a Docker that was killed, or
#: is cut off, leaves its containers running.
GRACE = 60.0

#: VNIs that are drawn. Smaller ones are for people to choose; from 4096 on Docker draws those of
#: its own overlays, for the same UDP port (swarmkit, and moby's ``libnetwork/drivers/overlay``).
DRAWN = range(1024, 4096)


def allocate(
    state: State,
    *,
    identifier: str,
    labels: Mapping[str, str],
    subnets: Iterable[IPNetwork],
    site: Site,
) -> tuple[State, Mapping[str, str]]:
    """Note a network of the swarm, and give its options as all nodes are to have them.

    They are ``labels`` with a VNI: the one in there, or the one that was drawn before, else a new
    one. So the options of an earlier answer, whoever gave it, are answered as they are. Raises
    InvalidRequest for a bad id or option or more than one subnet, Conflict for a VNI in use or a
    subnet that overlaps another network's, Exhausted when no VNI is left.
    """
    known = state.get(Allocation, naming.check_id("network", identifier))
    answer = dict(labels)
    if answer.get("vni", "auto") == "auto":
        answer["vni"] = str(known.vni if known else _draw(state))
    overlay = parse_options(answer).overlay
    assert overlay is not None
    governed(overlay, site)
    found = Allocation(id=identifier, vni=overlay.vni, subnets=tuple(subnets))
    if [subnet.version for subnet in found.subnets] != [4]:
        # Of several it chooses one at random (swarmkit's allocator); nodes fill in the other.
        raise InvalidRequest(
            "a swarm gives a container one address: its networks have one --subnet, of IPv4"
        )
    _check_unused(state, found)
    return state.put(found), answer


def free(state: State, identifier: str) -> State:
    """Forget a network of the swarm; an unknown one is no change."""
    return state.drop(Allocation, identifier)


def keep_allocations(state: State, among: Iterable[str], networks: Set[str]) -> State:
    """Forget which networks of some are none of the swarm's any more, with their pools.

    What became of a network while another manager led, nobody tells.
    """
    for identifier in among:
        gone = state.get(Allocation, identifier) if identifier not in networks else None
        if gone is not None:
            state = free(state, identifier)
            for subnet in gone.subnets:
                state = release_swarm_pool(state, pool_id(GLOBAL, subnet))
    return state


def meet(state: State, address: IPAddress, *, own: bool) -> State:
    """Note that a node is there, or under which address this host is known to the others."""
    return _spread(state, _met(state, address, own=own))


def miss(state: State, address: IPAddress, *, now: float) -> State:
    """Note that another node is gone; an unknown one is no change."""
    node = state.get(Node, str(address))
    if node is None or node.own or node.gone:
        return state
    return state.put(replace(node, gone=now))


def settle_nodes(
    state: State, own: IPAddress, others: Set[IPAddress], *, whole: bool, now: float
) -> State:
    """Make the nodes of the swarm this host, by its address, and others.

    If that is the ``whole`` list, nodes that are not in it are gone. One that has been gone for
    long is forgotten.
    """
    before = state
    for node in list(state.all(Node)):
        if node.address not in others and whole:
            state = miss(state, node.address, now=now)
        if node.address not in others and node.gone and now - node.gone > GRACE:
            state = state.drop(Node, node.id)
    state = _met(state, own, own=True)
    for address in others - {own}:
        state = _met(state, address, own=False)
    return _spread(before, state)


def leave(state: State) -> State:
    """Note that this host is no node of a swarm."""
    before = state
    for node in list(state.all(Node)):
        state = state.drop(Node, node.id)
    return _spread(before, state)


def drop_network(state: State, identifier: str, alive: Alive) -> State:
    """Drop a network that Docker has forgotten, with its pools; one with a container stays."""
    network = state.get(Network, identifier)
    own = [state.require(Endpoint, found) for found in state.ids("network", identifier)]
    if network is None or any(map(alive, own)):
        return state
    state = delete_network(state, identifier)
    for subnet in network.subnets:
        pool = state.get(Pool, subnet.pool)
        if pool is not None and not any(state.ids("addresses", pool.id)):
            state = drop_pool(state, pool)
    return state


def give_way(state: State, space: str, cidr: IPNetwork, alive: Alive) -> State:
    """Drop what a Docker that was killed has forgotten of a swarm's network with a subnet.

    Docker keeps such networks in memory only, and makes them anew (moby ``libnetwork``).
    """
    for identifier in list(state.ids("addresses", pool_id(space, cidr))):
        if state.require(Network, identifier).of_swarm:
            state = drop_network(state, identifier, alive)
    return state


def _met(state: State, address: IPAddress, *, own: bool) -> State:
    if own:
        for former in set(state.ids("own-node")) - {str(address)}:
            state = state.drop(Node, former)
    elif str(address) in state.ids("own-node"):
        return state
    return state.put(Node(address=address, own=own))


def _spread(before: State, state: State) -> State:
    """Make the other nodes the other hosts of each network of the swarm, if they have changed."""
    addresses = other_nodes(state)
    if addresses == other_nodes(before):
        return state
    for identifier in list(state.ids("overlays")):
        if state.require(Network, identifier).is_swarm:
            state = settle_peers(state, identifier, addresses)
    return state


def _draw(state: State) -> int:
    for vni in map(str, DRAWN):
        if not any(state.ids("allocated", vni)) and not any(state.ids("vni", vni)):
            return int(vni)
    raise Exhausted(f"no vni from {DRAWN[0]} to {DRAWN[-1]} is left; say vni=NUMBER")


def _check_unused(state: State, found: Allocation) -> None:
    for key in ("allocated", "vni"):
        for other in state.ids(key, str(found.vni)):
            if other != found.id:
                raise Conflict(f"vni {found.vni} is already that of network {other[:12]}")
    for other_one in state.all(Allocation):
        if other_one.id != found.id:
            for ours, theirs in product(found.subnets, other_one.subnets):
                if overlap(ours, theirs):
                    raise Conflict(
                        f"subnet {ours} overlaps {theirs} of network {other_one.id[:12]}"
                    )
