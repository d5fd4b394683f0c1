"""RequestPool and ReleasePool."""

from collections.abc import Iterator
from dataclasses import replace

from netaddr import IPNetwork

from pyflat.errors import Conflict, Exhausted, InvalidRequest
from pyflat.model import Allocation, Pool, State, overlap

#: Where pools come from when none is asked for, as (block, prefix length of a pool).
AUTOMATIC = {
    4: ((IPNetwork("172.16.0.0/12"), 16), (IPNetwork("192.168.0.0/16"), 20)),
    6: ((IPNetwork("fd9f:1a7e::/48"), 64),),
}


def request_pool(
    state: State, *, space: str, cidr: IPNetwork | None, part: IPNetwork | None, version: int
) -> tuple[State, Pool]:
    """Give out a pool; ``part`` limits the addresses that are chosen, not those asked for.

    The same explicit pool may be asked for again: it is counted, and released as often. An
    automatic pool is never one that is given out. Raises InvalidRequest, Conflict, Exhausted.
    """
    chosen = cidr or _free(state, space, version)
    if chosen.version != version:
        raise InvalidRequest(f"pool {chosen} is not of IPv{version}")
    if part is not None and part not in chosen:
        raise InvalidRequest(f"range {part} is not in pool {chosen}")
    words = (space, str(chosen), str(part) if part else "")
    pool = Pool(id="|".join(filter(None, words)), space=space, cidr=chosen, range=part)
    old = state.get(Pool, pool.id)
    if old is not None:
        pool = replace(old, references=old.references + 1)
    else:
        _check_overlap(state, pool)
    return state.put(pool), pool


def release_pool(state: State, identifier: str) -> State:
    """Take a pool back, with its addresses at the last release; an unknown one is no change."""
    pool = state.get(Pool, identifier)
    if pool is None:
        return state
    if pool.references > 1:
        return state.put(replace(pool, references=pool.references - 1))
    for address in list(state.ids("pool", identifier)):
        state = state.drop(Allocation, address)
    return state.drop(Pool, identifier)


def _free(state: State, space: str, version: int) -> IPNetwork:
    taken = list(_taken(state, space))
    for block, length in AUTOMATIC[version]:
        for candidate in block.subnet(length):
            if not any(overlap(candidate, other) for other in taken):
                return candidate
    raise Exhausted(f"no automatic IPv{version} pool is left in address space {space}")


def _taken(state: State, space: str) -> Iterator[IPNetwork]:
    return (state.require(Pool, identifier).cidr for identifier in state.ids("space", space))


def _check_overlap(state: State, pool: Pool) -> None:
    for other in _taken(state, pool.space):
        if overlap(pool.cidr, other) and other != pool.cidr:
            raise Conflict(f"pool {pool.cidr} overlaps pool {other} of {pool.space}")
