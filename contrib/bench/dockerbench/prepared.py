"""A plugin's state, written before it starts. The one place that knows pyflat from within."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from netaddr import IPNetwork

from pyflat.addressing import AddressBlock, Pool
from pyflat.ipam.pools import request_pool
from pyflat.state import State
from pyflat.store.sqlite import SqliteStore

SPACE = "PyflatLocal"


def fill_pool(folder: Path, cidr: str, free: int) -> str:
    """Write an IPv4 pool with all addresses given out but the last ones; give the pool's id.

    The folder becomes the state folder of a plugin that is not running yet.
    """
    state, lease = request_pool(State(), space=SPACE, cidr=IPNetwork(cidr), part=None)
    store = SqliteStore(folder)
    try:
        store.commit({(Pool.kind, lease.pool): state.require(Pool, lease.pool)})
        store.commit({(block.kind, block.id): block for block in _blocks(lease.pool, cidr, free)})
    finally:
        store.close()
    return str(lease)


def _blocks(pool: str, cidr: str, free: int) -> Iterator[AddressBlock]:
    # The last address is the broadcast address, which is never given out.
    taken = (1 << (IPNetwork(cidr).size - free - 1)) - 1
    bits, number = AddressBlock.SIZE, 0
    while taken:
        block = (taken & ((1 << bits) - 1)).to_bytes(bits // 8, "little").rstrip(b"\0")
        yield AddressBlock(pool=pool, number=number, taken=block, asked=b"")
        taken, number = taken >> bits, number + 1
