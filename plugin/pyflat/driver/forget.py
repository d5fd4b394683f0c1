"""Dropping records that dockerd will never release, on an administrator's word."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from netaddr import AddrFormatError, IPAddress

from pyflat.addressing import Pool
from pyflat.driver.endpoints import Alive, bury, is_held
from pyflat.driver.networks import delete_network
from pyflat.errors import Conflict, InvalidRequest, NotFound
from pyflat.ipam.addresses import given_out, release_address
from pyflat.ipam.pools import drop_pool
from pyflat.model import Endpoint, Network
from pyflat.state import State

#: Characters of an id that are enough, as in docker's own commands if they are unambiguous.
ENOUGH = 4

R = TypeVar("R", Endpoint, Network)


def forget(state: State, *, kind: str, name: str, alive: Alive) -> State:
    """Drop a record and what depends on it; nothing that is in use is dropped.

    ``name`` is an id or the start of one, a pool's subnet, or an address. Raises
    InvalidRequest, NotFound, or Conflict where a container lives.
    """
    if kind not in KINDS:
        raise InvalidRequest(f"{kind!r} is none of {', '.join(KINDS)}")
    return KINDS[kind](state, name, alive)


def _endpoint(state: State, name: str, alive: Alive) -> State:
    return _bury(state, _by_id(state, Endpoint, name), alive)


def _network(state: State, name: str, alive: Alive) -> State:
    network = _by_id(state, Network, name)
    for identifier in list(state.ids("network", network.id)):
        state = _bury(state, state.require(Endpoint, identifier), alive)
    return delete_network(state, network.id)


def _pool(state: State, name: str, _: Alive) -> State:
    found = [pool for pool in state.all(Pool) if str(pool.cidr) == name]
    if not found:
        raise NotFound(f"pool {name} is not known to pyflat")
    for pool in found:
        for network in state.ids("addresses", pool.id):
            raise Conflict(f"pool {name} is that of network {network[:12]}: forget that first")
        state = drop_pool(state, pool)
    return state


def _address(state: State, name: str, _: Alive) -> State:
    try:
        address = IPAddress(name)
    except (AddrFormatError, ValueError) as error:
        raise InvalidRequest(f"{name!r} is not an address") from error
    pools = [pool.id for pool in state.all(Pool) if given_out(state, pool.id, address)]
    if not pools:
        raise NotFound(f"address {address} is given out of no pool of pyflat")
    for pool in pools:
        if is_held(state, pool, address):
            raise Conflict(f"address {address} is that of an endpoint: forget that first")
        state = release_address(state, pool, address)
    return state


def _bury(state: State, endpoint: Endpoint, alive: Alive) -> State:
    if alive(endpoint):
        raise Conflict(
            f"endpoint {endpoint.id[:12]} has a living container: docker network disconnect it"
        )
    return bury(state, endpoint)


def _by_id(state: State, kind: type[R], name: str) -> R:
    """Give the one record whose id starts with a name."""
    found = [record for record in state.all(kind) if record.id.startswith(name)]
    if len(name) < ENOUGH or not found:
        raise NotFound(f"{kind.kind} {name} is not known to pyflat")
    if len(found) > 1:
        raise InvalidRequest(f"{kind.kind} {name} may be one of {len(found)}: give more of its id")
    return found[0]


KINDS: Mapping[str, Callable[[State, str, Alive], State]] = {
    "network": _network,
    "endpoint": _endpoint,
    "pool": _pool,
    "address": _address,
}
