"""Pools of a swarm: one of its managers, the leader, gives out their addresses for all nodes.

Who becomes the leader asks once more for each pool that there is, and then by name for each
address that is in use. What was released under another leader it has never heard of.
"""

from netaddr import IPNetwork

from pyflat.addressing import Pool, pool_id
from pyflat.ipam.addresses import set_aside
from pyflat.ipam.pools import GLOBAL, Lease, drop_pool, read_lease, request_pool
from pyflat.state import State


def request_swarm_pool(
    state: State, *, cidr: IPNetwork, part: IPNetwork | None, automatic: bool
) -> tuple[State, Lease]:
    """Give out a subnet as ``request_pool`` does.

    One that is asked for again has a new leader: its addresses go to who asks for them by name,
    to others only when nothing else is left.
    """
    known = state.get(Pool, pool_id(GLOBAL, cidr))
    if known is None:
        return request_pool(state, space=GLOBAL, cidr=cidr, part=part, automatic=automatic)
    return set_aside(state, known), Lease(pool=known.id, part=part)


def release_swarm_pool(state: State, identifier: str) -> State:
    """Take a pool back, however often it was asked for; an unknown one is no change.

    One that is still a network's stays: it was released by who was refused another with it.
    """
    pool = state.get(Pool, read_lease(identifier).pool)
    if pool is None or any(state.ids("granted", str(pool.cidr))):
        return state
    return drop_pool(state, pool)
