"""RequestAddress and ReleaseAddress."""

from netaddr import IPAddress, IPNetwork

from pyflat.errors import Conflict, Exhausted, InvalidRequest
from pyflat.ipam.pools import Lease
from pyflat.model import AddressBlock, InterfaceAddress, Pool
from pyflat.state import State

SIZE = AddressBlock.SIZE
_FULL = b"\xff" * (SIZE // 8)


def request_address(
    state: State, lease: Lease, *, wanted: IPAddress | None = None, gateway: bool = False
) -> tuple[State, InterfaceAddress]:
    """Give out an address with the mask of its pool: the wanted one, else the lowest free.

    An address that was once wanted is chosen only when no other is free: the container that
    asked for it may be started again, and nothing tells when it is removed. A gateway is chosen
    from the whole pool, so that it is the same on every host whatever the range. Raises
    NotFound for an unknown pool, InvalidRequest for an address outside it, Conflict for one that
    is given out, Exhausted when none is left.
    """
    pool = state.require(Pool, lease.pool)
    if wanted is not None:
        return _take(state, pool, _offset_of(state, pool, wanted), asked=True)
    part = lease.part if lease.part is not None and not gateway else pool.cidr
    return _take(state, pool, _lowest_free(state, pool, part), asked=False)


def release_address(state: State, pool_id: str, address: IPAddress) -> State:
    """Take an address back; one that is not given out is no change."""
    pool = state.get(Pool, pool_id)
    if pool is None or address not in pool.cidr:
        return state
    number, bit = divmod(int(address) - pool.cidr.first, SIZE)
    block = _block(state, pool, number)
    taken = _bits(block.taken) & ~(1 << bit)
    return _put(state, block, taken, _bits(block.asked))


def given_out(state: State, pool_id: str, address: IPAddress) -> bool:
    """Say whether an address of a pool is given out."""
    pool = state.get(Pool, pool_id)
    if pool is None or address not in pool.cidr:
        return False
    number, bit = divmod(int(address) - pool.cidr.first, SIZE)
    return bool(_bits(_block(state, pool, number).taken) >> bit & 1)


def _offset_of(state: State, pool: Pool, wanted: IPAddress) -> int:
    if wanted not in pool.cidr:
        raise InvalidRequest(f"address {wanted} is not in pool {pool.cidr}")
    if given_out(state, pool.id, wanted):
        raise Conflict(f"address {wanted} of pool {pool.cidr} is already given out")
    return int(wanted) - pool.cidr.first


def _lowest_free(state: State, pool: Pool, part: IPNetwork) -> int:
    first, last = _usable(pool.cidr)
    first = max(first, part.first - pool.cidr.first)
    last = min(last, part.last - pool.cidr.first)
    for spare_asked in (True, False):
        for number in range(first // SIZE, last // SIZE + 1):
            block = _block(state, pool, number)
            if block.taken == _FULL:
                continue
            used = _bits(block.taken) | (_bits(block.asked) if spare_asked else 0)
            free = _window(first - number * SIZE, last - number * SIZE) & ~used
            if free:
                return number * SIZE + (free & -free).bit_length() - 1
    raise Exhausted(f"no address is left in {part} of pool {pool.cidr}")


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


def _take(state: State, pool: Pool, offset: int, *, asked: bool) -> tuple[State, InterfaceAddress]:
    number, bit = divmod(offset, SIZE)
    block = _block(state, pool, number)
    mark = 1 << bit
    remembered = _bits(block.asked) | (mark if asked else 0)
    state = _put(state, block, _bits(block.taken) | mark, remembered)
    address = IPAddress(pool.cidr.first + offset, version=pool.cidr.version)
    return state, InterfaceAddress(f"{address}/{pool.cidr.prefixlen}")


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
