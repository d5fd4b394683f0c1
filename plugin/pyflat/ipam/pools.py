"""RequestPool and ReleasePool."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from netaddr import AddrFormatError, IPNetwork

from pyflat.addressing import SPACES, AddressBlock, Pool, overlap, pool_id
from pyflat.errors import Conflict, Exhausted, InvalidRequest, NotFound
from pyflat.state import State

LOCAL, GLOBAL = SPACES


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where automatic pools come from: a block that is cut into subnets of ``length``."""

    block: IPNetwork
    length: int

    def __str__(self) -> str:
        """Write it as the setting does, as 10.0.0.0/8:24."""
        return f"{self.block}:{self.length}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a PoolID stands for: a pool, and the part of it that addresses are chosen from."""

    pool: str
    part: IPNetwork | None = None

    def __str__(self) -> str:
        """Write the PoolID."""
        return f"{self.pool}|{self.part}" if self.part else self.pool


def read_lease(identifier: str) -> Lease:
    """Read a PoolID. Raises NotFound for what cannot be one."""
    match identifier.split("|"):
        case [space, cidr]:
            return Lease(pool=f"{space}|{cidr}")
        case [space, cidr, part]:
            try:
                return Lease(pool=f"{space}|{cidr}", part=IPNetwork(part))
            except AddrFormatError:
                pass
    raise NotFound(f"pool {identifier} is not known to pyflat")


def request_pool(
    state: State,
    *,
    space: str,
    cidr: IPNetwork,
    part: IPNetwork | None,
    automatic: bool = False,
) -> tuple[State, Lease]:
    """Give out the subnet that is asked for; ``part`` limits the addresses that are chosen.

    ``automatic`` is one that ``free_subnet`` found. The same one may be asked for again: it is
    counted, and released as often. Raises InvalidRequest for a part outside, Conflict for an
    overlap in the address space.
    """
    if part is not None and part not in cidr:
        raise InvalidRequest(f"range {part} is not in pool {cidr}")
    lease = Lease(pool=pool_id(space, cidr), part=part)
    old = state.get(Pool, lease.pool)
    if old is not None:
        return state.put(replace(old, references=old.references + 1)), lease
    for other in _pools(state, space, cidr.version):
        if overlap(cidr, other):
            raise Conflict(f"pool {cidr} overlaps pool {other} of {space}")
    pool = Pool(id=lease.pool, space=space, cidr=cidr, automatic=automatic, part=part)
    return state.put(pool), lease


def free_subnet(
    state: State,
    *,
    space: str,
    version: int,
    sources: Iterable[Source],
    occupied: Iterable[IPNetwork],
) -> IPNetwork:
    """Find the first subnet of the sources that neither a pool nor ``occupied`` overlaps.

    Raises Exhausted.
    """
    taken = _merged(
        (network.first, network.last)
        for network in (*_avoided(state, space, version), *occupied)
        if network.version == version
    )
    for source in sources:
        if source.block.version == version:
            first = _first_gap(source, taken)
            if first is not None:
                return IPNetwork((first, source.length), version=version)
    raise Exhausted(f"no automatic IPv{version} pool is left in address space {space}")


def release_pool(state: State, identifier: str) -> State:
    """Take a pool back, with its addresses at the last release; an unknown one is no change."""
    pool = state.get(Pool, read_lease(identifier).pool)
    if pool is None:
        return state
    if pool.references > 1:
        return state.put(replace(pool, references=pool.references - 1))
    return drop_pool(state, pool)


def drop_pool(state: State, pool: Pool) -> State:
    """Remove a pool with its addresses, however often it was asked for."""
    for block in list(state.ids("pool", pool.id)):
        state = state.drop(AddressBlock, block)
    return state.drop(Pool, pool.id)


def _avoided(state: State, space: str, version: int) -> list[IPNetwork]:
    """Give what automatic pools of a space keep off: a host may have networks of both of ours."""
    spaces = SPACES if space in SPACES else (space,)
    return [cidr for each in spaces for cidr in _pools(state, each, version)]


def _pools(state: State, space: str, version: int) -> list[IPNetwork]:
    ids = state.ids("space", space, str(version))
    return [state.require(Pool, identifier).cidr for identifier in ids]


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _first_gap(source: Source, taken: list[tuple[int, int]]) -> int | None:
    """Give the first address of a free subnet, stepping over what is taken in one go."""
    width = 32 if source.block.version == 4 else 128
    size = 1 << (width - source.length)
    first = source.block.first
    while first + size - 1 <= source.block.last:
        index = bisect_right(taken, (first + size - 1, 1 << 128)) - 1
        if index < 0 or taken[index][1] < first:
            return int(first)
        first = (taken[index][1] // size + 1) * size
    return None
