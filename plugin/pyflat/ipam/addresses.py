"""RequestAddress and ReleaseAddress."""

from collections.abc import Callable, Iterable, Iterator

from netaddr import IPAddress, IPNetwork

from pyflat.addressing import AddressBlock, InterfaceAddress, Pool
from pyflat.errors import Conflict, Exhausted, InvalidRequest
from pyflat.ipam.pools import Lease
from pyflat.state import State

SIZE = AddressBlock.SIZE
_FULL = b"\xff" * (SIZE // 8)


def request_address(
    state: State,
    lease: Lease,
    *,
    wanted: IPAddress | None = None,
    gateway: bool = False,
    in_turn: bool = False,
) -> tuple[State, InterfaceAddress]:
    """Give out an address with the mask of its pool: the wanted one, else the lowest free.

    An address that was once wanted is chosen only when no other is free: the container that
    asked for it may be started again, and nothing tells when it is removed. With ``in_turn``, so
    is one that was ever given out: who had it may be remembered by others. A gateway is chosen
    from the whole pool, so that it is the same on every host whatever the range. Raises
    NotFound for an unknown pool, InvalidRequest for an address outside it, Conflict for one that
    is given out, Exhausted when none is left.
    """
    pool = state.require(Pool, lease.pool)
    if wanted is not None:
        check_free(state, pool, wanted)
        return take(state, pool, wanted, asked=True)
    part = lease.part if lease.part is not None and not gateway else pool.cidr
    address = lowest_free(state, pool, [part])
    if address is None:
        raise Exhausted(f"no address is left in {part} of pool {pool.cidr}")
    return take(state, pool, address, asked=in_turn)


def release_address(state: State, pool_id: str, address: IPAddress) -> State:
    """Take an address back; one that is not given out is no change."""
    pool = state.get(Pool, pool_id)
    if pool is None or address not in pool.cidr:
        return state
    number, bit = divmod(int(address) - pool.cidr.first, SIZE)
    block = _block(state, pool, number)
    taken = _bits(block.taken) & ~(1 << bit)
    return _put(state, block, taken, _bits(block.asked))


def set_aside(state: State, pool: Pool) -> State:
    """Take all addresses of a pool back, as if who had them asked for them by name again."""
    for identifier in list(state.ids("pool", pool.id)):
        block = state.require(AddressBlock, identifier)
        state = _put(state, block, 0, _bits(block.taken) | _bits(block.asked))
    return state


def given_out(state: State, pool_id: str, address: IPAddress) -> bool:
    """Say whether an address of a pool is given out."""
    pool = state.get(Pool, pool_id)
    if pool is None or address not in pool.cidr:
        return False
    number, bit = divmod(int(address) - pool.cidr.first, SIZE)
    return bool(_bits(_block(state, pool, number).taken) >> bit & 1)


def check_free(state: State, pool: Pool, wanted: IPAddress) -> None:
    """Raise InvalidRequest for an address outside a pool, Conflict for one that is given out."""
    if wanted not in pool.cidr:
        raise InvalidRequest(f"address {wanted} is not in pool {pool.cidr}")
    if given_out(state, pool.id, wanted):
        raise Conflict(f"address {wanted} of pool {pool.cidr} is already given out")


def lowest_free(
    state: State,
    pool: Pool,
    parts: Iterable[IPNetwork],
    usable: Callable[[IPAddress], bool] = lambda _: True,
) -> IPAddress | None:
    """Find the first free address in parts of a pool, or None.

    One that was once asked for comes after all others.
    """
    parts = list(parts)
    for spare_asked in (True, False):
        for part in parts:
            for offset in _free(state, pool, part, spare_asked=spare_asked):
                address = IPAddress(pool.cidr.first + offset, version=pool.cidr.version)
                if usable(address):
                    return address
    return None


def take(
    state: State, pool: Pool, address: IPAddress, *, asked: bool
) -> tuple[State, InterfaceAddress]:
    """Note that an address of a pool is given out; give it with the pool's mask."""
    number, bit = divmod(int(address) - pool.cidr.first, SIZE)
    block = _block(state, pool, number)
    mark = 1 << bit
    remembered = _bits(block.asked) | (mark if asked else 0)
    state = _put(state, block, _bits(block.taken) | mark, remembered)
    return state, InterfaceAddress(f"{address}/{pool.cidr.prefixlen}")


def count_set_aside(state: State, pool: Pool, part: IPNetwork, but: Iterable[IPAddress]) -> int:
    """Count the addresses of a part that are given out or were once asked for, ``but`` some."""
    first, last = part.first - pool.cidr.first, part.last - pool.cidr.first
    left_out = [int(address) - pool.cidr.first for address in but if address in part]
    count = 0
    for identifier in state.ids("pool", pool.id):
        block = state.require(AddressBlock, identifier)
        start = block.number * SIZE
        if first < start + SIZE and start <= last:
            bits = _bits(block.taken) | _bits(block.asked)
            for offset in left_out:
                if 0 <= offset - start < SIZE:
                    bits &= ~(1 << offset - start)
            count += (bits & _window(first - start, last - start)).bit_count()
    return count


def useless(cidr: IPNetwork) -> set[IPAddress]:
    """Give the addresses of a subnet that no interface may have."""
    first, last = _usable(cidr)
    ends = {0, int(cidr.size) - 1} - {first, last}
    return {IPAddress(cidr.first + offset, version=cidr.version) for offset in ends}


def _free(state: State, pool: Pool, part: IPNetwork, *, spare_asked: bool) -> Iterator[int]:
    first, last = _usable(pool.cidr)
    first = max(first, part.first - pool.cidr.first)
    last = min(last, part.last - pool.cidr.first)
    for number in range(first // SIZE, last // SIZE + 1):
        block = _block(state, pool, number)
        if block.taken == _FULL:
            continue
        used = _bits(block.taken) | (_bits(block.asked) if spare_asked else 0)
        free = _window(first - number * SIZE, last - number * SIZE) & ~used
        while free:
            lowest = free & -free
            yield number * SIZE + lowest.bit_length() - 1
            free ^= lowest


def _window(first: int, last: int) -> int:
    """Give the bits of a block from ``first`` to ``last``, which may lie outside it."""
    low, high = max(first, 0), min(last, SIZE - 1)
    return (1 << (high + 1)) - (1 << low)


def _usable(cidr: IPNetwork) -> tuple[int, int]:
    """Give the first and last offset that an interface may have.

    Not the subnet's own address (IPv6: the routers' anycast address, RFC 4291 2.6.1) nor, in
    IPv4, the broadcast address; a link of two addresses has neither (RFC 3021, RFC 6164).
    """
    if cidr.size <= 2:
        return 0, int(cidr.size) - 1
    return 1, int(cidr.size) - (2 if cidr.version == 4 else 1)


def _block(state: State, pool: Pool, number: int) -> AddressBlock:
    found = state.get(AddressBlock, f"{pool.id}#{number}")
    return found or AddressBlock(pool=pool.id, number=number, taken=b"", asked=b"")


def _put(state: State, block: AddressBlock, taken: int, asked: int) -> State:
    if not taken and not asked:
        return state.drop(AddressBlock, block.id)
    return state.put(
        AddressBlock(pool=block.pool, number=block.number, taken=_bytes(taken), asked=_bytes(asked))
    )


def _bits(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _bytes(bits: int) -> bytes:
    return bits.to_bytes((bits.bit_length() + 7) // 8, "little")
