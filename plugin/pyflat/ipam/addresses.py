"""RequestAddress and ReleaseAddress."""

from netaddr import IPAddress, IPNetwork

from pyflat.errors import Conflict, Exhausted, InvalidRequest
from pyflat.model import Allocation, Pool, State


def request_address(
    state: State, pool_id: str, wanted: IPAddress | None
) -> tuple[State, IPNetwork]:
    """Give out an address with the mask of its pool: the wanted one, else the lowest free.

    Raises NotFound for an unknown pool, InvalidRequest for an address outside it, Conflict for
    one that is given out, Exhausted when none is left.
    """
    pool = state.require(Pool, pool_id)
    if wanted is not None and wanted not in pool.cidr:
        raise InvalidRequest(f"address {wanted} is not in pool {pool.cidr}")
    if wanted is not None and _is_taken(state, pool, wanted):
        raise Conflict(f"address {wanted} of pool {pool.cidr} is already given out")
    address = wanted or _lowest_free(state, pool)
    state = state.put(Allocation(id=_key(pool, address), pool=pool.id, address=address))
    return state, IPNetwork(f"{address}/{pool.cidr.prefixlen}")


def release_address(state: State, pool_id: str, address: IPAddress) -> State:
    """Take an address back; one that is not given out is no change."""
    return state.drop(Allocation, f"{pool_id}|{address}")


def _lowest_free(state: State, pool: Pool) -> IPAddress:
    part = pool.range or pool.cidr
    # Neither the subnet's own address nor, in IPv4, its broadcast address.
    first, last = pool.cidr.first + 1, pool.cidr.last - (pool.cidr.version == 4)
    for value in range(max(first, part.first), min(last, part.last) + 1):
        address = IPAddress(value, version=pool.cidr.version)
        if not _is_taken(state, pool, address):
            return address
    raise Exhausted(f"no address is left in {part} of pool {pool.cidr}")


def _is_taken(state: State, pool: Pool, address: IPAddress) -> bool:
    return state.get(Allocation, _key(pool, address)) is not None


def _key(pool: Pool, address: IPAddress) -> str:
    return f"{pool.id}|{address}"
