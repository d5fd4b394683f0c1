"""A plugin's state, written before it starts. The one place that knows pyflat from within."""

from __future__ import annotations

from pathlib import Path

from netaddr import IPAddress, IPNetwork

from pyflat.ipam.pools import request_pool
from pyflat.model import Allocation, Key, Record, State
from pyflat.store.sqlite import SqliteStore

SPACE = "PyflatLocal"
_BATCH = 50_000


def fill_pool(folder: Path, cidr: str, free: int) -> str:
    """Write an IPv4 pool with all addresses given out but the last ones; give the pool's id.

    The folder becomes the state folder of a plugin that is not running yet.
    """
    network = IPNetwork(cidr)
    _, pool = request_pool(State(), space=SPACE, cidr=network, part=None, version=4)
    store = SqliteStore(folder)
    try:
        store.commit({(pool.kind, pool.id): pool})
        # Neither the network's own address nor its broadcast address is ever given out.
        first, end = network.first + 1, network.last - free
        for start in range(first, end, _BATCH):
            store.commit(_allocations(pool.id, range(start, min(start + _BATCH, end))))
    finally:
        store.close()
    return pool.id


def _allocations(pool: str, values: range) -> dict[Key, Record | None]:
    addresses = (IPAddress(value, version=4) for value in values)
    records = (
        Allocation(id=f"{pool}|{address}", pool=pool, address=address) for address in addresses
    )
    return {(record.kind, record.id): record for record in records}
