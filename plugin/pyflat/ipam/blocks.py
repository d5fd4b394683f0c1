"""Blocks: the parts of a cluster's pool that single hosts give out addresses of.

The blocks of a pool may be of different sizes, as hosts may have ranges of their own
(``--ip-range``); no two overlap.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from netaddr import IPAddress, IPNetwork, IPSet

from pyflat.addressing import overlap
from pyflat.errors import Conflict

#: Prefix length that blocks are not made longer than for the sake of their number.
LONGEST = {4: 26, 6: 122}


def block_length(part: IPNetwork) -> int:
    """Give the prefix length of the blocks that a pool, or a range of it, is given out in.

    256 of them; fewer, but not less than 16, where they would have fewer than 64 addresses.
    """
    length = part.prefixlen
    width = 32 if part.version == 4 else 128
    return int(min(max(min(length + 8, LONGEST[part.version]), length + 4), width))


def free_block(
    part: IPNetwork, held: Iterable[IPNetwork], useless: Collection[IPAddress]
) -> IPNetwork | None:
    """Give the first block of a range that overlaps none that is held.

    What is left between others' blocks is given as a smaller one when no whole one is free.
    ``useless`` are addresses that no container can have: a block has at least one other.
    """
    gaps = list((IPSet([part]) - IPSet(held)).iter_cidrs())
    length = block_length(part)
    whole = (gap for gap in gaps if gap.prefixlen <= length)
    pieces = sorted(gaps, key=lambda gap: (gap.prefixlen, gap))
    found: Iterator[IPNetwork] = chain(
        chain.from_iterable(gap.subnet(length) for gap in whole),
        (gap for gap in pieces if gap.prefixlen > length),
    )
    return next((b for b in found if sum(a in b for a in useless) < b.size), None)


def block_around(part: IPNetwork, address: IPAddress, held: Mapping[IPNetwork, str]) -> IPNetwork:
    """Give the largest block of a range that holds an address and overlaps none that is held.

    ``held`` tells whose each is. Raises Conflict if the address is in one of them.
    """
    inside = next((block for block in held if address in block), None)
    if inside is not None:
        raise Conflict(f"address {address} is in block {inside} of host {held[inside]}")
    block = IPNetwork(f"{address}/{block_length(part)}").cidr
    while any(overlap(block, other) for other in held):
        block = IPNetwork(f"{address}/{block.prefixlen + 1}").cidr
    return block
